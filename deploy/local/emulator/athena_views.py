"""Adds to ministack's Athena: views stored in Glue, and execution parameters."""

from __future__ import annotations

import base64
import json
from typing import Any

BEGIN, END = "/* Presto View: ", " */"


def install(athena: Any, glue: Any) -> None:
    """Patch ministack to expand parameters and views before it runs a query."""
    start, rewrite = athena._start_query_execution, athena._rewrite_data_paths

    def start_with_parameters(data: dict) -> Any:
        parameters = data.get("ExecutionParameters")
        if not parameters:
            return start(data)
        try:
            return start({**data, "QueryString": with_parameters(data["QueryString"], parameters)})
        except ValueError as error:
            return athena.error_response_json("InvalidRequestException", str(error), 400)

    async def rewrite_with_views(query: str, database: str, catalog: str | None = None) -> Any:
        return await rewrite(with_views(query, database, athena, glue), database, catalog)

    athena._start_query_execution, athena._rewrite_data_paths = start_with_parameters, rewrite_with_views


def with_parameters(query: str, parameters: list[str]) -> str:
    """Replace each `?` outside quotes by a parameter, which Athena interprets as a SQL literal."""
    parts, quoted, waiting = [], False, list(parameters)
    for character in query:
        if character == "'":
            quoted = not quoted
        if character == "?" and not quoted:
            if not waiting:
                raise ValueError("Incorrect number of parameters")
            parts.append(waiting.pop(0))
        else:
            parts.append(character)
    if waiting:
        raise ValueError("Incorrect number of parameters")
    return "".join(parts)


def with_views(query: str, database: str, athena: Any, glue: Any) -> str:
    """Replace each view in a query by its SQL, recursively."""
    for reference in reversed(athena._table_references(query)):
        schema = reference.database or database or "default"
        table = glue._tables.get(f"{schema}/{reference.table}") or {}
        view = view_of(table)
        if view is None:
            continue
        inner = with_views(view["originalSql"], view["schema"], athena, glue)
        alias = "" if reference.aliased else f' AS "{reference.table}"'
        query = f"{query[: reference.start]}({inner}){alias}{query[reference.end :]}"
    return query


def view_of(table: dict) -> dict | None:
    """Definition of a Glue table that is a view; None for other tables."""
    text = table.get("ViewOriginalText") or ""
    if not text.startswith(BEGIN):
        return None
    return dict(json.loads(base64.b64decode(text.removeprefix(BEGIN).removesuffix(END))))
