"""Aggregates of the rows under a key, after each row and, where wanted, before it.

An OVER window returns the aggregate after a row; the value before it needs LAG, a second operator with state for all
rows, and so does a sum over one more column. One operator returns all of them:
`flink_job/java/main/metering/flink/KeyedAggregate.java`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from flink_job.dataflow.operators.types import key_of, widened
from flink_job.dataflow.table_stream import JavaObject, add_view, all_columns, as_stream
from flink_job.dataflow.uids import Uid

_DAY_MS = 86_400_000
#: What KeyedAggregate.java takes in place of a column: the partial sum, and none.
_PARTIAL_SUM, _NONE = -1, -2


class Aggregate(NamedTuple):
    """An aggregate, a BIGINT: `kind` of the BIGINT column `of` over the rows in which that is not NULL. With `when` it
    counts only rows in which an INT column has a given value. It starts at `start`. `before`, if given, names a further
    column with the value before the row.
    """

    name: str
    kind: Literal["MAX", "SUM", "COUNT"]
    of: str = ""
    start: int = 0
    before: str = ""
    when: tuple[str, int] | None = None

    def __str__(self) -> str:
        of = self.of + (f" where {self.when[0]} = {self.when[1]}" if self.when else "")
        return f"{self.kind}({of}) from {self.start} as {self.name}" + (f", {self.before}" if self.before else "")


class PartialSum(NamedTuple):
    """A BIGINT that aggregates may be of: the column `total` of a row or, if that is NULL, the sum of the column `part`
    over all such rows with the same `by`, at least 0. All are BIGINT, the last two never NULL.
    """

    name: str
    total: str
    part: str
    by: str

    def __str__(self) -> str:
        return f"{self.total} or SUM({self.part}) by {self.by} as {self.name}"


class KeyedAggregate(NamedTuple):
    """Aggregates of the rows with the same values in the columns `key`."""

    key: Sequence[str]
    aggregates: Sequence[Aggregate]
    partial_sum: PartialSum | None = None

    def names(self) -> list[str]:
        """The columns that are added, in order."""
        before = [aggregate.before for aggregate in self.aggregates if aggregate.before]
        names = [*(aggregate.name for aggregate in self.aggregates), *before]
        return [*names, self.partial_sum.name] if self.partial_sum else names

    def __str__(self) -> str:
        listed = [*([str(self.partial_sum)] if self.partial_sum else []), *map(str, self.aggregates)]
        return f"KeyedAggregate(by=[{', '.join(self.key)}], aggregates=[{'; '.join(listed)}], packed)"


def aggregate_by_key(
    t_env: StreamTableEnvironment, rows: str, view: str, aggregate: KeyedAggregate, ttl_days: int, uid: Uid
) -> None:
    """Add as `view` the rows of view `rows` with their aggregates, in the order in which they arrive.

    The columns of `rows` come first. The state of a key expires `ttl_days` after its last row.
    """
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    names = aggregate.names()
    bigint = get_gateway().jvm.org.apache.flink.table.api.DataTypes.BIGINT().notNull()
    operator = _operator(list(schema.getColumnNames()), aggregate, ttl_days)
    stream = (
        as_stream(t_env, table, uid.rows)
        .keyBy(*key_of(schema, aggregate.key))
        .transform(f"KeyedAggregate({view})", widened(schema, names, [bigint] * len(names)), operator)
        .setDescription(str(aggregate))
        .uid(uid)
    )
    add_view(t_env, view, stream, all_columns())


def _operator(columns: Sequence[str], aggregate: KeyedAggregate, ttl_days: int) -> JavaObject:
    jvm = get_gateway().jvm
    function = jvm.metering.flink.KeyedAggregate(ttl_days * _DAY_MS)
    if partial := aggregate.partial_sum:
        function.withParts(*(columns.index(name) for name in (partial.total, partial.part, partial.by)))
    for value in aggregate.aggregates:
        of_partial = aggregate.partial_sum is not None and value.of == aggregate.partial_sum.name
        column = _PARTIAL_SUM if of_partial else columns.index(value.of) if value.of else _NONE
        filtered, wanted = (columns.index(value.when[0]), value.when[1]) if value.when else (_NONE, 0)
        function.accumulate(value.kind, column, value.start, bool(value.before), filtered, wanted)
    return jvm.org.apache.flink.streaming.api.operators.KeyedProcessOperator(function)
