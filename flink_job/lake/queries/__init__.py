"""Query library: SQL over the lake, one file per query, for Athena's saved queries, the query API and the CLI.

A file begins with its header, comment lines `-- field: value`: `title`, `description` and `units` (of the numeric
columns), and for a parameterised query one line `parameter <name>: <SQL condition>` each and `max_days`, the longest
span from `from` to `to`. A line of a header that begins with two blanks continues the one before. The file's name is
the query's id. `{name}` in the SQL marks the place of a parameter's condition, `{sites}` that of the row filter by
tenant and site. All SQL runs on Athena and on DuckDB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_FIELD = re.compile(r"-- (title|description|units|max_days|parameter (\w+)): (.*)")
_CONTINUED = "--   "


class QueryNotFoundError(KeyError):
    """No saved query has this name; the message lists the names that exist."""

    def __str__(self) -> str:
        return str(self.args[0])


class QueryHeaderError(ValueError):
    """A query file with an incomplete or malformed header; the message names the file and the line or field."""


@dataclass(frozen=True)
class LakeQuery:
    """A query of the library.

    `conditions` maps each parameter, in the file's order, to its SQL condition, in which `?` is the value; that of
    `site` is an expression for the site of a row. `units` maps numeric columns to their units. `max_days` limits the
    span of dates; 0 for a query without parameters.
    """

    id: str
    title: str
    description: str
    sql: str
    units: Mapping[str, str]
    conditions: Mapping[str, str]
    max_days: int

    @property
    def is_parameterised(self) -> bool:
        return bool(self.conditions)


def saved_query(name: str) -> str:
    """The SQL of a query without parameters, ready to run. Raises QueryNotFoundError."""
    found = saved_queries()
    if name not in found:
        raise QueryNotFoundError(f"no saved query {name!r}: use one of {', '.join(found)}")
    return found[name].sql


def saved_queries() -> dict[str, LakeQuery]:
    """The queries without parameters, by id: they run as they are, and Athena lists them as saved queries."""
    return {name: query for name, query in library().items() if not query.is_parameterised}


def parameterised_queries() -> dict[str, LakeQuery]:
    """The queries with parameters, by id: the query API binds their parameters."""
    return {name: query for name, query in library().items() if query.is_parameterised}


@cache
def library() -> Mapping[str, LakeQuery]:
    """All queries by id, sorted. Raises QueryHeaderError."""
    paths = sorted((path for path in files(__package__).iterdir() if path.name.endswith(".sql")), key=lambda p: p.name)
    return {query.id: query for query in (parse(path.name, path.read_text(encoding="utf-8")) for path in paths)}


def parse(file_name: str, text: str) -> LakeQuery:
    """The query in the text of a file. Raises QueryHeaderError."""
    fields: dict[str, str] = {}
    conditions: dict[str, str] = {}
    for line in _header(text):
        found = _FIELD.fullmatch(line)
        if found is None:
            raise QueryHeaderError(f"{file_name}: {line!r} is not a header field")
        field, parameter, value = found.groups()
        if parameter:
            conditions[parameter] = value
        else:
            fields[field] = value
    required = {"title", "description", "units", *(["max_days"] if conditions else [])}
    if missing := required - fields.keys():
        raise QueryHeaderError(f"{file_name}: the header lacks {', '.join(sorted(missing))}")
    sql = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return LakeQuery(
        file_name.removesuffix(".sql"),
        fields["title"],
        fields["description"],
        sql,
        _units(file_name, fields["units"]),
        conditions,
        int(fields.get("max_days", 0)),
    )


def _header(text: str) -> Iterator[str]:
    """The lines of the header, continued lines joined."""
    line = ""
    for part in text.splitlines():
        if not part.startswith("--"):
            break
        if part.startswith(_CONTINUED):
            line += " " + part.removeprefix(_CONTINUED)
            continue
        if line:
            yield line
        line = part
    if line:
        yield line


def _units(file_name: str, text: str) -> dict[str, str]:
    found = {}
    for part in text.split(", "):
        column = re.fullmatch(r"(\w+) \[([^\]]+)\],?", part)
        if column is None:
            raise QueryHeaderError(f"{file_name}: {part!r} in units is not `column [unit]`")
        found[column[1]] = column[2]
    return found
