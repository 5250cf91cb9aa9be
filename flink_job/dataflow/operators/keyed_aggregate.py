"""Running aggregates of the rows of a key, after each row and optionally before it.

An OVER window yields the aggregate after each row; the value before it needs a LAG, another operator with its own
state. `KeyedAggregate` in `flink_job/java` yields both from one state.
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
#: Position that KeyedAggregate.java accepts instead of a column.
_NONE = -2


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


class KeyedAggregate(NamedTuple):
    """Aggregates of the rows with the same values in the columns `key`."""

    key: Sequence[str]
    aggregates: Sequence[Aggregate]

    def names(self) -> list[str]:
        """The added columns, in order."""
        before = [aggregate.before for aggregate in self.aggregates if aggregate.before]
        return [*(aggregate.name for aggregate in self.aggregates), *before]

    def __str__(self) -> str:
        listed = "; ".join(map(str, self.aggregates))
        return f"KeyedAggregate(by=[{', '.join(self.key)}], aggregates=[{listed}], packed)"


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
    for value in aggregate.aggregates:
        column = columns.index(value.of) if value.of else _NONE
        filtered, wanted = (columns.index(value.when[0]), value.when[1]) if value.when else (_NONE, 0)
        function.accumulate(value.kind, column, value.start, bool(value.before), filtered, wanted)
    return function
