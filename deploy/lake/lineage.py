"""Which tables and views a query reads, found in its SQL: grants are derived from it, so they follow the views."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from deploy.lake.catalog import TABLES, views
from flink_job.lake.database import ROWS
from flink_job.lake.selection import QueryError, tables_of

#: Where a question of the API puts a condition (deploy/api/runtime/questions.py).
_PLACEHOLDER = re.compile(r"\{\w+\}")


class LineageError(ValueError):
    """A query whose tables cannot be determined; the message names what is unknown."""


@dataclass(frozen=True)
class Reads:
    """What queries read: `relations` are Glue's names of views and tables, `tables` the tables among them."""

    relations: frozenset[str]
    tables: frozenset[str]

    @property
    def prefixes(self) -> list[str]:
        """Where in the lake's bucket the rows lie."""
        return [f"{name}/" for name in sorted(self.tables)]


def reads_of(*statements: str) -> Reads:
    """Everything that statements read, directly and through views. Raises LineageError."""
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
    return dict(views())
