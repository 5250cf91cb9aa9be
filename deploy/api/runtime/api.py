"""Query API: list, start, read by page and stop queries over the lake; last values of a meter.

Runs behind API Gateway (HTTP API) with a JWT authorizer, so the claims are verified. A query belongs to the caller who
started it and covers the sites of that caller; other callers get 404. With `Idempotency-Key` a request can be repeated
safely. Requests that exceed a quota, or that Athena throttles, get 429.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from functools import cache
from typing import Any
from uuid import uuid4

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, ForbiddenError, NotFoundError, ServiceError
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from deploy.kit.access import (
    ALL_SITES,
    MAX_NAME,
    VIEWER,
    Caller,
    answer_refusals,
    body_in,
    caller_in,
    key_in,
    query_in,
)
from deploy.kit.athena import RUNNING, AthenaClient
from deploy.kit.documents import is_text
from deploy.kit.errors import reported

from .last_values_reader import LastValuesReader
from .parameters import QUERIES, ParameterError, bind, described
from .query_table import QueryTable, StartedQuery
from .quota import START_S, Limits, Quota

logger = Logger(service="queries-api")
app = APIGatewayHttpResolver()
answer_refusals(app)
MAX_NEXT = 1024
_RETRIES = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=10)


@app.get("/questions")
def list_questions() -> dict[str, Any]:
    """List the queries that can be started, with their parameters."""
    caller_in(app, VIEWER)
    return {"questions": {name: described(query) for name, query in QUERIES.items()}}


@app.post("/queries")
def start() -> Response[str]:
    """Start a query, `{"question": ..., "parameters": {...}}`; answer at once with its id."""
    caller, body = caller_in(app, VIEWER), body_in(app)
    chosen, given = QUERIES.get(str(body.get("question"))), body.get("parameters") or {}
    if chosen is None:
        raise BadRequestError(f"question must be one of {', '.join(QUERIES)}")
    if not isinstance(given, dict):
        raise BadRequestError("parameters must be a JSON object")
    sites = _sites(caller, given.get("site"))
    try:
        sql, literals = bind(chosen, given, sites, caller.tenant)
    except ParameterError as error:
        raise BadRequestError(str(error)) from None
    fingerprint = hashlib.sha256(json.dumps([caller.tenant, sql, literals]).encode()).hexdigest()
    covered = (ALL_SITES,) if sites is None else tuple(sorted(sites))
    query = StartedQuery(_query_id(caller), caller.subject, covered, chosen.id, fingerprint, tenant=caller.tenant)
    now_s = int(time.time())
    if not query_table().record(query, now_s):
        query = _recorded_before(query)
    if not query.execution:
        _execute(query, sql, literals, now_s)
    return _json(202, {"query_id": query.query_id, "status": "queued"})


def _execute(query: StartedQuery, sql: str, literals: list[str], now_s: int) -> None:
    """Start a recorded query in Athena, within the owner's quota."""
    quota().take(query.owner, query.query_id, now_s, lambda running: _scanned(running, now_s))
    try:
        execution = athena().start(sql, literals, query.query_id)
    except Exception:
        quota().release(query.owner, query.query_id)
        raise
    query_table().started(query.query_id, execution)


@app.get("/queries/<query_id>")
def show(query_id: str) -> dict[str, Any]:
    """The status of a query and, once it has succeeded, a page of its rows: `?next=...`."""
    query = _own(query_id)
    found = {"query_id": query_id, "question": query.question, **athena().status(query.execution)}
    if found["status"] != "succeeded":
        return found
    following = query_in(app, "next", MAX_NEXT) or None
    try:
        columns, rows, after = athena().page(query.execution, following)
    except (ClientError, ParamValidationError) as error:
        if following and _is_invalid(error):
            raise BadRequestError("next must be the cursor of an earlier page of this query") from None
        raise
    return {**found, "columns": columns, "rows": rows, "next": after}


@app.post("/queries/<query_id>/stop")
def stop(query_id: str) -> dict[str, Any]:
    """Stop a query that is still running."""
    query = _own(query_id)
    if athena().status(query.execution)["status"].upper() in RUNNING:
        athena().stop(query.execution)
    return {"query_id": query_id, **athena().status(query.execution)}


