"""Conversion of tables to streams and back: boundaries of planning, and places at which watermarks are generated.

Flink translates the operators of a table when it is converted to a stream. All readers of the converted table share
these operators, and settings such as the state TTL apply to the operators that are translated after they are set. Rows
remain in Flink's internal format (RowData), so the conversion costs nothing at run time.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from pyflink.java_gateway import get_gateway
from pyflink.table import Schema, StreamTableEnvironment, Table

from flink_job.dataflow.uids import assign_uids

#: A Py4J proxy of an object in the JVM, which Python's types do not describe.
JavaObject: TypeAlias = Any


def row_type(resolved_schema: JavaObject) -> JavaObject:
    """The (Java) data type of internal rows (RowData) with the columns of a (Java) schema."""
    row_data = get_gateway().jvm.java.lang.Class.forName("org.apache.flink.table.data.RowData")
    return resolved_schema.toPhysicalRowDataType().bridgedTo(row_data)


def as_stream(t_env: StreamTableEnvironment, table: Table, step: str) -> JavaObject:
    """The (Java) stream of the rows of a table; the operators that compute them get the uids of `step`."""
    stream = t_env._j_tenv.toDataStream(table._j_table, row_type(table._j_table.getResolvedSchema()))
    assign_uids(step, stream.getTransformation())
    return stream


def idle(stream: JavaObject, step: str) -> JavaObject:
    """The (Java) stream without watermarks, idle unless rows arrive."""
    jvm = get_gateway().jvm
    strategy = jvm.org.apache.flink.api.common.eventtime.WatermarkStrategy.noWatermarks()
    second = jvm.java.time.Duration.ofSeconds(1)
    return stream.assignTimestampsAndWatermarks(strategy.withIdleness(second)).uid(f"{step}/idle")


def add_view(t_env: StreamTableEnvironment, view: str, stream: JavaObject, schema: Schema.Builder) -> None:
    """Add a (Java) stream of rows as a view, with the further columns and watermark of `schema`."""
    t_env.create_temporary_view(view, Table(t_env._j_tenv.fromDataStream(stream, schema.build()._j_schema), t_env))


def all_columns() -> Schema.Builder:
    """All columns, without a watermark."""
    return Schema.new_builder()


def with_processing_time(column: str) -> Schema.Builder:
    """All columns and a processing-time attribute `column`."""
    return Schema.new_builder().column_by_expression(column, "PROCTIME()")


def with_arrival_time(column: str) -> Schema.Builder:
    """All columns, with a watermark equal to the arrival time in `column`."""
    return Schema.new_builder().watermark(column, column)


def with_event_time(column: str, epoch_ms: tuple[str, str], delay_s: int) -> Schema.Builder:
    """All columns and an event-time attribute `column`, with a watermark.

    `epoch_ms` are columns, in milliseconds since 1970 (UTC): the value of `column`, and the time that has been observed
    with the row. The watermark is `delay_s` behind the latest observed time.
    """
    value, observed = epoch_ms
    return (
        Schema.new_builder()
        .column_by_expression(column, f"TO_TIMESTAMP_LTZ({value}, 3)")
        .watermark(column, f"TO_TIMESTAMP_LTZ({observed} - {delay_s * 1000}, 3)")
    )


def with_same_watermarks(column: str) -> Schema.Builder:
    """All columns and, as `column`, the event-time attribute of the table with its watermarks."""
    return (
        Schema.new_builder()
        .column_by_metadata(column, "TIMESTAMP_LTZ(3)", "rowtime", True)
        .watermark(column, "SOURCE_WATERMARK()")
    )
