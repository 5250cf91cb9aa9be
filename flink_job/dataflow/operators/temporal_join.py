"""Each row with a row of another stream under the same key: the newest so far, or the one that held at the row's time.

The first is an operator of flink_job/java: Flink's own, a temporal join in processing time, is for inner joins alone,
and neither compares versions nor starts with a snapshot. The second is Flink's temporal join in event time. SQL would
require the other stream to have one row a key, and keep all of it once more to ensure that; so the operator is put into
the dataflow here, with what the planner would generate for it: the key of a row, and that rows of one key always match.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyflink.java_gateway import get_gateway
from pyflink.table import Schema, StreamTableEnvironment

from flink_job.dataflow.operators.codegen import generated, key_of, widened
from flink_job.dataflow.table_stream import JavaObject, as_it_is, as_stream, register, row_type
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


def with_newest(
    t_env: StreamTableEnvironment,
    rows: str,
    versions: str,
    joined: str,
    schema: Schema.Builder,
    snapshot: StoredRows,
    uid: Uid,
) -> None:
    """Register as view `joined` the rows of view `rows`, each with the newest row so far of view `versions` that begins
    with the same string; NULL where there is none. The newest is kept for ever.

    The columns of `versions` are a key, a value, a version (TIMESTAMP_LTZ(3)) and a position, a decimal number as text
    that orders rows of one version. Where the operator has no state it reads `snapshot` before it takes any row. The
    columns are those of both views, so no name may be in both; `schema` adds further ones and a watermark.
    """
    left, right = _of(t_env, rows, uid.rows), _of(t_env, versions, uid.versions)
    own = get_gateway().jvm.metering.flink
    operator = own.NewestJoin(right.row_type(), right.key()[0], own.Snapshot(*snapshot))
    stream = _joined(f"Newest({joined})", left.without_watermarks(uid), right, operator, kept=right.columns)
    register(t_env, joined, stream.uid(uid), schema)


def with_version(
    t_env: StreamTableEnvironment, rows: str, versions: str, joined: str, time: str, version_time: str, uid: Uid
) -> None:
    """Register as view `joined` the rows of view `rows`, each with the row of view `versions` that begins with the same
    string and is the newest that is not newer than it; NULL where there is none. The newest is kept for ever.

    `time` and `version_time` are their times, TIMESTAMP_LTZ(3). A row waits until the watermarks of both have passed
    it. The columns are those of both, so no name may be in both.
    """
    left, right = _of(t_env, rows, uid.rows), _of(t_env, versions, uid.versions)
    times = left.columns.index(time), right.columns.index(version_time)
    operator = _joins().TemporalRowTimeJoinOperator(left.row_type(), right.row_type(), _always(), *times, 0, 0, True)
    stream = _joined(f"Version({joined})", left, right, operator, kept=[*left.columns, *right.columns])
    register(t_env, joined, stream.uid(uid), as_it_is())


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
        """Without watermarks and idleness, but the end.

        What follows would take the watermark of the other side for the time of the rows once this side were idle, and
        every later row would be late.
        """
        strategy = get_gateway().jvm.org.apache.flink.api.common.eventtime.WatermarkStrategy
        stream = self.stream.assignTimestampsAndWatermarks(strategy.noWatermarks())
        return self._replace(stream=stream.uid(f"{uid.rows}/without-watermarks"))


def _of(t_env: StreamTableEnvironment, view: str, step: str) -> _Side:
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
