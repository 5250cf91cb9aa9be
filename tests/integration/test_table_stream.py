"""Conversion of tables to streams: what is translated when, the scope of a state TTL, and watermarks."""

from __future__ import annotations

from collections import Counter

import pytest
from pyflink.java_gateway import get_gateway
from pyflink.table import Schema, StatementSet, StreamTableEnvironment

from flink_job.dataflow.submission import stream_graph
from flink_job.dataflow.table_stream import (
    with_event_time,
    with_processing_time,
    with_same_watermarks,
)
from flink_job.dataflow.uids import Uid
from flink_job.dataflow.views import ViewError, Views
from tests.integration.table_environment import rows_of, table_environment

CLOCK = """CREATE TEMPORARY TABLE clock (tick INT, p AS PROCTIME()) WITH (
  'connector' = 'datagen', 'rows-per-second' = '1', 'number-of-rows' = '3',
  'fields.tick.kind' = 'sequence', 'fields.tick.start' = '1', 'fields.tick.end' = '3')"""
COUNT = "COUNT(*) OVER (PARTITION BY grp ORDER BY p ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
QUARTER_HOUR_MS = 900_000
TIMES = "SELECT ms FROM (VALUES (0), (1), (900000), (2000000)) AS times (ms)"


def views_of(t_env: StreamTableEnvironment, queries: dict[str, str]) -> Views:
    return Views(t_env, queries.__getitem__)


def operator_names(t_env: StreamTableEnvironment, statements: StatementSet) -> Counter[str]:
    """The number of operators by name, without the planner's numbers."""
    graph = stream_graph(t_env, statements)
    nodes = list(get_gateway().jvm.java.util.ArrayList(graph.getStreamNodes()))
    return Counter(node.getOperatorName().partition("[")[0] for node in nodes)


def written_to_sinks(t_env: StreamTableEnvironment, *views: str) -> StatementSet:
    statements = t_env.create_statement_set()
    for view in views:
        t_env.execute_sql(f"CREATE TEMPORARY TABLE sink_{view} (n BIGINT) WITH ('connector' = 'blackhole')")
        statements.add_insert_sql(f"INSERT INTO sink_{view} SELECT n FROM {view}")
    return statements


@pytest.mark.parametrize("materialized", [True, False])
def test_a_materialized_view_is_translated_once(materialized: bool) -> None:
    t_env = table_environment()
    t_env.execute_sql(CLOCK)
    views = views_of(
        t_env,
        {
            "counted": f"SELECT tick, {COUNT} AS n FROM (SELECT *, 1 AS grp FROM clock)",
            "low": "SELECT n FROM counted WHERE n < 2",
            "high": "SELECT n FROM counted WHERE n >= 2",
        },
    )
    if materialized:
        views.materialize("counted", Schema.new_builder(), Uid.DECODE)
    else:
        views.add("counted")
    views.materialize("low", Schema.new_builder(), Uid.RESOLVE)
    views.materialize("high", Schema.new_builder(), Uid.PRICE)
    names = operator_names(t_env, written_to_sinks(t_env, "low", "high"))
    assert names["OverAggregate"] == (1 if materialized else 2)


def test_a_state_ttl_applies_to_the_views_that_are_translated_after_it() -> None:
    t_env = table_environment()
    t_env.execute_sql(CLOCK)
    views = views_of(
        t_env,
        {
            "counted": f"SELECT tick, grp, {COUNT} AS n FROM (SELECT *, 1 AS grp FROM clock)",
            "after": f"SELECT tick, n, {COUNT} AS m FROM counted",
        },
    )
    t_env.get_config().set("table.exec.state.ttl", "0 ms")
    views.materialize("counted", with_processing_time("p"), Uid.DECODE)
    t_env.get_config().set("table.exec.state.ttl", "1 ms")
    views.materialize("after", Schema.new_builder(), Uid.RESOLVE)
    # A row a second: the second count starts again with each.
    assert rows_of(t_env, "SELECT tick, n, m FROM after") == [(1, 1, 1), (2, 2, 1), (3, 3, 1)]


def test_watermarks_are_generated_once_and_pass_the_next_conversion() -> None:
    t_env = table_environment()
    views = views_of(t_env, {"timed": TIMES, "passed": "SELECT ms, event_time FROM timed"})
    views.materialize("timed", with_event_time("event_time", ("ms", "ms"), delay_s=0), Uid.COSTS)
    views.materialize("passed", with_same_watermarks("row_time"), Uid.RESOLVE)
    windows = """SELECT COUNT(*) AS n FROM TABLE(TUMBLE(TABLE passed, DESCRIPTOR(row_time), INTERVAL '15' MINUTES))
        GROUP BY window_start, window_end"""
    t_env.create_temporary_view("windows", t_env.sql_query(windows))
    assert rows_of(t_env, "SELECT n FROM windows") == [(2,), (1,), (1,)]
    assert operator_names(t_env, written_to_sinks(t_env, "windows"))["WatermarkAssigner"] == 1


def test_a_view_that_flink_refuses_is_named() -> None:
    views = views_of(table_environment(), {"price/broken": "SELECT nothing FROM nowhere"})
    with pytest.raises(ViewError, match=r"flink_job/dataflow/sql/price/broken\.sql: (?s:.*)nowhere"):
        views.add("price/broken")
