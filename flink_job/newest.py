"""Each row with the newest row of another stream under the same key.

Flink has the operator, a join that keeps one row a key and only reads it for each row that passes. SQL gives it to
inner joins alone, and those lose rows that find nothing. So it is put into the dataflow here, with what the planner
would generate for it: how to take the key of a row, and that rows of one key always match.
"""

from __future__ import annotations

from pyflink.java_gateway import get_gateway
from pyflink.table import Schema, StreamTableEnvironment

from flink_job.boundary import JavaObject, as_stream, register, row_type
from flink_job.generated import generated, key_of, widened

_MATCH = """
public class RowsMatch extends org.apache.flink.api.common.functions.AbstractRichFunction
    implements org.apache.flink.table.runtime.generated.JoinCondition {
  public RowsMatch(Object[] references) {}
  public boolean apply(org.apache.flink.table.data.RowData left, org.apache.flink.table.data.RowData right) {
    return true;
  }
}
"""


def with_newest(t_env: StreamTableEnvironment, rows: str, versions: str, joined: str, schema: Schema.Builder) -> None:
    """Register as view `joined` the rows of view `rows`, each with the newest row so far of view `versions` that begins
    with the same string; NULL where there is none. The newest is kept for ever.

    The columns are those of both, so no name may be in both; `schema` adds further ones and a watermark.
    """
    left, right = t_env.from_path(rows), t_env.from_path(versions)
    left_schema, right_schema = (table._j_table.getResolvedSchema() for table in (left, right))
    names, types = list(right_schema.getColumnNames()), [kind.nullable() for kind in right_schema.getColumnDataTypes()]
    stream = (
        _never_idle(as_stream(t_env, left))
        .keyBy(*_first_of(left_schema))
        .connect(as_stream(t_env, right).keyBy(*_first_of(right_schema)))
        .transform(f"Newest({joined})", widened(left_schema, names, types), _operator(right_schema))
        .setDescription(f"Newest(row=[{', '.join(names)}])")
        .uid(f"{joined}-newest")
    )
    register(t_env, joined, stream, schema)


def _never_idle(stream: JavaObject) -> JavaObject:
    """The stream without watermarks and idleness, but the end.

    The join takes the watermark of its right side for the end of time: once the left were idle, it would tell that to
    all that follows, and every later reading would be late.
    """
    strategy = get_gateway().jvm.org.apache.flink.api.common.eventtime.WatermarkStrategy
    return stream.assignTimestampsAndWatermarks(strategy.noWatermarks())


def _first_of(schema: JavaObject) -> tuple[JavaObject, JavaObject]:
    """What takes the first column of a row, and its type."""
    return key_of(schema, [schema.getColumnNames()[0]])


def _operator(right_schema: JavaObject) -> JavaObject:
    runtime = get_gateway().jvm.org.apache.flink.table.runtime
    return runtime.operators.join.temporal.TemporalProcessTimeJoinOperator(
        runtime.typeutils.InternalTypeInfo.of(row_type(right_schema).getLogicalType()),
        generated("JoinCondition", "RowsMatch", _MATCH),
        0,
        0,
        True,
    )
