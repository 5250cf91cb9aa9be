"""What the job keeps of readings, by interval and by bill. Another list is another state: see CHANGELOG.md."""

from __future__ import annotations

from flink_job.dataflow.operators.keyed_aggregate import Parts, Running, Value
from flink_job.tariffs.model import MAX_DEMAND_PERIODS, MAX_PERIODS

_QUANTITIES = ("import", "export", "reactive_import", "reactive_export", "register")

#: The highest revision seen so far of each quantity of an interval, and before a record; -1 where there is none.
#: Revision and quantity are packed into one integer, so the highest revision is a running maximum. What a record does
#: not carry changes nothing.
REVISIONS = Running(
    key=("meter_id", "start_ms"),
    values=(
        *(Value(f"{q}_top", "Highest", f"{q}_packed", start=-1, before=f"{q}_previous") for q in _QUANTITIES),
        Value("records_seen", "Count"),
    ),
)

#: Everything a bill depends on, after a reading, and the peaks before it. (Sums before it are those after it less its
#: own.) One key a bill, so what is before a reading is exactly what was after the one before it. Peak 0 is of all day.
#: A demand interval lies in one bill; of one that is a single reading nothing is kept.
BILL = Running(
    key=("meter_id", "bill_key"),
    parts=Parts("demand_ukwh", whole="demand_whole_ukwh", part="demand_part_ukwh", by="demand_start_ms"),
    values=(
        *(
            Value(f"{way}_{period}", "Total", f"{way}_ukwh", when=("tou_period", period))
            for way in ("import", "export")
            for period in range(MAX_PERIODS)
        ),
        Value("peak_0", "Highest", "demand_ukwh", before="previous_peak_0"),
        *(
            Value(f"peak_{slot}", "Highest", "demand_ukwh", before=f"previous_peak_{slot}", when=("demand_slot", slot))
            for slot in range(1, MAX_DEMAND_PERIODS + 1)
        ),
    ),
)
