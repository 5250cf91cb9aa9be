"""Accumulators of the job, per interval and per bill. Changing them breaks savepoint compatibility (CHANGELOG.md)."""

from __future__ import annotations

from flink_job.dataflow.operators.keyed_aggregate import Aggregate, KeyedAggregate
from flink_job.dataflow.operators.keyed_updates import KeyedUpdates

_QUANTITIES = ("import", "export", "reactive_import", "reactive_export", "register")

#: Quantities that KPIs have.
_KPI_QUANTITIES = _QUANTITIES[:3]
_PRICED, _WAITING = ("is_priced", 1), ("is_priced", 0)


def _top(quantity: str, prefix: str, when: tuple[str, int]) -> Aggregate:
    name = f"{prefix}{quantity}"
    return Aggregate(f"{name}_top", "MAX", f"{quantity}_packed", start=-1, before=f"{name}_previous", when=when)


#: The highest revision of each quantity of an interval, after and before a record; -1 if there is none. Revision and
#: quantity are packed into one integer, so the highest revision is a maximum. A record without a quantity does not
#: change it. Records that wait for a price have accumulators of their own: their energy counts in KPIs until a priced
#: record of the interval comes, perhaps the same one again.
REVISIONS = KeyedAggregate(
    key=("meter_id", "start_ms"),
    aggregates=(
        *(_top(quantity, "", _PRICED) for quantity in _QUANTITIES),
        Aggregate("records_seen", "COUNT", when=_PRICED),
        *(_top(quantity, "waiting_", _WAITING) for quantity in _KPI_QUANTITIES),
        Aggregate("waiting_seen", "COUNT", when=_WAITING),
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
