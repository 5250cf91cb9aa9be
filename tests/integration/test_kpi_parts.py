"""The stream's own KPI rows, from readings as long as a quarter hour, shorter ones, corrections, days."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyflink.table import EnvironmentSettings, TableEnvironment

from flink_job.dataflow.sql import read_sql
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
    ]
    contracts = [contract(meter, "eur-flat") for meter in meters]
    output = folder / "out"
    run_files(write_records(folder / "r.ndjson", records), write_records(folder / "c.ndjson", contracts), output)
    return output


def parts(lake: Path, meter: str, window_s: int) -> list[tuple[Any, ...]]:
    """(readings, energy, highest power) of a meter's parts, in order of time."""
    sql = (
        "SELECT readings, energy_kwh, max_kw FROM kpis "
        f"WHERE entity = '{meter}' AND window_s = {window_s} ORDER BY window_start, readings DESC, energy_kwh"
    )
    return [tuple(row) for row in query(lake, sql)[1]]


def test_a_correction_is_a_part_of_its_own_and_no_power(lake: Path) -> None:
    # 2 kWh in a quarter hour are 8 kW. The correction adds 1 kWh, is no further interval, and has no power by itself.
    assert parts(lake, "corrected", 900) == [(1, 2, 8), (0, 1, None), (1, 1, 4)]
    # 2 + 1 + 1 kWh of two intervals; the highest power is that of the first record.
    assert parts(lake, "corrected", 3600) == [(2, 4, 8)]


def test_a_line_has_all_of_its_meters_power(lake: Path) -> None:
    """The first quarter hour: 2 + 1 kWh corrected, 7 kWh of five minutes, 1 kWh of the silent one, all times 4."""
    sql = (
        "SELECT readings, energy_kwh, max_kw FROM kpis "
        "WHERE level = 'line' AND window_s = 900 ORDER BY window_start LIMIT 1"
    )
    assert [tuple(row) for row in query(lake, sql)[1]] == [(5, 11, 44)]


def test_shorter_readings_are_summed(lake: Path) -> None:
    assert parts(lake, "short", 900) == [(3, 7, 28)]


def test_parts_of_one_quarter_hour_have_keys_of_their_own(lake: Path) -> None:
    # 5 kWh are 20 kW, 1 kWh in the quarter hour 4 kW.
    assert parts(lake, "mixed", 900) == [(1, 1, 4), (1, 5, 20)]


def test_a_day_is_one_row_whatever_the_silence_in_it(lake: Path) -> None:
    assert parts(lake, "silent", 86_400) == [(2, 3, 8)]
    (row,) = query(lake, "SELECT energy_kwh FROM kpis WHERE level = 'factory' AND window_s = 86400")[1]
    # 4 + 7 + 6 + 3 kWh.
    assert row == (Decimal(20),)


def test_a_meter_that_moves_in_mid_hour_is_still_one_row_an_hour() -> None:
    t_env = TableEnvironment.create(EnvironmentSettings.in_batch_mode())
    quarters = [("00:00", "f/p/old", 1), ("00:15", "f/p/old", 2), ("00:30", "f/q/new", 3)]
    rows = ", ".join(f"(TIMESTAMP '2026-03-30 {at}:00', '{path}', {ukwh})" for at, path, ukwh in quarters)
    all_15m = f"""
        SELECT
          'meter' AS level, 'm' AS entity, 'f' AS site, site_path, 'EUR' AS currency, CAST(0 AS BIGINT) AS day_start_ms,
          86400 AS day_s, row_time, 900 AS interval_s, 1 AS readings, 1 AS expected_readings, import_ukwh,
          0 AS export_ukwh, 0 AS reactive_uvarh, 0 AS total_ucost, row_time AS arrival,
          import_ukwh * 4 AS mean_ukw
        FROM (VALUES {rows}) AS v (row_time, site_path, import_ukwh)
    """
    t_env.create_temporary_view("all_15m", t_env.sql_query(all_15m))
    with t_env.sql_query(read_sql("kpis/all_1h")).execute().collect() as found:
        assert [(row[1], row[3], row[10], row[12], row[17], row[18]) for row in found] == [
            ("m", "f/q/new", 3, 6, 4, 12)
        ]
