"""Cumulative registers: no energy is lost in any order of arrival, and `settle` places all of it exactly."""

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
#: A day with wrong values, an exchange at noon and a roll-over: in order, with some disorder, and shuffled.
TROUBLED = ("troubled", *(f"disordered-{number}" for number in range(4)))
SHAKEN = tuple(f"shaken-{number}" for number in range(3))


def read(meter: str, minute: int, kwh: float, **more: Any) -> bytes:
    return reading(meter, minute, 0, energy_kwh=None, register_kwh=kwh, register_rollover_kwh=1000, **more)


def day_of(meter: str) -> list[bytes]:
    """A read each quarter hour, 3.5 kWh apart from 900 on: 332.5 kWh in all."""
    return [read(meter, minute, (900 + 3.5 * number) % 1000) for number, minute in enumerate(HOURS)]


def troubled_day_of(meter: str) -> list[bytes]:
    """A read each quarter hour, 1 kWh apart: 47 from 980 on over the roll-over at 1000, 47 of another one from 300.

    Six values are wrong, by more than the 40 kW of the meter: four alone, and two of 0, one after the other.
    """
    values = [float((980 + number) % 1000) for number in range(48)] + [300.0 + number for number in range(48)]
    for number, wrong in {5: 400.0, 25: 700.0, 35: 500.0, 60: 800.0, 70: 0.0, 71: 0.0}.items():
        values[number] = wrong
    return [read(meter, minute, kwh) for minute, kwh in zip(HOURS, values, strict=True)]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registers")
    meters = [
        "ordered",
        *SHUFFLED,
        "swapped",
        "corrected",
        "two-dials",
        "set-back",
        "ratio",
        "silent",
        "bounded",
        *TROUBLED,
        *SHAKEN,
    ]
    stated: dict[str, dict[str, Any]] = {"ratio": {"multiplier": 40}, "bounded": {"max_power_kw": 100}}
    stated |= {key: {"max_power_kw": 40} for key in (*TROUBLED, *SHAKEN)}
    tariffs = {"silent": "eur-demand"}
    contracts = [contract(meter, tariffs.get(meter, "eur-tou"), **stated.get(meter, {})) for meter in meters]
    records = day_of("ordered")
    for number, meter in enumerate(SHUFFLED):
        reads = day_of(meter)
        random.Random(number).shuffle(reads)
        records += reads
    for number, meter in enumerate((*TROUBLED, *SHAKEN)):
        order = random.Random(number)
        late = 0 if meter == "troubled" else 96 if meter in SHAKEN else 4
        # Each read comes up to `late` quarter hours later.
        records += [
            read
            for _, read in sorted((at + order.uniform(0, late), read) for at, read in enumerate(troubled_day_of(meter)))
        ]
    records += [
        # 10 hours of 12 kW, of which there is no read between the second and the last.
        *(read("silent", minute, kwh) for minute, kwh in [(0, 0), (15, 3), (600, 120), (615, 123)]),
        # 100 kW are 25 kWh in a quarter hour: 60 is none, 85 counts from 60.
        *(read("bounded", minute, kwh) for minute, kwh in [(0, 0), (15, 25), (30, 60), (45, 85)]),
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
        # Set back by 110 kWh: it counts on from there.
        *(read("set-back", minute, kwh) for minute, kwh in [(0, 300), (15, 310), (30, 200), (45, 205)]),
        *(read("ratio", minute, kwh) for minute, kwh in [(15, 2), (0, 1), (30, 4)]),
    ]
    output = folder / "out"
    run_files(write_records(folder / "r.ndjson", records), write_records(folder / "c.ndjson", contracts), output)
    command("settle", output, "--contracts", folder / "c.ndjson", "--tariffs", SAMPLES / "tariffs")
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
    # 10 begins, 20 adds 10, the older 25 changes nothing, and 40 adds 20: 30 in all, as if it had come first.
    assert energy(lake, "corrected") == [0, 10, 20]


def test_two_dials_of_one_meter_both_count(lake: Path) -> None:
    # 15 kWh and 1 kWh in each quarter hour, twice; the two first reads add nothing.
    assert sum(energy(lake, "two-dials")) == 32  # type: ignore[call-overload]


def test_a_register_that_is_set_back_counts_on_from_there(lake: Path) -> None:
    assert energy(lake, "set-back") == [0, 10, 0, 5]


def test_a_step_beyond_the_highest_power_has_no_energy(lake: Path) -> None:
    sql = "SELECT energy_kwh, quality FROM costs WHERE meter_id = 'bounded' ORDER BY interval_start"
    assert query(lake, sql)[1] == [(0, "actual"), (25, "actual"), (0, "implausible"), (25, "actual")]


@pytest.mark.parametrize("meter", TROUBLED)
def test_wrong_values_and_an_exchange_cost_the_same_in_some_disorder(lake: Path, meter: str) -> None:
    # 47 differences of the register, and 47 of the one that replaced it.
    assert sum(energy(lake, meter)) == 94  # type: ignore[call-overload]
    assert exact(lake, meter) == exact(lake, "troubled")


@pytest.mark.parametrize("meter", SHAKEN)
def test_rerate_finds_wrong_values_and_an_exchange_in_reads_without_any_order(lake: Path, meter: str) -> None:
    assert exact(lake, meter) == exact(lake, "troubled")


def test_the_energy_of_a_silence_is_estimated_and_makes_no_peak(lake: Path) -> None:
    """117 kWh in nine hours and three quarters at 12 kW; without a spread the quarter hour would have 468 kW."""
    sql = "SELECT energy_kwh, quality, provisional FROM costs WHERE meter_id = 'silent' ORDER BY interval_start"
    assert query(lake, sql)[1][2:3] == [(117, "estimated", True)]
    sql = "SELECT SUM(demand_cost) FROM costs WHERE meter_id = 'silent'"
    ((streamed,),) = query(lake, sql)[1]
    ((settled,),) = query(lake, sql.replace("costs", "bills"))[1]
    assert streamed == settled > 0


def test_settlement_spreads_the_energy_of_a_silence_by_quarter_hour(lake: Path) -> None:
    sql = "SELECT energy_kwh FROM adjustments WHERE meter_id = 'silent' AND energy_kwh <> 0 ORDER BY window_start"
    # From 00:30 on 38 quarter hours of 3 kWh, which the stream had counted at 10:00.
    assert [row[0] for row in query(lake, sql)[1]] == [3] * 38 + [-114]


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
    answer = command("settle", later, "--contracts", contracts, "--tariffs", SAMPLES / "tariffs", "--meter", "ordered")
    assert "fixed cost" in answer and "energy cost" not in answer
