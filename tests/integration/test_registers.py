"""Cumulative registers: no energy is lost in any order of arrival, and `rerate` places all of it exactly."""

from __future__ import annotations

import random
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from flink_job.lake.database import query
from tests.harness.jobs import SAMPLES, command, run_files, write_records
from tests.integration.test_rules_of_the_stream import contract, reading

#: Quarter hours of a day; the register rolls over at 1000 kWh, once.
HOURS = range(0, 24 * 60, 15)
SHUFFLED = tuple(f"shuffled-{number}" for number in range(6))


def read(meter: str, minute: int, kwh: float, **more: Any) -> bytes:
    return reading(meter, minute, 0, energy_kwh=None, register_kwh=kwh, register_rollover_kwh=1000, **more)


def day_of(meter: str) -> list[bytes]:
    """A read each quarter hour, 3.5 kWh apart from 900 on: 332.5 kWh in all."""
    return [read(meter, minute, (900 + 3.5 * number) % 1000) for number, minute in enumerate(HOURS)]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registers")
    meters = ["ordered", *SHUFFLED, "swapped", "corrected", "two-dials", "set-back", "ratio"]
    contracts = [contract(meter, "eur-tou", **({"multiplier": 40} if meter == "ratio" else {})) for meter in meters]
    records = day_of("ordered")
    for number, meter in enumerate(SHUFFLED):
        reads = day_of(meter)
        random.Random(number).shuffle(reads)
        records += reads
    records += [
        # The first two of a new register change places.
        *(read("swapped", minute, kwh) for minute, kwh in [(15, 107), (0, 100), (30, 110)]),
        # The newer revision of 00:15 comes first.
        *(
            read("corrected", minute, kwh, revision=r)
            for minute, kwh, r in [(0, 10, 0), (15, 20, 2), (15, 25, 1), (30, 40, 0)]
        ),
        # Two registers of one meter, the second one far below the first.
        *(
            read("two-dials", minute, kwh, register_id=dial)
            for minute in (0, 15, 30)
            for dial, kwh in (("high", 500 + minute), ("low", 5 + minute / 15))
        ),
        # A later read that is lower is no energy before the first.
        *(read("set-back", minute, kwh) for minute, kwh in [(0, 300), (15, 310), (30, 200), (45, 205)]),
        *(read("ratio", minute, kwh) for minute, kwh in [(15, 2), (0, 1), (30, 4)]),
    ]
    output = folder / "out"
    run_files(write_records(folder / "r.ndjson", records), write_records(folder / "c.ndjson", contracts), output)
    command("rerate", output, "--contracts", folder / "c.ndjson", "--tariffs", SAMPLES / "tariffs")
    return output


def energy(lake: Path, meter: str) -> list[object]:
    sql = f"SELECT energy_kwh FROM costs WHERE meter_id = '{meter}' ORDER BY interval_start, revision"
    return [row[0] for row in query(lake, sql)[1]]


def exact(lake: Path, meter: str) -> Decimal:
    """The bill of a meter: stream and adjustment."""
    ((total,),) = query(lake, f"SELECT SUM(cost) FROM bills WHERE meter_id = '{meter}'")[1]
    return Decimal(str(total))


@pytest.mark.parametrize("meter", ["ordered", *SHUFFLED])
def test_in_any_order_all_energy_is_counted(lake: Path, meter: str) -> None:
    # 95 differences of 3.5 kWh.
    assert sum(energy(lake, meter)) == Decimal("332.5")  # type: ignore[call-overload]


def test_the_first_two_of_a_register_may_change_places(lake: Path) -> None:
    # 107 begins; 100, taken before it, adds 7; 110 adds 3.
    assert energy(lake, "swapped") == [7, 0, 3]
    assert energy(lake, "ratio") == [40, 0, 80]


def test_an_older_revision_of_a_read_is_not_lost(lake: Path) -> None:
    # 10 begins, 20 adds 10, the older 25 adds 5, and 40 adds 15: 30 in all, as if it had come first.
    assert energy(lake, "corrected") == [0, 5, 10, 15]


def test_two_dials_of_one_meter_both_count(lake: Path) -> None:
    # 15 kWh and 1 kWh in each quarter hour, twice; the two first reads add nothing.
    assert sum(energy(lake, "two-dials")) == 32  # type: ignore[call-overload]


def test_a_dial_that_is_set_back_counts_from_its_highest(lake: Path) -> None:
    assert energy(lake, "set-back") == [0, 10, 0, 0]


@pytest.mark.parametrize("meter", SHUFFLED)
def test_rerate_places_energy_as_if_reads_had_come_in_order(lake: Path, meter: str) -> None:
    """The tariff has TOU periods: shuffled, the stream prices some energy in another."""
    assert exact(lake, meter) == exact(lake, "ordered")
    ((reason,),) = query(lake, f"SELECT DISTINCT reason FROM adjustments WHERE meter_id = '{meter}'")[1]
    assert "reads of a register came in another order" in str(reason)


def test_rerate_agrees_with_the_stream_where_reads_came_in_order(lake: Path) -> None:
    sql = "SELECT meter_id FROM adjustments WHERE energy_cost <> 0 AND meter_id IN ('ordered', 'two-dials', 'set-back')"
    assert query(lake, sql)[1] == []


def test_every_read_is_in_the_lake_as_it_came(lake: Path) -> None:
    rows = query(
        lake, "SELECT register_kwh, rollover_kwh FROM register_reads WHERE meter_id = 'ratio' ORDER BY interval_start"
    )[1]
    assert rows == [(1, 1000), (2, 1000), (4, 1000)]


def test_without_the_reads_before_the_first_keeps_what_the_stream_gave_it(lake: Path, tmp_path: Path) -> None:
    """A lake that begins later: the first read's energy came from one that is not in it."""
    later, since = tmp_path / "later", pa.scalar(datetime(2026, 3, 30, 6), pa.timestamp("ms"))
    for table in ("costs", "register_reads"):
        (later / table).mkdir(parents=True)
        rows = pq.read_table(lake / table)
        pq.write_table(rows.filter(pc.greater_equal(rows["interval_start"], since)), later / table / "part.parquet")
    contracts = lake.parent / "c.ndjson"
    answer = command("rerate", later, "--contracts", contracts, "--tariffs", SAMPLES / "tariffs", "--meter", "ordered")
    assert "fixed cost" in answer and "energy cost" not in answer
