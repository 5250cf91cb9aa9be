"""The part of the lake that a command reads: tables, and the dates of their partitions."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from flink_job.errors import MeteringError
from flink_job.schemas import EVENT_DATE

_PARTITION = re.compile(rf"(?:^|/){EVENT_DATE.name}=(\d{{4}}-\d{{2}}-\d{{2}})/")


def partition_of(path: str) -> str | None:
    """Return the event date of the partition that a path is in; None outside partitions."""
    found = _PARTITION.search(path)
    return None if found is None else found[1]


@dataclass(frozen=True)
class Selection:
    """Tables to read (None: all), and the first and last event date of them, both included (None: no limit).

    Files outside partitions, which a bounded run writes, are always read; their rows are filtered by date.
    """

    tables: frozenset[str] | None = None
    first: date | None = None
    last: date | None = None

    def has_table(self, name: str) -> bool:
        """Return True if the table is selected."""
        return self.tables is None or name in self.tables

    def has_file(self, path: str) -> bool:
        """Return True if a file may contain selected rows; `path` is relative to the folder of its table."""
        found = _PARTITION.search(path)
        return found is None or self._includes(found[1])

    def start_after(self) -> str:
        """Return the key to list a table's folder from: it sorts right before the first selected partition."""
        return f"{EVENT_DATE.name}={self.first.isoformat()}" if self.first else ""

    def ends_before(self, path: str) -> bool:
        """Return True if the selection contains neither this path nor any partition that sorts after it."""
        found = _PARTITION.match(path)
        return found is not None and self.last is not None and found[1] > self.last.isoformat()

    def condition(self) -> str:
        """Return the SQL condition on `event_date`; ISO dates compare correctly as text."""
        limits = [f"{EVENT_DATE.name} >= '{self.first.isoformat()}'"] if self.first else []
        limits += [f"{EVENT_DATE.name} <= '{self.last.isoformat()}'"] if self.last else []
        return " AND ".join(limits) or "TRUE"

    def _includes(self, day: str) -> bool:
        return not (self.first and day < self.first.isoformat()) and not (self.last and day > self.last.isoformat())


EVERYTHING = Selection()


class QueryError(MeteringError, ValueError):
    """A statement other than SELECT, whose tables cannot be determined; the message is DuckDB's."""


def tables_of(sql: str, views: Mapping[str, str]) -> frozenset[str]:
    """Return the tables and views that a query reads, directly or through `views` (SQL by name).

    Raises QueryError if the statement is not a SELECT.
    """
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
    """Return the tables and views that a SELECT mentions itself. Raises QueryError for any other statement."""
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
    """Yield every object of a JSON document."""
    if isinstance(value, dict):
        yield value
    children: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _nodes(child)
