"""Energy of an interval counts once at every moment: without a currency until a record with a price comes."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any, NamedTuple

from pyflink.table import DataTypes

from flink_job.dataflow.accumulators import REVISIONS
from flink_job.dataflow.operators.keyed_aggregate import aggregate_by_key
from flink_job.dataflow.sql import read_sql
from flink_job.dataflow.uids import Uid
from flink_job.metering.packing import pack
from tests.integration.table_environment import rows_of, table_environment

BIGINT, INT, STRING = DataTypes.BIGINT(), DataTypes.INT(), DataTypes.STRING()
QUANTITIES = ("import", "export", "reactive_import", "reactive_export", "register")
#: The columns of view `measured` that `deltas` reads.
COLUMNS: dict[str, Any] = {
    "carried": STRING,
    "meter_id": STRING,
    "start_ms": BIGINT,
    "interval_s": INT,
    "bill_key": STRING,
    "tou_period": INT,
    "updates": STRING,
    **{f"{quantity}_packed": BIGINT for quantity in QUANTITIES},
    "register_energy_ukwh": BIGINT,
    "register_demand_ukwh": BIGINT,
    "register_interval_ukwh": BIGINT,
    "register_condition": INT,
    "is_overtaken": DataTypes.BOOLEAN(),
    "is_priced": INT,
}


class Record(NamedTuple):
    """A record of an interval with two quantities, packed; None if it does not have one."""

    meter: str
    imported: int | None
    exported: int | None
    is_priced: bool

    def row(self) -> tuple[Any, ...]:
        quantities = (self.imported, self.exported, None, None, None)
        return ("", self.meter, 0, 900, "", 0, "", *quantities, None, None, None, 0, False, int(self.is_priced))


def records() -> list[Record]:
    """Up to five records of each of 300 intervals, in any order: repeats, corrections, with a price and without."""
    chance = random.Random(5)
    found = []
    for number in range(300):
        for _ in range(chance.randint(1, 5)):
            revision = chance.randint(0, 2)
            imported, exported = (
                pack(revision, chance.choice((0, 5, 7))) if chance.random() < 0.8 else None for _ in "ie"
            )
            found.append(Record(f"m{number}", imported, exported, chance.random() < 0.5))
    chance.shuffle(found)
    return found


def top(packed: list[int | None]) -> int:
    """The quantity of the highest revision; 0 if there is none."""
    known = [value for value in packed if value is not None]
    return max(known) % (1 << 50) if known else 0


def expected(seen: list[Record]) -> tuple[int, ...]:
    """(readings, import, export) without a price, and (import, export) with one, of the records of an interval."""
    priced, waiting = [r for r in seen if r.is_priced], [r for r in seen if not r.is_priced]
    with_price = [[r.imported for r in priced], [r.exported for r in priced]]
    without = [[r.imported for r in waiting], [r.exported for r in waiting]]
    counts = [
        0 if any(value is not None for value in known) else top(own)
        for known, own in zip(with_price, without, strict=True)
    ]
    return int(bool(waiting) and not priced), *counts, *map(top, with_price)


def test_the_energy_of_an_interval_counts_once_after_every_record() -> None:
    t_env = table_environment()
    given = records()
    schema = DataTypes.ROW([DataTypes.FIELD(name, kind) for name, kind in COLUMNS.items()])
    t_env.create_temporary_view("measured", t_env.from_elements([record.row() for record in given], schema))
    aggregate_by_key(t_env, "measured", "revised", REVISIONS, ttl_days=1, uid=Uid.REVISIONS)
    t_env.create_temporary_view("deltas", t_env.sql_query(read_sql("revise/deltas")))
    columns = "meter_id, waiting_readings, waiting_import_ukwh, waiting_export_ukwh, import_ukwh, export_ukwh"
    changes = rows_of(t_env, f"SELECT {columns} FROM deltas")
    sums: dict[str, list[int]] = defaultdict(lambda: [0] * 5)
    seen: dict[str, list[Record]] = defaultdict(list)
    assert len(changes) == len(given)
    for record, (meter, *changed) in zip(given, changes, strict=True):
        assert meter == record.meter
        seen[meter].append(record)
        sums[meter] = [total + change for total, change in zip(sums[meter], changed, strict=True)]
        assert tuple(sums[meter]) == expected(seen[meter]), seen[meter]
