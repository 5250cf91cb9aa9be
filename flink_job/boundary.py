"""Crossing from Table to DataStream and back: where the planner must stop, or a new watermark begins.

Flink translates a table's operators when it becomes a stream. So all that reads the crossed table shares one copy of
what lies before it, and settings such as the state's time-to-live apply to one side only. Rows cross in Flink's own
binary form: nothing is converted.
"""

from __future__ import annotations

from pyflink.java_gateway import get_gateway
from pyflink.table import Schema, StreamTableEnvironment, Table


def cross(t_env: StreamTableEnvironment, view: str, crossed: str, schema: Schema.Builder) -> None:
    """Register the rows of `view` as view `crossed`, with the further columns and watermark of `schema`."""
    table = t_env.from_path(view)
    gateway = get_gateway()
    row_data = gateway.jvm.java.lang.Class.forName("org.apache.flink.table.data.RowData")
    row_type = table._j_table.getResolvedSchema().toPhysicalRowDataType().bridgedTo(row_data)
    stream = t_env._j_tenv.toDataStream(table._j_table, row_type)
    j_table = t_env._j_tenv.fromDataStream(stream, schema.build()._j_schema)
    t_env.create_temporary_view(crossed, Table(j_table, t_env))


def with_processing_time(column: str) -> Schema.Builder:
    """All columns, and a processing-time attribute."""
    return Schema.new_builder().column_by_expression(column, "PROCTIME()")


def with_arrival_time(column: str) -> Schema.Builder:
    """All columns, with a watermark on the time of arrival in `column`."""
    return Schema.new_builder().watermark(column, column)


def with_event_time(column: str, epoch_ms: str, delay_s: int) -> Schema.Builder:
    """All columns, and an event-time attribute of the instant in column `epoch_ms`, its watermark `delay_s` behind."""
    return (
        Schema.new_builder()
        .column_by_expression(column, f"TO_TIMESTAMP_LTZ({epoch_ms}, 3)")
        .watermark(column, f"TO_TIMESTAMP_LTZ({epoch_ms} - {delay_s * 1000}, 3)")
    )


def with_kept_event_time(column: str) -> Schema.Builder:
    """All columns, and the event time and watermarks that the crossed table had."""
    return (
        Schema.new_builder()
        .column_by_metadata(column, "TIMESTAMP_LTZ(3)", "rowtime", True)
        .watermark(column, "SOURCE_WATERMARK()")
    )
