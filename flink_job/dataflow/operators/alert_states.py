"""Operators of the alert rules: detection of entities without data, and the alert state machines."""

from __future__ import annotations

from collections.abc import Mapping

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, KeyedProcessFunction
from pyflink.table import StreamTableEnvironment
from pyflink.table.expressions import col, lit
from pyflink.table.window import Session

from flink_job.dataflow.uids import Uid, assign_uids


def no_data_sessions(t_env: StreamTableEnvironment, arrivals: str, view: str, silence_s: int) -> None:
    """Add as `view` the entities of view `arrivals` that stopped reporting: no arrival for `silence_s` seconds.

    These are session windows in arrival time. `last_ms` is the entity's last arrival.
    """
    window = Session.with_gap(lit(silence_s).seconds).on(col("arrival")).alias("quiet")
    found = (
        t_env.from_path(arrivals)
        .window(window)
        .group_by(col("quiet"), col("entity"))
        .select(
            col("entity"),
            col("site_path").max.alias("site_path"),
            col("tags").max.alias("tags"),
            col("arrival_ms").max.alias("last_ms"),
        )
    )
    t_env.create_temporary_view(view, found)


def alert_state_machines(
    t_env: StreamTableEnvironment,
    view: str,
    functions: Mapping[Uid, tuple[str, KeyedProcessFunction]],
    row: TypeInformation,
) -> None:
    """Add as `view` the rows that the keyed functions emit, each for a source view whose first column is the key."""
    streams = [_processed(t_env, uid, source, function, row) for uid, (source, function) in functions.items()]
    t_env.create_temporary_view(view, t_env.from_data_stream(streams[0].union(*streams[1:])))


def _processed(
    t_env: StreamTableEnvironment, uid: Uid, source: str, function: KeyedProcessFunction, row: TypeInformation
) -> DataStream:
    rows = t_env.to_data_stream(t_env.from_path(source)).key_by(_first, key_type=Types.STRING())
    assign_uids(uid.rows, rows._j_data_stream.getTransformation())
    return rows.process(function, output_type=row).uid(uid).name(f"AlertStates({source})")


def _first(row: object) -> str:
    return str(row[0])  # type: ignore[index]
