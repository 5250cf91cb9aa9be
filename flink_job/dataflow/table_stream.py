"""Crossing from Table to DataStream and back: where the planner must stop, or a new watermark begins.

Flink translates a table's operators when it becomes a stream. So all that reads the crossed table shares one copy of
what lies before it, and settings such as the state's time-to-live apply to one side only. Rows cross in Flink's own
binary form: nothing is converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, KeyedProcessFunction
from pyflink.java_gateway import get_gateway
from pyflink.table import Schema, StreamTableEnvironment, Table
from pyflink.table.expressions import col, lit
from pyflink.table.window import Session

from flink_job.dataflow.uids import Uid, assign_uids

#: What the JVM holds: Python's types end here.
JavaObject: TypeAlias = Any


def cross(t_env: StreamTableEnvironment, view: str, crossed: str, schema: Schema.Builder, step: Uid) -> None:
    """Register the rows of `view` as view `crossed`, with the further columns and watermark of `schema`.

    The operators that compute the rows are those of `step`.
    """
    register(t_env, crossed, as_stream(t_env, t_env.from_path(view), step), schema)


def row_type(resolved_schema: JavaObject) -> JavaObject:
    """The type of rows with the columns of a (Java) schema, in Flink's own binary form."""
    row_data = get_gateway().jvm.java.lang.Class.forName("org.apache.flink.table.data.RowData")
    return resolved_schema.toPhysicalRowDataType().bridgedTo(row_data)


def as_stream(t_env: StreamTableEnvironment, table: Table, step: str) -> JavaObject:
    """The (Java) stream of a table's rows; the operators that compute them are those of `step`."""
    stream = t_env._j_tenv.toDataStream(table._j_table, row_type(table._j_table.getResolvedSchema()))
    assign_uids(step, stream.getTransformation())
    return stream


def register(t_env: StreamTableEnvironment, view: str, stream: JavaObject, schema: Schema.Builder) -> None:
    """Register a (Java) stream of rows as a view, with the further columns and watermark of `schema`."""
    t_env.create_temporary_view(view, Table(t_env._j_tenv.fromDataStream(stream, schema.build()._j_schema), t_env))


def as_it_is() -> Schema.Builder:
    """All columns."""
    return Schema.new_builder()


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


def with_other_event_time(column: str, epoch_ms: str) -> Schema.Builder:
    """All columns, and as event time the instant in column `epoch_ms`, with the watermarks that the crossed table had:
    none of the instants may be one that they have passed.
    """
    return (
        Schema.new_builder()
        .column_by_expression(column, f"TO_TIMESTAMP_LTZ({epoch_ms}, 3)")
        .watermark(column, "SOURCE_WATERMARK()")
    )


def silences(t_env: StreamTableEnvironment, view: str, silent: str, silence_s: int) -> None:
    """Register as view `silent` the entities of `view` from which nothing has come for `silence_s`."""
    window = Session.with_gap(lit(silence_s).seconds).on(col("arrival")).alias("quiet")
    found = (
        t_env.from_path(view)
        .window(window)
        .group_by(col("quiet"), col("entity"))
        .select(
            col("entity"),
            col("site_path").max.alias("site_path"),
            col("tags").max.alias("tags"),
            col("arrival_ms").max.alias("last_ms"),
        )
    )
    t_env.create_temporary_view(silent, found)


def machines(
    t_env: StreamTableEnvironment,
    view: str,
    functions: Mapping[Uid, tuple[str, KeyedProcessFunction]],
    row: TypeInformation,
) -> None:
    """Register as `view` the rows that keyed functions return for the rows of views; the first column is the key."""
    streams = [_processed(t_env, uid, source, function, row) for uid, (source, function) in functions.items()]
    t_env.create_temporary_view(view, t_env.from_data_stream(streams[0].union(*streams[1:])))


def _processed(
    t_env: StreamTableEnvironment, uid: Uid, source: str, function: KeyedProcessFunction, row: TypeInformation
) -> DataStream:
    rows = t_env.to_data_stream(t_env.from_path(source)).key_by(_first, key_type=Types.STRING())
    assign_uids(uid.rows, rows._j_data_stream.getTransformation())
    return rows.process(function, output_type=row).uid(uid).name(f"{source} machines")


def _first(row: object) -> str:
    return str(row[0])  # type: ignore[index]
