"""Two keyed left joins that SQL cannot express: with the latest row so far, and as of event time.

Flink's own processing-time temporal join is an inner join, compares no versions and cannot start from a snapshot. For
its event-time temporal join SQL requires the other stream to have one row per key, and keeps all of it once more to
ensure that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyflink.java_gateway import get_gateway
from pyflink.table import Schema, StreamTableEnvironment

from flink_job.dataflow.operators.types import generated, key_of, widened
from flink_job.dataflow.table_stream import JavaObject, add_view, all_columns, as_stream, row_type
from flink_job.dataflow.uids import Uid

_MATCH = """
public class RowsMatch extends org.apache.flink.api.common.functions.AbstractRichFunction
    implements org.apache.flink.table.runtime.generated.JoinCondition {
  public RowsMatch(Object[] references) {}
  public boolean apply(org.apache.flink.table.data.RowData left, org.apache.flink.table.data.RowData right) {
    return true;
  }
}
"""


class StoredRows(NamedTuple):
    """A file of rows (flink_job/io/contract_snapshot.py), at a path or at s3://bucket/key; `region` and `endpoint`
    are those of S3. The empty URI stands for no file.
    """

    uri: str
    region: str
    endpoint: str


def join_latest(
    t_env: StreamTableEnvironment,
    inputs: tuple[str, str],
    view: str,
    schema: Schema.Builder,
    snapshot: StoredRows,
    uid: Uid,
) -> None:
    """Add as `view` the rows of the first input, each with the latest row so far of the second input that begins with
    the same string, or NULLs. The latest rows never expire.

    The columns of the second input are a key, a value, a version (TIMESTAMP_LTZ(3)) and a position, a decimal number as
    text that orders rows of one version. An operator without state reads `snapshot` before it processes any row. The
    columns of `view` are those of both inputs, so no name may be in both; `schema` adds further ones and a watermark.
    """
    left, right = (_side(t_env, name, step) for name, step in zip(inputs, (uid.rows, uid.versions), strict=True))
    own = get_gateway().jvm.metering.flink
    operator = own.NewestJoin(right.row_type(), right.key()[0], own.Snapshot(*snapshot))
    stream = _joined(f"JoinLatest({view})", left.without_watermarks(uid), right, operator, kept=right.columns)
    add_view(t_env, view, stream.uid(uid), schema)


def join_as_of(
    t_env: StreamTableEnvironment, inputs: tuple[str, str], view: str, times: tuple[str, str], uid: Uid
) -> None:
    """Add as `view` the rows of the first input, each with the row of the second input that begins with the same string
    and is the latest at the time of the first, or NULLs. The latest rows never expire.

    `times` are the time columns of the inputs, TIMESTAMP_LTZ(3). A row waits until the watermarks of both inputs have
    passed it. The columns of `view` are those of both inputs, so no name may be in both.
    """
    left, right = (_side(t_env, name, step) for name, step in zip(inputs, (uid.rows, uid.versions), strict=True))
    at = left.columns.index(times[0]), right.columns.index(times[1])
    operator = _joins().TemporalRowTimeJoinOperator(left.row_type(), right.row_type(), _always(), *at, 0, 0, True)
    stream = _joined(f"JoinAsOf({view})", left, right, operator, kept=[*left.columns, *right.columns])
    add_view(t_env, view, stream.uid(uid), all_columns())


class _Side(NamedTuple):
    """A (Java) stream of rows and their schema; the first column is their key."""

    stream: JavaObject
    schema: JavaObject

    @property
    def columns(self) -> list[str]:
        return list(self.schema.getColumnNames())

    def row_type(self) -> JavaObject:
        runtime = get_gateway().jvm.org.apache.flink.table.runtime
        return runtime.typeutils.InternalTypeInfo.of(row_type(self.schema).getLogicalType())

    def key(self) -> tuple[JavaObject, JavaObject]:
        return key_of(self.schema, self.columns[:1])

    def keyed(self) -> JavaObject:
        return self.stream.keyBy(*self.key())

    def without_watermarks(self, uid: Uid) -> _Side:
        """The stream without watermarks and idleness, except at its end.

        Downstream would otherwise follow the watermark of the other input while this one is idle, and treat every later
        row as late.
        """
        strategy = get_gateway().jvm.org.apache.flink.api.common.eventtime.WatermarkStrategy
        stream = self.stream.assignTimestampsAndWatermarks(strategy.noWatermarks())
        return self._replace(stream=stream.uid(f"{uid.rows}/without-watermarks"))


def _side(t_env: StreamTableEnvironment, view: str, step: str) -> _Side:
    table = t_env.from_path(view)
    return _Side(as_stream(t_env, table, step), table._j_table.getResolvedSchema())


def _joined(name: str, left: _Side, right: _Side, operator: JavaObject, kept: Sequence[str]) -> JavaObject:
    """The (Java) stream of rows of both; what is `kept` of them is part of its description."""
    types = [kind.nullable() for kind in right.schema.getColumnDataTypes()]
    both = left.keyed().connect(right.keyed())
    stream = both.transform(name, widened(left.schema, right.columns, types), operator)
    return stream.setDescription(f"{name.split('(')[0]}(row=[{', '.join(kept)}])")


def _joins() -> JavaObject:
    return get_gateway().jvm.org.apache.flink.table.runtime.operators.join.temporal


def _always() -> JavaObject:
    return generated("JoinCondition", "RowsMatch", _MATCH)
