"""Lateness of rows, decided once and remembered across restarts."""

from __future__ import annotations

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from flink_job.dataflow.operators.types import widened
from flink_job.dataflow.table_stream import add_view, as_stream, with_same_watermarks
from flink_job.dataflow.uids import Uid


def tag_late(t_env: StreamTableEnvironment, rows: str, view: str, start_ms: str, window_ms: int, uid: Uid) -> None:
    """Add as `view` the rows of view `rows`, whose event time and watermarks go on as `row_time`.

    Column `is_late` (BOOLEAN) is added: true if the tumbling window of `window_ms` in which BIGINT column `start_ms` is
    has been emitted, also before a restart (`flink_job/java/main/metering/flink/LatenessTagger.java`).
    """
    jvm = get_gateway().jvm
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    tagger = jvm.metering.flink.LatenessTagger(list(schema.getColumnNames()).index(start_ms), window_ms)
    boolean = jvm.org.apache.flink.table.api.DataTypes.BOOLEAN().notNull()
    tagged = as_stream(t_env, table, uid.rows).transform(
        f"TagLate({view})", widened(schema, ["is_late"], [boolean]), tagger
    )
    add_view(t_env, view, tagged.uid(uid), with_same_watermarks("row_time"))
