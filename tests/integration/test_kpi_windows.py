"""The KPI windows of the job: readings of a quarter hour, shorter ones, corrections, silent meters, days."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flink_job.lake.database import query
from tests.harness.jobs import run_files, write_records
from tests.integration.test_rules_of_the_stream import contract, reading


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kpi-parts")
    meters = ("corrected", "short", "mixed", "silent")
    records = [
        # Nothing between this and the last reading of a day in Madrid (UTC+2).
        reading("silent", 0, 1),
        reading("corrected", 0, 2),
        reading("corrected", 0, 3, revision=1),
        reading("corrected", 15, 1),
        *(reading("short", minute, kwh, interval_s=300) for minute, kwh in [(0, 1), (5, 2), (10, 4)]),
        # Of one quarter hour, one that fills it and one of five minutes.
        reading("mixed", 30, 5),
        reading("mixed", 40, 1, interval_s=300),
        reading("silent", 21 * 60 + 45, 2),
        *(reading("ten", 12 * 60 + 10 * number, 1, interval_s=600) for number in range(6)),
    ]
    contracts = [contract(meter, "eur-flat") for meter in (*meters, "never")]
    contracts.append(contract("ten", "eur-flat").replace(b"f/p/l", b"g/p/l"))
    output = folder / "out"
    run_files(write_records(folder / "r.ndjson", records), write_records(folder / "c.ndjson", contracts), output)
    return output


def windows(lake: Path, entity: str, window_s: int) -> list[tuple[Any, ...]]:
    """(readings, expected readings, energy, lowest and highest power) of an entity's windows, in order of time."""
    sql = (
        "SELECT readings, expected_readings, energy_kwh, min_kw, max_kw FROM kpis "
        f"WHERE entity = '{entity}' AND window_s = {window_s} AND readings > 0 ORDER BY window_start"
    )
    return [tuple(row) for row in query(lake, sql)[1]]


def test_a_correction_is_part_of_its_quarter_hour(lake: Path) -> None:
    # 2 kWh, corrected to 3, are 12 kW over a quarter hour; the correction is not another reading.
    assert windows(lake, "corrected", 900) == [(1, 1, 3, 12, 12), (1, 1, 1, 4, 4)]
    assert windows(lake, "corrected", 3600) == [(2, 4, 4, 4, 12)]


def test_a_line_has_the_power_of_all_its_meters(lake: Path) -> None:
    """The first quarter hour: 3 kWh, 7 kWh of five minutes each, 1 kWh, all times 4 as power.

    Five readings of seven: three of 5 minutes and one each of `corrected` and `silent`. One each is missing of `never`
    and of `mixed`, whose first readings come later.
    """
    assert windows(lake, "f/p/l", 900)[0] == (5, 7, 11, 44, 44)


def test_shorter_readings_are_summed(lake: Path) -> None:
    assert windows(lake, "short", 900) == [(3, 3, 7, 28, 28)]


def test_a_reading_that_straddles_two_quarter_hours_has_power_in_both(lake: Path) -> None:
    """1 kWh in every ten minutes are 6 kW. The second and fifth reading end five minutes into the next quarter hour."""
    assert windows(lake, "ten", 3600) == [(6, 6, 6, 6, 6)]
    for entity in ("ten", "g/p/l"):
        (row,) = query(lake, f"SELECT max_kw, min_kw FROM kpis_1h WHERE entity = '{entity}' AND readings > 0")[1]
        assert row == (6, 6)


def test_readings_of_different_length_are_in_one_quarter_hour(lake: Path) -> None:
    # 5 kWh and 1 kWh of the quarter hour are 24 kW; with the shorter interval three readings are expected.
    assert windows(lake, "mixed", 900) == [(2, 3, 6, 24, 24)]


def test_a_day_is_one_row_however_long_the_silence_in_it(lake: Path) -> None:
    """1 kWh at 02:00 in Madrid, where the input begins, and 2 kWh in the day's last quarter hour: 88 are expected."""
    assert windows(lake, "silent", 86_400) == [(2, 88, 3, 4, 8)]
    (row,) = query(lake, "SELECT energy_kwh FROM kpis WHERE entity = 'f' AND window_s = 86400")[1]
    # 4 + 7 + 6 + 3 kWh.
    assert row == (Decimal(20),)


def test_hours_without_readings_have_a_row_of_zeros(lake: Path) -> None:
    """`silent` sent readings in two of the 22 hours from the first reading of the input to the last."""
    sql = (
        "SELECT readings, expected_readings, energy_kwh, COUNT(*) FROM kpis "
        "WHERE entity = 'silent' AND window_s = 3600 AND readings = 0 GROUP BY ALL"
    )
    assert [tuple(row) for row in query(lake, sql)[1]] == [(0, 4, 0, 20)]


def test_a_meter_that_sends_nothing_counts_in_its_line(lake: Path) -> None:
    """`never` has a contract: as many of its readings are expected as of `silent`."""
    sql = "SELECT readings, expected_readings, completeness FROM kpis_1d WHERE entity = 'never'"
    assert [tuple(row) for row in query(lake, sql)[1]] == [(0, 88, 0)]
