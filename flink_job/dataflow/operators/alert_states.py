"""Operators of the alert rules: presence of the entities that report, and the alert state machines."""

from __future__ import annotations

from collections.abc import Mapping

from pyflink.common import Types
from pyflink.common.typeinfo import TypeInformation
from pyflink.datastream import DataStream, KeyedProcessFunction
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from flink_job.dataflow.operators.types import key_of, rows_of
from flink_job.dataflow.table_stream import JavaObject, add_view, as_stream, idle, with_same_watermarks
from flink_job.dataflow.uids import Uid, assign_uids


def detect_presence(
    t_env: StreamTableEnvironment, inputs: tuple[str, str], view: str, silence_s: int, uid: Uid
) -> None:
    """Add as `view` the entities that stop reporting, report again, move, or are gone.

    The views `inputs` are arrivals (`entity_key`, `site_path`, `tags`, `arrival`) and members (`entity_key`,
    `site_path`, `tags`, `meter_id`, `meter_action`). The columns of `view` are `entity`, `site_path`, `tags`, `kind`,
    `at_ms`, `before_ms` and `row_time`, with the watermarks of the arrivals. An entity stops reporting if nothing
    arrives for `silence_s` seconds. The operator is `Presence` in `flink_job/java`.
    """
    arrivals, members = (t_env.from_path(name) for name in inputs)
    keys = [key_of(table._j_table.getResolvedSchema(), ["entity_key"]) for table in (arrivals, members)]
    stream = (
        as_stream(t_env, arrivals, uid.rows)
        .keyBy(*keys[0])
        .connect(idle(as_stream(t_env, members, uid.versions), uid.versions).keyBy(*keys[1]))
        .process(get_gateway().jvm.metering.flink.Presence(silence_s * 1000), _presence_type())
        .name(f"Presence({view})")
        .setDescription(f"Presence(silence=[{silence_s} s])")
        .uid(uid)
    )
    add_view(t_env, view, stream, with_same_watermarks("row_time"))


def _presence_type() -> JavaObject:
    """The (Java) type of the rows of `Presence`."""
    types = get_gateway().jvm.org.apache.flink.table.api.DataTypes
    texts = dict.fromkeys(("entity", "site_path", "tags", "kind"), types.STRING().notNull())
    return rows_of({**texts, "at_ms": types.BIGINT().notNull(), "before_ms": types.BIGINT().notNull()})


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
