"""Which part of the lake a command reads: tables, and the dates of their partitions."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from flink_job.schemas import EVENT_DATE

_PARTITION = re.compile(rf"(?:^|/){EVENT_DATE.name}=(\d{{4}}-\d{{2}}-\d{{2}})/")


@dataclass(frozen=True)
class Selection:
    """Tables to read (None: all), and the first and last event date of them, both included (None: no limit).

    A file outside any partition, as a bounded run writes them, is always read; its rows are filtered by date.
    """

    tables: frozenset[str] | None = None
    first: date | None = None
    last: date | None = None

    def has_table(self, name: str) -> bool:
        return self.tables is None or name in self.tables

    def has_file(self, path: str) -> bool:
        """True where the path of a file, from its table's folder on, may hold selected rows."""
        found = _PARTITION.search(path)
        return found is None or self._includes(found[1])

    def start_after(self) -> str:
        """A key below a table's folder that sorts before all selected partitions and after those before them."""
        return f"{EVENT_DATE.name}={self.first.isoformat()}" if self.first else ""

    def ends_before(self, path: str) -> bool:
        """True where neither this path nor any that sorts after it within the partitions is selected."""
        found = _PARTITION.match(path)
        return found is not None and self.last is not None and found[1] > self.last.isoformat()

    def condition(self) -> str:
        """SQL over the column `event_date`; dates are ISO, so text compares as they do."""
        limits = [f"{EVENT_DATE.name} >= '{self.first.isoformat()}'"] if self.first else []
        limits += [f"{EVENT_DATE.name} <= '{self.last.isoformat()}'"] if self.last else []
        return " AND ".join(limits) or "TRUE"

    def _includes(self, day: str) -> bool:
        return not (self.first and day < self.first.isoformat()) and not (self.last and day > self.last.isoformat())


EVERYTHING = Selection()


class QueryError(ValueError):
    """A statement that is no SELECT, so that its tables cannot be found; the message is DuckDB's."""


def tables_of(sql: str, views: Mapping[str, str]) -> frozenset[str]:
    """Tables and views that a query reads, directly or through `views` (SQL by name). Raises QueryError."""
    found: set[str] = set()
    waiting = set(named_in(sql))
    while waiting:
        name = waiting.pop()
        found.add(name)
        if name in views:
            waiting |= named_in(views[name]) - found
    return frozenset(found)


@functools.lru_cache(maxsize=64)
def named_in(sql: str) -> frozenset[str]:
    """Names of the tables and views that a SELECT itself mentions. Raises QueryError for any other statement."""
    with duckdb.connect() as connection:
        [[text]] = connection.execute("SELECT json_serialize_sql(CAST(? AS VARCHAR))", [sql]).fetchall()
    tree = json.loads(text)
    if tree["error"]:
        raise QueryError(f"{tree['error_message']}: {sql[:100]}")
    nodes = list(_nodes(tree))
    mentioned = {node["table_name"].lower() for node in nodes if node.get("type") == "BASE_TABLE"}
    named_here = {entry["key"].lower() for node in nodes if "cte_map" in node for entry in node["cte_map"]["map"]}
    return frozenset(mentioned - named_here)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of a JSON document."""
    if isinstance(value, dict):
        yield value
    children: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _nodes(child)
