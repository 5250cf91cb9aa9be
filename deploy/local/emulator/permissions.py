"""Corrects ministack's permission checks.

Operations on a query are authorized on its workgroup. Requests count as TLS requests, because policies deny others. A
query reads the catalog and the lake with the permissions of its caller.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from athena_views import view_of


def install(app: Any, iam_actions: Any, athena: Any, glue: Any) -> None:
    """Patch ministack with the three corrections."""
    pin, extract, handle = app.pin_request_origin, iam_actions.extract_resource_arn, athena.handle_request
    app.pin_request_origin = lambda source, secure: pin(source, True)

    def extract_with_workgroup(service: str, method: str, path: str, headers: dict, body: bytes, *rest: Any) -> str:
        if service == "athena":
            given = json.loads(body or b"{}")
            execution = athena._executions.get(given.get("QueryExecutionId"))
            if execution:
                body = json.dumps({**given, "WorkGroup": execution["WorkGroup"]}).encode()
        return extract(service, method, path, headers, body, *rest)

    async def handle_with_reads(method: str, path: str, headers: dict, body: bytes, query_params: dict) -> Any:
        if headers.get("x-amz-target", "").endswith(".StartQueryExecution"):
            key = app.extract_access_key_id(headers, query_params)
            if denied := _denied(key, json.loads(body), athena, glue):
                # AWS starts the query, which then fails with this reason.
                return athena.error_response_json("AccessDeniedException", denied, 400)
        return await handle(method, path, headers, body, query_params)

    iam_actions.extract_resource_arn, athena.handle_request = extract_with_workgroup, handle_with_reads


def _denied(access_key: str, request: dict, athena: Any, glue: Any) -> str:
    """Message of the first permission that the caller of a query lacks; empty if there is none."""
    from ministack.core.iam_evaluator import enforce
    from ministack.core.responses import get_account_id, get_region

    database = request.get("QueryExecutionContext", {}).get("Database") or "default"
    begin = f"arn:aws:glue:{get_region()}:{get_account_id()}"
    needed = [("glue:GetDatabase", f"{begin}:database/{name}") for name in ("default", database)]
    for name, table in _relations(request["QueryString"], database, athena, glue):
        needed.append(("glue:GetTable", f"{begin}:table/{name}"))
        if location := table.get("StorageDescriptor", {}).get("Location"):
            needed.append(("s3:GetObject", f"arn:aws:s3:::{location.removeprefix('s3://')}part.parquet"))
    for action, arn in needed:
        if enforce(access_key, action, action.split(":")[0], get_region(), arn) is not None:
            return f"Insufficient permissions to execute the query: {action} on resource: {arn}"
    return ""


def _relations(query: str, database: str, athena: Any, glue: Any) -> Iterator[tuple[str, dict]]:
    """Yield (database/name, table) of the tables and views that a query reads, recursively."""
    for reference in athena._table_references(query):
        schema = reference.database or database
        table = glue._tables.get(f"{schema}/{reference.table}")
        if table is None:
            continue
        yield f"{schema}/{reference.table}", table
        if view := view_of(table):
            yield from _relations(view["originalSql"], view["schema"], athena, glue)
