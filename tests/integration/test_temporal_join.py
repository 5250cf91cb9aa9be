"""The joins with the latest row and as of event time, in both state backends."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pyflink.table import DataTypes, StreamTableEnvironment

from flink_job.dataflow.operators.temporal_join import Start, StoredRows, join_as_of, join_latest
from flink_job.dataflow.table_stream import add_view, all_columns, as_stream, with_arrival_time
from flink_job.dataflow.uids import Uid
from tests.integration.table_environment import BACKENDS, rows_of, table_environment

START = Start(quiet_s=1, time="arrival")
NO_SNAPSHOT = StoredRows("", "us-east-1", "")


@pytest.fixture(params=BACKENDS)
def t_env(request: pytest.FixtureRequest) -> StreamTableEnvironment:
    return table_environment(request.param)


def add_rows(t_env: StreamTableEnvironment, view: str, columns: str, *rows: tuple[Any, ...]) -> None:
    """Add rows as a view; columns that end in `_ms` are BIGINT, others are STRING."""
    names = columns.split()
    kinds = [DataTypes.BIGINT() if name.endswith("_ms") else DataTypes.STRING() for name in names]
    fields = [DataTypes.FIELD(name, kind) for name, kind in zip(names, kinds, strict=True)]
    t_env.create_temporary_view(view, t_env.from_elements(list(rows), DataTypes.ROW(fields)))


def add_timed(t_env: StreamTableEnvironment, view: str, query: str, time: str, step: Uid) -> None:
    """Add a query as a view with the watermark of its column `time`."""
    add_view(t_env, view, as_stream(t_env, t_env.sql_query(query), step), with_arrival_time(time))


def add_versions(t_env: StreamTableEnvironment, *rows: tuple[str, str, int, str]) -> None:
    add_rows(t_env, "version_rows", "version_key version_value version_ms version_position", *rows)
    t_env.create_temporary_view(
        "versions",
        t_env.sql_query(
            """SELECT version_key, version_value, TO_TIMESTAMP_LTZ(version_ms, 3) AS version_time, version_position,
            TO_TIMESTAMP_LTZ(version_ms, 3) AS version_arrival
            FROM version_rows"""
        ),
    )


def test_a_row_has_the_version_of_its_time_or_nulls(t_env: StreamTableEnvironment) -> None:
    # In the order of their times, as the watermark of each input is its time.
    rows = [("b", "5000", 5_000), ("c", "5000", 5_000)]
    rows += [("a", str(ms), ms) for ms in (9_000, 10_000, 19_000, 20_000, 21_000)]
    add_rows(t_env, "left_rows", "left_key left_value left_ms", *rows)
    versions = [("d", "unused", 1), ("b", "only", 5_000), ("a", "first", 10_000), ("a", "second", 20_000)]
    add_rows(t_env, "right_rows", "right_key right_value right_ms", *versions)
    left = """SELECT left_key, left_value, TO_TIMESTAMP_LTZ(left_ms, 3) AS left_time, CAST(left_ms AS INT) AS left_int,
        CAST(left_value AS BYTES) AS left_bytes, ROW(left_ms, left_value) AS left_nested FROM left_rows"""
    right = "SELECT right_key, right_value, TO_TIMESTAMP_LTZ(right_ms, 3) AS right_time FROM right_rows"
    add_timed(t_env, "lefts", left, "left_time", Uid.DECODE)
    add_timed(t_env, "rights", right, "right_time", Uid.CONTRACTS)
    join_as_of(t_env, ("lefts", "rights"), "joined", ("left_time", "right_time"), Uid.CONTRACT_AS_OF)

    assert t_env.from_path("joined").get_schema().get_field_names() == [
        *("left_key", "left_value", "left_time", "left_int", "left_bytes", "left_nested"),
        *("right_key", "right_value", "right_time"),
    ]
    query = """SELECT left_key, left_value, right_key, right_value, UNIX_TIMESTAMP(CAST(right_time AS STRING)),
        left_int, CAST(left_bytes AS STRING), left_nested.EXPR$0 FROM joined"""
    found = rows_of(t_env, query)
    assert all(row[1] == str(row[5]) == row[6] == str(row[7]) for row in found)
    # The rows of a key are in the order of arrival.
    by_key = {key: [(int(row[1]), *row[2:5]) for row in found if row[0] == key] for key in "abc"}
    assert by_key == {
        "a": [
            (9_000, None, None, None),
            (10_000, "a", "first", 10),
            (19_000, "a", "first", 10),
            (20_000, "a", "second", 20),
            (21_000, "a", "second", 20),
        ],
        "b": [(5_000, "b", "only", 5)],
        "c": [(5_000, None, None, None)],
    }


def test_a_row_has_the_latest_version_of_the_snapshot_or_nulls(t_env: StreamTableEnvironment, tmp_path: Path) -> None:
    stored = {"key": "a", "value": "stored", "version_ms": 9_000, "position": "7"}
    snapshot = tmp_path / "rows.ndjson.gz"
    snapshot.write_bytes(gzip.compress(json.dumps(stored).encode()))
    add_rows(t_env, "lefts", "left_key left_value", ("a", "1"), ("b", "2"), ("a", "3"))
    timed = "SELECT *, TO_TIMESTAMP_LTZ(CAST(left_value AS BIGINT), 3) AS arrival FROM lefts"
    t_env.create_temporary_view("timed_lefts", t_env.sql_query(timed))
    # Older than the stored row, by its version or its position.
    add_versions(t_env, ("a", "older", 8_000, "8"), ("a", "earlier", 9_000, "6"))
    join_latest(
        t_env,
        ("timed_lefts", "versions"),
        "joined",
        all_columns(),
        StoredRows(snapshot.as_uri(), "us-east-1", ""),
        START,
        Uid.LATEST_CONTRACT,
    )
    found = rows_of(t_env, "SELECT left_value, version_value, version_position FROM joined")
    assert found == [("1", "stored", "7"), ("2", None, None), ("3", "stored", "7")]


def test_the_latest_version_of_the_input_is_joined(t_env: StreamTableEnvironment) -> None:
    """The left row comes a second after the versions."""
    t_env.execute_sql(
        """CREATE TEMPORARY TABLE clock (tick INT) WITH (
        'connector' = 'datagen', 'rows-per-second' = '1', 'number-of-rows' = '4',
        'fields.tick.kind' = 'sequence', 'fields.tick.start' = '1', 'fields.tick.end' = '4')"""
    )
    lefts = "SELECT CAST('a' AS STRING) AS left_key, tick, TO_TIMESTAMP_LTZ(tick, 3) AS arrival FROM clock"
    t_env.create_temporary_view("lefts", t_env.sql_query(lefts))
    add_versions(t_env, ("a", "first", 1_000, "1"), ("a", "latest", 2_000, "10"), ("a", "late", 2_000, "9"))
    join_latest(t_env, ("lefts", "versions"), "joined", all_columns(), NO_SNAPSHOT, START, Uid.LATEST_CONTRACT)
    assert rows_of(t_env, "SELECT tick, version_value FROM joined")[-1] == (4, "latest")
