"""CREATE TABLE statements from the schemas."""

from __future__ import annotations

from collections.abc import Mapping

from flink_job.columns import Table


def create_table(name: str, body: str, options: Mapping[str, str]) -> str:
    """Return CREATE TABLE with column definitions `body` and connector options."""
    rendered = ",\n  ".join(f"'{_quoted(key)}' = '{_quoted(value)}'" for key, value in options.items())
    return f"CREATE TEMPORARY TABLE `{name}` (\n  {body}\n) WITH (\n  {rendered}\n)"


def sink_body(table: Table, names: Mapping[str, str] | None = None) -> str:
    """Return the column definitions of an output; `names` maps columns to other names."""
    named = names or {}
    return ",\n  ".join(f"`{named.get(column.name, column.name)}` {column.flink}" for column in table.columns)


def _quoted(text: str) -> str:
    return text.replace("'", "''")
