"""Accumulators of the job, per interval and per bill. Changing them breaks savepoint compatibility (CHANGELOG.md)."""

from __future__ import annotations

from flink_job.dataflow.operators.keyed_aggregate import Aggregate, KeyedAggregate, NextPart, PartialSum
from flink_job.tariffs.model import MAX_DEMAND_PERIODS, MAX_PERIODS

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

#: Everything that a bill depends on: sums after a record, and peaks after and before it (a sum before a record is the
#: sum after it minus the quantity of the record). One key per bill, so the state before a record is the state after its
#: predecessor. Peak 0 is that of all hours of the day. A demand interval belongs to one bill; a demand interval of a
#: single reading needs no state; a reading that straddles two demand intervals adds a part to each.
BILL = KeyedAggregate(
    key=("meter_id", "bill_key"),
    partial_sum=PartialSum(
        "demand_ukwh",
        total="demand_whole_ukwh",
        part="demand_part_ukwh",
        by="demand_start_ms",
        next=NextPart("demand_next_ukwh", by="demand_next_ms", filter="demand_next_slot"),
    ),
    aggregates=(
        *(
            Aggregate(f"{direction}_{period}", "SUM", f"{direction}_ukwh", when=("tou_period", period))
            for direction in ("import", "export")
            for period in range(MAX_PERIODS)
        ),
        Aggregate("peak_0", "MAX", "demand_ukwh", before="previous_peak_0"),
        *(
            Aggregate(f"peak_{slot}", "MAX", "demand_ukwh", before=f"previous_peak_{slot}", when=("demand_slot", slot))
            for slot in range(1, MAX_DEMAND_PERIODS + 1)
        ),
    ),
)
