"""Running values of the rows under a key: the highest, the sum, the count so far; what a highest was before the row.

An OVER window tells how it is after a row. How it was before, only LAG tells, in an operator of its own: one more way
for all rows, and one more state. So is a sum by one more column, even where most rows need none. Here one operator does
all of it: Flink's own for OVER windows (in processing time, from the first row to the current one), with what computes
the values written here instead of by the planner (`running.java`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from flink_job.boundary import JavaObject, as_it_is, as_stream, register
from flink_job.generated import generated, key_of, logical_types, widened

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


_CODE = Template(Path(__file__).with_suffix(".java").read_text(encoding="utf-8"))
_UPDATES = {
    "Highest": "now[{at}] = Math.max(now[{at}], {of});",
    "Total": "now[{at}] += {of};",
    "Count": "now[{at}]++;",
}


def with_running(t_env: StreamTableEnvironment, rows: str, view: str, running: Running, kept_days: int) -> None:
    """Register as `view` the rows of view `rows` with running values, in the order in which they arrive.

    The columns of `rows` come first. A key from which nothing has come for `kept_days` is forgotten.
    """
    table = t_env.from_path(rows)
    schema = table._j_table.getResolvedSchema()
    names = running.names()
    whole = get_gateway().jvm.org.apache.flink.table.api.DataTypes.BIGINT().notNull()
    operator = _operator(list(schema.getColumnNames()), running, kept_days)
    stream = (
        as_stream(t_env, table)
        .keyBy(*key_of(schema, running.key))
        .transform(f"Running({view})", widened(schema, names, [whole] * len(names)), operator)
        .setDescription(str(running))
        .uid(f"{view}-running")
    )
    register(t_env, view, stream, as_it_is())


def _operator(columns: Sequence[str], running: Running, kept_days: int) -> JavaObject:
    jvm = get_gateway().jvm
    packed = jvm.org.apache.flink.table.types.logical.VarBinaryType(2**31 - 1)
    function = jvm.org.apache.flink.table.runtime.operators.over.ProcTimeUnboundedPrecedingFunction(
        jvm.org.apache.flink.table.runtime.util.StateConfigUtil.createTtlConfig(kept_days * _DAY_MS),
        generated("AggsHandleFunction", "RunningValues", code(columns, running, kept_days)),
        logical_types([packed]),
    )
    return jvm.org.apache.flink.streaming.api.operators.KeyedProcessOperator(function)


def code(columns: Sequence[str], running: Running, kept_days: int) -> str:
    """The (Java) class that computes the values of rows with these columns."""
    values = running.values
    before = [at for at, value in enumerate(values) if value.before]
    tell_before = [f"told.setLong({len(values) + to}, now[{at}]);" for to, at in enumerate(before)]
    return _CODE.substitute(
        told=len(running.names()),
        kept=len(values),
        has_parts=str(running.parts is not None).lower(),
        kept_ms=kept_days * _DAY_MS,
        starts=", ".join(f"{value.start}L" for value in values),
        before="\n    ".join([*tell_before, *_part(columns, running)]),
        updates="\n    ".join(_update(columns, at, value, running.parts) for at, value in enumerate(values)),
    )


def _part(columns: Sequence[str], running: Running) -> list[str]:
    if not running.parts:
        return []
    whole, part, by = (columns.index(name) for name in (running.parts.whole, running.parts.part, running.parts.by))
    return [
        f"long part = row.isNullAt({whole}) ? added(row.getLong({by}), row.getLong({part})) : row.getLong({whole});",
        f"told.setLong({len(running.names()) - 1}, part);",
    ]


def _update(columns: Sequence[str], at: int, value: Value, parts: Parts | None) -> str:
    conditions, of = [], ""
    if parts and value.of == parts.name:
        of = "part"
    elif value.of:
        of = f"row.getLong({columns.index(value.of)})"
        conditions.append(f"!row.isNullAt({columns.index(value.of)})")
    if value.when:
        conditions.append(f"row.getInt({columns.index(value.when[0])}) == {value.when[1]}")
    update = _UPDATES[value.kind].format(at=at, of=of)
    return f"if ({' && '.join(conditions)}) {update}" if conditions else update
