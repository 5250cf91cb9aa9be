"""The bench's computation in Bytewax: priced per meter, aggregated to quarter hours, with state for recovery.

`python -m tests.bench.peers.bytewax_flow FOLDER`. In its favour: only the lowest of the job's KPI levels and sizes.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.files import FileSource
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main

from tests.bench.data import FIRST, TIMEZONE
from tests.bench.plain import Bill, Pricer

State = tuple[dict[int, int], dict[str, Bill]]


class _Forgotten(StatelessSinkPartition[Any]):
    def write_batch(self, items: list[Any]) -> None:
        del items


class Blackhole(DynamicSink[Any]):
    """Discards rows."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Forgotten:
        return _Forgotten()


def flow(folder: Path) -> Dataflow:
    """The dataflow over the input in a folder."""
    pricer = Pricer(json.loads((folder / "tariffs" / "bench.json").read_text()), TIMEZONE)
    contracts = {c["meter_id"]: c for c in map(json.loads, (folder / "contracts" / "contracts.ndjson").open())}

    def parsed(line: str) -> tuple[str, dict[str, Any]]:
        record = json.loads(line)
        record["site_path"] = contracts[record["meter_id"]]["site_path"]
        return record["meter_id"], record

    def priced(state: State | None, record: dict[str, Any]) -> tuple[State, dict[str, Any]]:
        seen, bills = state or ({}, {})
        at = pricer.place(record)
        before = seen.get(at.start_s)
        if before is not None and at.quantity_ukwh <= before:
            return (seen, bills), {"duplicates": True, "start_s": at.start_s, "total": 0, "energy_ukwh": 0}
        seen[at.start_s] = at.quantity_ukwh
        bill = bills.setdefault(at.month, pricer.new_bill(at.month))
        cost = pricer.price(bill, at, before)
        row = {**record, **cost, "duplicates": False, "start_s": at.start_s, "energy_ukwh": at.quantity_ukwh}
        return (seen, bills), {**row, "total": sum(cost.values())}

    def folded(sums: tuple[int, int, int], row: dict[str, Any]) -> tuple[int, int, int]:
        return sums[0] + 1, sums[1] + row["energy_ukwh"], sums[2] + row["total"]

    def merged(one: tuple[int, int, int], other: tuple[int, int, int]) -> tuple[int, int, int]:
        return one[0] + other[0], one[1] + other[1], one[2] + other[2]

    dataflow = Dataflow("bench")
    readings = op.map("parse", op.input("in", dataflow, FileSource(folder / "readings" / "readings.ndjson")), parsed)
    costs = op.stateful_map("price", readings, priced)
    op.output("costs", costs, Blackhole())
    clock: Any = EventClock(lambda row: datetime.fromtimestamp(row["start_s"], UTC), timedelta(seconds=120))
    windower = TumblingWindower(length=timedelta(minutes=15), align_to=FIRST)
    quarters = fold_window("quarters", costs, clock, windower, lambda: (0, 0, 0), folded, merged)
    op.output("kpis", quarters.down, Blackhole())
    return dataflow


if __name__ == "__main__":
    given = Path(sys.argv[1])
    recovery = Path(sys.argv[2])
    recovery.mkdir(parents=True, exist_ok=True)
    init_db_dir(recovery, 1)
    run_main(flow(given), epoch_interval=timedelta(seconds=60), recovery_config=RecoveryConfig(recovery))
