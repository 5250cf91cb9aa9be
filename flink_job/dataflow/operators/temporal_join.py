"""Two keyed left joins that SQL cannot express: with the latest row, and as of event time.

Flink's processing-time temporal join is an inner join, compares no versions and cannot start from a snapshot. Its
event-time temporal join requires a primary key of the second input, and the deduplication that provides it stores that
input a second time. The operators are `LatestJoin` and `AsOfJoin` in `flink_job/java`.
"""

from __future__ import annotations

from typing import NamedTuple

from pyflink.java_gateway import get_gateway
from pyflink.table import Schema, StreamTableEnvironment

from flink_job.dataflow.operators.types import internal_type, key_of, widened
from flink_job.dataflow.table_stream import JavaObject, add_view, all_columns, as_stream
from flink_job.dataflow.uids import Uid


class StoredRows(NamedTuple):
    """A file of rows (flink_job/io/contract_snapshot.py), at a path or at s3://bucket/key; an empty URI means no file.

    `region` and `endpoint` are those of S3. A file that `is_complete` has all rows of the second input.
    """

    uri: str
    region: str
    endpoint: str
    is_complete: bool = False


def snapshot_of(rows: StoredRows) -> JavaObject:
    """The (Java) snapshot of a file of rows."""
    return get_gateway().jvm.metering.flink.Snapshot(rows.uri, rows.region, rows.endpoint)


class Start(NamedTuple):
    """Wait of rows at a start: until the other input is quiet for `quiet_s`; they go on in the order of their `time`.

    `time` names a TIMESTAMP_LTZ(3) column.
    """

    quiet_s: int
    time: str


def join_latest(
    t_env: StreamTableEnvironment,
    inputs: tuple[str, str],
    view: str,
    schema: Schema.Builder,
    snapshot: StoredRows,
    start: Start,
    uid: Uid,
    updates: str = "",
) -> None:
    """Add as `view` the rows of the first input, each with the latest row of the second input, or NULLs.

    The first column of each input is its key, a STRING. The columns of the second input are a key, a value, a version
    (TIMESTAMP_LTZ(3)), a position, a decimal number as STRING that orders the rows of one version, and the arrival
    (TIMESTAMP_LTZ(3)). The latest rows never expire. An operator without state reads `snapshot` before it processes any
    row. At every start, rows wait until the second input has been read up to its head: until `start.quiet_s` without
    rows, or a row of the present. The columns of `view` are those of both inputs, so their names must differ; `schema`
    adds further columns and a watermark.

    `updates` names a second view, of the latest rows and those that replace them: `updated_key`, `latest` (the
    value), `previous` (the value before, or NULL) and `updated_version`.
    """
    left, right = _inputs(t_env, inputs, uid)
    own = get_gateway().jvm.metering.flink
    left_type, right_type = left.internal_type(), right.internal_type()
    time = left.columns.index(start.time)
    join = own.LatestJoin(left_type, time, right_type, right.key()[0], snapshot_of(snapshot), snapshot.is_complete)
    name = f"JoinLatest({view})"
    stream = (
        left.without_watermarks(uid)
        .connected(right.with_head_watermarks(uid, start.quiet_s))
        .transform(name, left.joined_type(right), join)
    )
    stream.setDescription(f"JoinLatest(latest=[{', '.join(right.columns)}])")
    add_view(t_env, view, stream.uid(uid), schema)
    if updates:
        add_view(t_env, updates, stream.getSideOutput(join.updates()), all_columns())


def join_as_of(
    t_env: StreamTableEnvironment, inputs: tuple[str, str], view: str, times: tuple[str, str], uid: Uid
) -> None:
    """Add as `view` the rows of the first input, each with the latest row of the second input at its time, or NULLs.

    The first column of each input is its key, a STRING; `times` are their time columns, TIMESTAMP_LTZ(3). A row waits
    until the watermarks of both inputs have reached its time. The latest rows never expire. The columns of `view` are
    those of both inputs, so their names must differ.
    """
    left, right = _inputs(t_env, inputs, uid)
    at = left.columns.index(times[0]), right.columns.index(times[1])
    join = get_gateway().jvm.metering.flink.AsOfJoin(
        left.internal_type(), right.internal_type(), *at, len(right.columns)
    )
    stream = left.connected(right).process(join, left.joined_type(right)).name(f"JoinAsOf({view})")
    stream.setDescription(f"JoinAsOf(waiting=[{', '.join(left.columns)}], versions=[{', '.join(right.columns)}])")
    add_view(t_env, view, stream.uid(uid), all_columns())


class _Input(NamedTuple):
    """An input of a join: a (Java) stream of rows, whose first column is the key, and their (Java) schema."""

    stream: JavaObject
    schema: JavaObject

    @property
    def columns(self) -> list[str]:
        return list(self.schema.getColumnNames())

    def internal_type(self) -> JavaObject:
        return internal_type(self.schema)

    def key(self) -> tuple[JavaObject, JavaObject]:
        return key_of(self.schema, self.columns[:1])

    def connected(self, other: _Input) -> JavaObject:
        """The (Java) connected streams of both inputs, partitioned by key."""
        return self.stream.keyBy(*self.key()).connect(other.stream.keyBy(*other.key()))

    def joined_type(self, other: _Input) -> JavaObject:
        """The (Java) type of the columns of this input and those of the other, which may be NULL."""
        return widened(self.schema, other.columns, [kind.nullable() for kind in other.schema.getColumnDataTypes()])

    def without_watermarks(self, uid: Uid) -> _Input:
        """The input without watermarks and idleness, except at its end.

        A join forwards the watermark of the other input while this one is idle, so every row that follows would be
        late downstream.
        """
        strategy = get_gateway().jvm.org.apache.flink.api.common.eventtime.WatermarkStrategy
        stream = self.stream.assignTimestampsAndWatermarks(strategy.noWatermarks())
        return self._replace(stream=stream.uid(f"{uid.rows}/without-watermarks"))

    def with_head_watermarks(self, uid: Uid, quiet_s: int) -> _Input:
        """The input with watermarks that show how far it has been read; its fifth column is the arrival."""
        strategy = get_gateway().jvm.metering.flink.HeadWatermarks(4, quiet_s * 1000)
        stream = self.stream.assignTimestampsAndWatermarks(strategy)
        return self._replace(stream=stream.uid(f"{uid.versions}/head-watermarks"))


def _inputs(t_env: StreamTableEnvironment, views: tuple[str, str], uid: Uid) -> tuple[_Input, _Input]:
    return _input(t_env, views[0], uid.rows), _input(t_env, views[1], uid.versions)


def _input(t_env: StreamTableEnvironment, view: str, step: str) -> _Input:
    table = t_env.from_path(view)
    return _Input(as_stream(t_env, table, step), table._j_table.getResolvedSchema())
