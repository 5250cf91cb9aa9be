"""The report of a run names what is hardly meant in its readings."""

from __future__ import annotations

from pathlib import Path

import duckdb

from flink_job.commands.run_report import doubts_of_run


def write_costs(lake: Path, rows: str) -> None:
    (lake / "costs").mkdir()
    duckdb.sql(
        "COPY (SELECT 'm' AS meter_id, TIMESTAMP '2026-03-01' + n * INTERVAL 1 HOUR AS interval_start, "
        f"900::INTEGER AS interval_s, kwh::DECIMAL(18, 6) AS energy_kwh, 'actual' AS quality FROM ({rows})) "
        f"TO '{lake}/costs/part.parquet'"
    )


def test_lengths_that_are_not_the_distance_are_said(tmp_path: Path) -> None:
    write_costs(tmp_path, "SELECT n, 1 + n % 2 AS kwh FROM range(10) AS r (n)")
    [line] = doubts_of_run(tmp_path)
    assert line.startswith("meter m: interval_s is 15min, but readings begin 1h apart")


def test_a_correction_counts_with_what_it_corrects(tmp_path: Path) -> None:
    """3,000 kWh in a quarter of an hour are 12 MW; with the correction by -2,900 they are 0.4 MW."""
    write_costs(tmp_path, "SELECT 1 AS n, 3000 AS kwh UNION ALL SELECT 1, -2900")
    assert doubts_of_run(tmp_path) == []


def test_a_run_without_costs_has_no_doubts(tmp_path: Path) -> None:
    assert doubts_of_run(tmp_path) == []
