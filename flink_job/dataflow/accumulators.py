"""Accumulators of the job, per interval and per bill. Changing them breaks savepoint compatibility (CHANGELOG.md)."""

from __future__ import annotations

from flink_job.dataflow.operators.keyed_aggregate import Aggregate, KeyedAggregate
from flink_job.dataflow.operators.keyed_updates import KeyedUpdates

_QUANTITIES = ("import", "export", "reactive_import", "reactive_export", "register")

#: The highest revision of each quantity of an interval, after and before a record; -1 if there is none. Revision and
#: quantity are packed into one integer, so the highest revision is a maximum. A record without a quantity does not
#: change it.
REVISIONS = KeyedAggregate(
    key=("meter_id", "start_ms"),
    aggregates=(
        *(Aggregate(f"{q}_top", "MAX", f"{q}_packed", start=-1, before=f"{q}_previous") for q in _QUANTITIES),
        Aggregate("records_seen", "COUNT"),
    ),
)

#: Everything that a bill depends on (see flink_job.tariffs.plan). One key per bill, so the state before a record is the
#: state after its predecessor. Quantities are in the order of Quantity.
BILL = KeyedUpdates(
    key=("account", "bill_key"),
    program="updates",
    quantities=(
        ("import_after_ukwh", "import_ukwh"),
        ("export_after_ukwh", "export_ukwh"),
        ("reactive_import_after_uvarh", "reactive_import_uvarh"),
        ("reactive_export_after_uvarh", "reactive_export_uvarh"),
        ("time_ms", "time_ms"),
        ("register_demand_ukwh", "register_demand_ukwh"),
    ),
    slots="slots",
    shown="demand_ukwh",
)
