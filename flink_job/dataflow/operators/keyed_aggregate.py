"""Running values of the rows under a key: the highest, the sum, the count so far; what a highest was before the row.

An OVER window gives the value after a row. The value before it needs a LAG, which is a further operator with a further
state for all rows; so does a sum by one more column, even where most rows need none. Here one operator computes all of
them: `flink_job/java/main/metering/flink/KeyedAggregate.java`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from flink_job.dataflow.operators.codegen import key_of, widened
from flink_job.dataflow.table_stream import JavaObject, as_it_is, as_stream, register
from flink_job.dataflow.uids import Uid

_DAY_MS = 86_400_000


class Value(NamedTuple):
    """A running value, a BIGINT: `kind` is Highest, Total or Count, of the BIGINT column `of` where that is not NULL,
    of rows in which the INT column `when` has a certain value. It begins with `start`; in `before` is the value before
    the row.
    """

    name: str
    kind: str
    of: str = ""
    start: int = 0
    before: str = ""
    when: tuple[str, int] | None = None

    def __str__(self) -> str:
        of = self.of + (f" where {self.when[0]} = {self.when[1]}" if self.when else "")
        return f"{self.kind}({of}) from {self.start} as {self.name}" + (f", {self.before}" if self.before else "")


class Parts(NamedTuple):
    """A BIGINT that values may be of: `whole` of a row, or where that is NULL the sum of `part` of all such rows that
    are alike in `by` too, at least 0. All are BIGINT, the last two never NULL.
    """

    name: str
    whole: str
    part: str
    by: str

    def __str__(self) -> str:
        return f"{self.whole} or Total({self.part}) by {self.by} as {self.name}"


class Running(NamedTuple):
    """Values of the rows that are alike in the columns `key`."""

    key: Sequence[str]
    values: Sequence[Value]
    parts: Parts | None = None

    def names(self) -> list[str]:
        """The columns that are added, in order."""
        before = [value.before for value in self.values if value.before]
        return [*(value.name for value in self.values), *before, *([self.parts.name] if self.parts else [])]

    def __str__(self) -> str:
        told = [*([str(self.parts)] if self.parts else []), *map(str, self.values)]
        return f"Running(by=[{', '.join(self.key)}], values=[{'; '.join(told)}], packed)"


#: The accumulators of KeyedAggregate.java by the kinds of values, and what it takes in place of a column.
_KINDS = {"Highest": "MAX", "Total": "SUM", "Count": "COUNT"}
_PART, _NONE = -1, -2


def with_running(
    t_env: StreamTableEnvironment, rows: str, view: str, running: Running, kept_days: int, uid: Uid
) -> None:
    """Register as `view` the rows of view `rows` with running values, in the order in which they arrive.

    The columns of `rows` come first. A key from which nothing has come for `kept_days` is forgotten.
    """
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    names = running.names()
    whole = get_gateway().jvm.org.apache.flink.table.api.DataTypes.BIGINT().notNull()
    operator = _operator(list(schema.getColumnNames()), running, kept_days)
    stream = (
        as_stream(t_env, table, uid.rows)
        .keyBy(*key_of(schema, running.key))
        .transform(f"Running({view})", widened(schema, names, [whole] * len(names)), operator)
        .setDescription(str(running))
        .uid(uid)
    )
    register(t_env, view, stream, as_it_is())


def _operator(columns: Sequence[str], running: Running, kept_days: int) -> JavaObject:
    jvm = get_gateway().jvm
    aggregate = jvm.metering.flink.KeyedAggregate(kept_days * _DAY_MS)
    if parts := running.parts:
        aggregate.withParts(*(columns.index(name) for name in (parts.whole, parts.part, parts.by)))
    for value in running.values:
        of_part = running.parts is not None and value.of == running.parts.name
        column = _PART if of_part else columns.index(value.of) if value.of else _NONE
        filtered, wanted = (columns.index(value.when[0]), value.when[1]) if value.when else (_NONE, 0)
        aggregate.accumulate(_KINDS[value.kind], column, value.start, bool(value.before), filtered, wanted)
    return jvm.org.apache.flink.streaming.api.operators.KeyedProcessOperator(aggregate)
