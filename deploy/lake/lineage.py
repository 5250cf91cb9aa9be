"""Which tables and views a query reads, found in its SQL: grants are derived from it, so they follow the views."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb

from deploy.lake.catalog import TABLES, views
from flink_job.lake.database import ROWS

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
    found: set[str] = set()
    waiting = [name for sql in statements for name in tables_in(sql)]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name in _views():
            waiting += tables_in(_views()[name])
        elif name.removesuffix(ROWS) not in TABLES:
            raise LineageError(f"no table or view {name!r} in the catalog (deploy/lake/catalog.py)")
    rows = frozenset(name.removesuffix(ROWS) for name in found if name not in _views())
    return Reads(frozenset(found), rows)


def tables_in(sql: str) -> frozenset[str]:
    """Names of the tables and views that a statement itself mentions. Raises LineageError where it cannot be parsed."""
    # Fetched to its end: the connection is that of the whole process.
    [(text,)] = duckdb.execute("SELECT json_serialize_sql(?)", [_PLACEHOLDER.sub("TRUE", sql)]).fetchall()
    document = json.loads(text)
    if document["error"]:
        raise LineageError(f"{document['error_message']}: {sql[:100]}")
    nodes = list(_nodes(document))
    mentioned = {node["table_name"] for node in nodes if node.get("type") == "BASE_TABLE"}
    named_here = {entry["key"] for node in nodes if "cte_map" in node for entry in node["cte_map"]["map"]}
    return frozenset(mentioned - named_here)


@cache
def _views() -> dict[str, str]:
    return dict(views())


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _nodes(child)
