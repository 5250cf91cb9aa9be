"""Tables and views that a query reads, derived from its SQL. Grants are based on it, so they follow the views."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from flink_job.lake.database import ROWS, TABLES, each_key_once, read_view
from flink_job.lake.selection import QueryError, tables_of
from flink_job.lake.views import VIEWS

#: The place of a condition in a parameterised query (flink_job/lake/queries).
_PLACEHOLDER = re.compile(r"\{\w+\}")


class LineageError(ValueError):
    """A query whose tables cannot be determined; the message names the unknown relation or the syntax error."""


@dataclass(frozen=True)
class Reads:
    """The relations that queries read: `relations` are Glue names of views and tables, `tables` only the tables."""

    relations: frozenset[str]
    tables: frozenset[str]

    @property
    def prefixes(self) -> list[str]:
        """Prefixes of the rows' objects in the bucket of the lake."""
        return [f"{name}/" for name in sorted(self.tables)]


def reads_of(*statements: str) -> Reads:
    """All relations that statements read, directly and through views. Raises LineageError."""
    found: frozenset[str] = frozenset()
    for sql in statements:
        try:
            found |= tables_of(_PLACEHOLDER.sub("TRUE", sql), _views())
        except QueryError as error:
            raise LineageError(str(error)) from None
    tables = {name.removesuffix(ROWS) for name in found if name not in _views()}
    if unknown := tables - TABLES.keys():
        raise LineageError(f"no table or view {min(unknown)!r} in the catalog (deploy/lake/catalog.py)")
    return Reads(found, frozenset(tables))


@cache
def _views() -> dict[str, str]:
    """SQL of every view by name: each table with one row per key, and the merged views."""
    return {name: each_key_once(table) for name, table in TABLES.items()} | {name: read_view(name) for name in VIEWS}
