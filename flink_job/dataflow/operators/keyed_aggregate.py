"""Running aggregates of the rows of a key, after each row and optionally before it.

An OVER window yields the aggregate after each row; the value before it needs a LAG, and a partial sum needs another
OVER window, each an operator with its own state. `KeyedAggregate` in `flink_job/java` yields all from one state.
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
#: Positions that KeyedAggregate.java accepts instead of a column: the partial sum, and no column.
_PARTIAL_SUM, _NONE = -1, -2


class Aggregate(NamedTuple):
    """A BIGINT column `name`: the aggregate `kind` of the BIGINT column `of` over the rows in which that is not NULL.

    `start` is its value before the first row. `before` names a further column with its value before the row. With
    `when`, a pair of an INT column and a value, only rows with that value are aggregated. COUNT has no `of`.
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


class NextPart(NamedTuple):
    """A second part of a row for another group: BIGINT columns `part` (NULL for a row without one) and `by`.

    Aggregates of the partial sum are updated by both parts; for the second one the INT column `filter` replaces the
    column of their `when`. The partial sum of the row is then the larger of both.
    """

    part: str
    by: str
    filter: str


class PartialSum(NamedTuple):
    """A BIGINT column `name` that aggregates may use as `of`: the column `total` or, if that is NULL, a partial sum.

    The partial sum is the sum of the column `part` over the rows of the key that have the same `by` and no `total`, at
    least 0. All three are BIGINT; `part` and `by` are never NULL.
    """

    name: str
    total: str
    part: str
    by: str
    next: NextPart | None = None

    def __str__(self) -> str:
        return f"{self.total} or SUM({self.part}) by {self.by} as {self.name}"


class KeyedAggregate(NamedTuple):
    """Aggregates of the rows with the same values in the columns `key`."""

    key: Sequence[str]
    aggregates: Sequence[Aggregate]
    partial_sum: PartialSum | None = None

    def names(self) -> list[str]:
        """The added columns, in order."""
        before = [aggregate.before for aggregate in self.aggregates if aggregate.before]
        names = [*(aggregate.name for aggregate in self.aggregates), *before]
        return [*names, self.partial_sum.name] if self.partial_sum else names

    def __str__(self) -> str:
        listed = [*([str(self.partial_sum)] if self.partial_sum else []), *map(str, self.aggregates)]
        return f"KeyedAggregate(by=[{', '.join(self.key)}], aggregates=[{'; '.join(listed)}], packed)"


def aggregate_by_key(
    t_env: StreamTableEnvironment, rows: str, view: str, aggregate: KeyedAggregate, ttl_days: int, uid: Uid
) -> None:
    """Add as `view` the rows of view `rows` with their aggregates, in the order of arrival.

    The columns of `rows` come first. The state of a key expires `ttl_days` after its last row.
    """
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    names = aggregate.names()
    bigint = get_gateway().jvm.org.apache.flink.table.api.DataTypes.BIGINT().notNull()
    function = _function(list(schema.getColumnNames()), aggregate, ttl_days)
    stream = (
        as_stream(t_env, table, uid.rows)
        .keyBy(*key_of(schema, aggregate.key))
        .process(function, widened(schema, names, [bigint] * len(names)))
        .name(f"KeyedAggregate({view})")
        .setDescription(str(aggregate))
        .uid(uid)
    )
    add_view(t_env, view, stream, all_columns())


def _function(columns: Sequence[str], aggregate: KeyedAggregate, ttl_days: int) -> JavaObject:
    """The (Java) KeyedProcessFunction of rows with these columns."""
    function = get_gateway().jvm.metering.flink.KeyedAggregate(ttl_days * _DAY_MS)
    if partial := aggregate.partial_sum:
        function.withPartialSum(*(columns.index(name) for name in (partial.total, partial.part, partial.by)))
        if partial.next:
            function.withNextPart(*(columns.index(name) for name in partial.next))
    for value in aggregate.aggregates:
        of_partial = aggregate.partial_sum is not None and value.of == aggregate.partial_sum.name
        column = _PARTIAL_SUM if of_partial else columns.index(value.of) if value.of else _NONE
        filtered, wanted = (columns.index(value.when[0]), value.when[1]) if value.when else (_NONE, 0)
        function.accumulate(value.kind, column, value.start, bool(value.before), filtered, wanted)
    return function