@app.get("/meters/<meter_id>/last-values")
def last_values_of(meter_id: str) -> dict[str, Any]:
    """The last values of a meter, latest first."""
    caller, is_id = caller_in(app, VIEWER), _is_id(meter_id)
    site = last_values().site(meter_id, caller.tenant) if is_id else None
    if site is None or not caller.may_see(site):
        raise NotFoundError(f"no meter {meter_id[:MAX_NAME]}")
    return {"meter_id": meter_id, "site": site, "values": last_values().newest(meter_id, caller.tenant)}


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Lambda entry point."""
    return app.resolve(event, lambda_context)


@cache
def query_table() -> QueryTable:
    return QueryTable(boto3.client("dynamodb", config=_RETRIES), os.environ["QUERIES_TABLE"])


@cache
def quota() -> Quota:
    limits = Limits(*(int(os.environ[name]) for name in ("QUERIES_PER_DAY", "BYTES_PER_DAY", "QUERIES_AT_ONCE")))
    return Quota(boto3.client("dynamodb", config=_RETRIES), os.environ["QUERIES_TABLE"], limits)


@cache
def athena() -> AthenaClient:
    return AthenaClient(boto3.client("athena", config=_RETRIES), os.environ["WORKGROUP"], os.environ["DATABASE"])


@cache
def last_values() -> LastValuesReader:
    return LastValuesReader(boto3.client("dynamodb", config=_RETRIES), os.environ["LAST_VALUES"])


def _sites(caller: Caller, site: Any) -> frozenset[str] | None:
    """The sites that a query covers; None means every site of the tenant."""
    if site:
        if not isinstance(site, str) or not caller.may_see(site):
            raise ForbiddenError("no access to this site")
        return frozenset({site})
    return None if ALL_SITES in caller.sites else caller.sites


def _query_id(caller: Caller) -> str:
    """A hash of the caller and the Idempotency-Key, or a new id if the request has none."""
    key = key_in(app)
    if key is None:
        return uuid4().hex
    return hashlib.sha256(json.dumps([caller.subject, key]).encode()).hexdigest()[:32]


def _recorded_before(query: StartedQuery) -> StartedQuery:
    """The query recorded under the same Idempotency-Key. Raises ServiceError (409) if it is a different query."""
    before = query_table().get(query.query_id)
    if before is None or before.owner != query.owner or before.fingerprint != query.fingerprint:
        raise ServiceError(409, "Idempotency-Key was already used for a different query: send a new key")
    return before


def _scanned(query_id: str, now_s: int) -> int | None:
    """Bytes that a query has scanned; None while it is running."""
    query = query_table().get(query_id)
    if query is None or not query.execution:
        return 0 if query is None or now_s - query.recorded_s > START_S else None
    found = athena().status(query.execution)
    return None if found["status"].upper() in RUNNING else int(found["scanned_bytes"] or 0)


def _is_id(text: str) -> bool:
    return len(text) <= MAX_NAME and is_text(text)


def _is_invalid(error: ClientError | ParamValidationError) -> bool:
    return isinstance(error, ParamValidationError) or error.response["Error"]["Code"] in (
        "InvalidRequestException",
        "ValidationException",
    )


def _own(query_id: str) -> StartedQuery:
    """The caller's query of an id. Raises NotFoundError."""
    caller = caller_in(app, VIEWER)
    query = query_table().get(query_id) if _is_id(query_id) else None
    is_own = query is not None and (query.owner, query.tenant) == (caller.subject, caller.tenant)
    if query is None or not is_own or not query.execution:
        raise NotFoundError(f"no query {query_id[:MAX_NAME]}")
    # A caller who has lost access to a site since then no longer sees the results that cover it.
    if ALL_SITES not in caller.sites and not set(query.sites) <= caller.sites:
        raise NotFoundError(f"no query {query_id[:MAX_NAME]}")
    return query


def _json(status: int, document: dict[str, Any]) -> Response[str]:
    return Response(status_code=status, content_type="application/json", body=json.dumps(document))
