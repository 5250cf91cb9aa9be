"""A record that ended otherwise when it was read again after a crash is in the table of its newest outcome alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import duckdb
import pytest

from deploy.lake.catalog import empty_lake
from flink_job.schemas import OUTCOMES, OUTPUTS

FIRST = datetime(2026, 3, 28, 12)
DAY = "2026-03-28"


@pytest.fixture
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_lake() as connection:
        yield connection


def write(lake: duckdb.DuckDBPyConnection, outcome: str, after_s: float | None, **columns: object) -> None:
    """A row of record 1 in shard 0, written so many seconds after the first; None for rows from before the column."""
    written = None if after_s is None else FIRST + timedelta(seconds=after_s)
    row = {
        **({} if outcome == "rejected" else {"reading_id": "r"}),
        "shard": "0",
        "record_position": "1",
        "event_date": DAY,
        OUTPUTS[outcome].written_at: written,
        **({"reason": "foreign_device", "part": 0} if outcome == "rejected" else {}),
        **({"role": "sensor", "channel": "import"} if outcome == "measurements" else {}),
        **columns,
    }
    marks = ", ".join("?" * len(row))
    lake.execute(f"INSERT INTO {outcome}_rows ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def records(lake: duckdb.DuckDBPyConnection) -> dict[str, int]:
    found = {name: lake.execute(f"SELECT COUNT(*) FROM {name}").fetchall()[0][0] for name in OUTCOMES}
    return {name: count for name, count in found.items() if count}


@pytest.mark.parametrize("first", OUTCOMES)
@pytest.mark.parametrize("second", OUTCOMES)
def test_the_newest_outcome_counts(lake: duckdb.DuckDBPyConnection, first: str, second: str) -> None:
    write(lake, second, 60)
    write(lake, first, 0)
    assert records(lake) == {second: 1}


def test_a_correction_that_comes_first_when_read_again_leaves_no_cost_of_its_reading(
    lake: duckdb.DuckDBPyConnection,
) -> None:
    """Before the crash the reading costs 1.40. Read again, its correction is first and costs all 1.60; the reading is
    then older than what is known, so a repeat. The bill is 1.60, not 3.00.
    """
    write(lake, "costs", 0, cost=1.4)
    write(lake, "costs", 60, reading_id="corrected", record_position="2", cost=1.6)
    write(lake, "duplicates", 61)
    assert lake.execute("SELECT CAST(SUM(cost) AS DOUBLE) FROM costs").fetchall() == [(1.6,)]
    assert records(lake) == {"costs": 1, "duplicates": 1}


def test_a_repeat_leaves_the_cost_of_the_record_that_it_repeats(lake: duckdb.DuckDBPyConnection) -> None:
    """Both have the same reading_id; which of them is costed is another one after the crash."""
    write(lake, "costs", 0)
    write(lake, "duplicates", 1, record_position="2")
    assert records(lake) == {"costs": 1, "duplicates": 1}
    write(lake, "costs", 60, record_position="2")
    write(lake, "duplicates", 61)
    assert records(lake) == {"costs": 1, "duplicates": 1}
    assert lake.execute("SELECT record_position FROM costs").fetchall() == [("2",)]


def test_rows_from_before_outcomes_had_a_time_stay(lake: duckdb.DuckDBPyConnection) -> None:
    write(lake, "duplicates", None)
    write(lake, "costs", 0, record_position="2")
    assert records(lake) == {"costs": 1, "duplicates": 1}
    write(lake, "costs", 0, reading_id="s")  # of the same record: which came later is not known, so both stay as before
    assert records(lake) == {"costs": 2, "duplicates": 1}


def test_the_measured_channels_of_a_reading_do_not_end_its_wait(lake: duckdb.DuckDBPyConnection) -> None:
    """Unless its meter is a sensor: then it was published again, and nothing is missing."""
    unplaced: dict[str, object] = {"shard": None, "record_position": None}
    write(lake, "unpriced", 0)
    write(lake, "measurements", 60, role="main", **unplaced)
    assert records(lake) == {"measurements": 1, "unpriced": 1}
    write(lake, "measurements", 60, record_position="2")
    assert records(lake) == {"measurements": 2}


def test_a_reading_of_a_sensor_counts_once_for_all_its_channels(lake: duckdb.DuckDBPyConnection) -> None:
    for copy in (0, 1):
        write(lake, "measurements", copy, is_counted=True)
        write(lake, "measurements", copy, channel="temperature")
    counted = f"SELECT COUNT(*) FROM measurements WHERE {OUTPUTS['measurements'].counted_where}"
    assert lake.execute(counted).fetchall() == [(1,)]
    write(lake, "costs", 60)
    assert records(lake) == {"costs": 1}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_condition_on_the_partition_reaches_all_that_is_read(lake: duckdb.DuckDBPyConnection, outcome: str) -> None:
    """Or a question about one day would read the others' whole history."""
    for name in OUTCOMES:
        write(lake, name, 0)
        write(lake, name, 0, event_date="2026-03-29")
    asked = f"EXPLAIN (FORMAT JSON) SELECT COUNT(*) FROM {outcome} WHERE event_date = '{DAY}'"
    plan = lake.execute(asked).fetchall()[0][1]
    scans = re.findall(r"memory\.main\.(\w+)_rows", plan)
    assert set(scans) == set(OUTCOMES)
    assert len(re.findall(rf"event_date ?= ?'{DAY}'", plan)) == len(scans), plan
