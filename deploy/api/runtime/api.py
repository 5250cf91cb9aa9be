"""The API of queries: what can be asked, ask it, look at it page by page, stop it; the last values of a meter.

Behind API Gateway (HTTP API) with a JWT authorizer: claims come verified. A query belongs to whoever asked it and
covers their sites; for anybody else it does not exist. `Idempotency-Key` makes asking safe to repeat.
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
from botocore.exceptions import ClientError

from deploy.access import ALL_SITES, Caller, body_in, caller_in, key_in

from .asked import Asked, Query
from .athena import RUNNING, Athena
from .lastvalues import LastValues
from .questions import QUESTIONS, ParameterError, prepared

logger = Logger(service="queries-api")
app = APIGatewayHttpResolver()
_RETRIES = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=10)


@app.get("/questions")
def list_questions() -> dict[str, Any]:
    """What can be asked, with its parameters."""
    caller_in(app)
    return {"questions": {name: question.described() for name, question in QUESTIONS.items()}}


@app.post("/queries")
def ask() -> Response[str]:
    """Ask: `{"question": ..., "parameters": {...}}`. Answers at once with the query's id."""
    caller, body = caller_in(app), body_in(app)
    question, given = QUESTIONS.get(str(body.get("question"))), body.get("parameters") or {}
    if question is None:
        raise BadRequestError(f"question is one of {', '.join(QUESTIONS)}")
    if not isinstance(given, dict):
        raise BadRequestError("parameters is a JSON object")
    sites = _sites(caller, given.get("site"))
    try:
        sql, literals = prepared(question, given, sites)
    except ParameterError as error:
        raise BadRequestError(str(error)) from None
    fingerprint = hashlib.sha256(json.dumps([sql, literals]).encode()).hexdigest()
    covered = (ALL_SITES,) if sites is None else tuple(sorted(sites))
    query = Query(_query_id(caller), caller.subject, covered, str(body["question"]), fingerprint)
    if not asked().note(query, int(time.time())):
        query = _asked_before(query)
    if not query.execution:
        asked().started(query.query_id, athena().start(sql, literals, query.query_id))
    return _json(202, {"query_id": query.query_id, "status": "queued"})


@app.get("/queries/<query_id>")
def look(query_id: str) -> dict[str, Any]:
    """How a query is doing and, once it has succeeded, a page of its rows: `?next=...`."""
    query = _own(query_id)
    found = {"query_id": query_id, "question": query.question, **athena().status(query.execution)}
    if found["status"] != "succeeded":
        return found
    following = (app.current_event.query_string_parameters or {}).get("next")
    try:
        columns, rows, after = athena().page(query.execution, following)
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvalidRequestException":
            raise BadRequestError("next is what an earlier page of this query gave") from None
        raise
    return {**found, "columns": columns, "rows": rows, "next": after}


@app.post("/queries/<query_id>/stop")
def stop(query_id: str) -> dict[str, Any]:
    """Stop a query that still runs."""
    query = _own(query_id)
    if athena().status(query.execution)["status"].upper() in RUNNING:
        athena().stop(query.execution)
    return {"query_id": query_id, **athena().status(query.execution)}


@app.get("/meters/<meter_id>/last-values")
def last_values_of(meter_id: str) -> dict[str, Any]:
    """What a meter said last, newest first."""
    site = last_values().site(meter_id)
    if site is None or not caller_in(app).may_see(site):
        raise NotFoundError(f"no meter {meter_id}")
    return {"meter_id": meter_id, "site": site, "values": last_values().newest(meter_id)}


def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Entry of the function."""
    return app.resolve(event, lambda_context)


@cache
def asked() -> Asked:
    return Asked(boto3.client("dynamodb", config=_RETRIES), os.environ["ASKED"])


@cache
def athena() -> Athena:
    return Athena(boto3.client("athena", config=_RETRIES), os.environ["WORKGROUP"], os.environ["DATABASE"])


@cache
def last_values() -> LastValues:
    return LastValues(boto3.client("dynamodb", config=_RETRIES), os.environ["LAST_VALUES"])


def _sites(caller: Caller, site: Any) -> frozenset[str] | None:
    """The sites that a query covers; None is every site."""
    if site:
        if not isinstance(site, str) or not caller.may_see(site):
            raise ForbiddenError(f"no access to site {site}")
        return frozenset({site})
    return None if ALL_SITES in caller.sites else caller.sites


def _query_id(caller: Caller) -> str:
    """Of the caller and their Idempotency-Key; without one, new."""
    key = key_in(app)
    if key is None:
        return uuid4().hex
    return hashlib.sha256(json.dumps([caller.subject, key]).encode()).hexdigest()[:32]


def _asked_before(query: Query) -> Query:
    """The query that has the key already; the key of another question is refused."""
    before = asked().get(query.query_id)
    if before is None or before.owner != query.owner or before.fingerprint != query.fingerprint:
        raise ServiceError(409, "Idempotency-Key was used for another question")
    return before


def _own(query_id: str) -> Query:
    caller, query = caller_in(app), asked().get(query_id)
    if query is None or query.owner != caller.subject or not query.execution:
        raise NotFoundError(f"no query {query_id}")
    # Somebody who may see less than when they asked does not see what they asked.
    if ALL_SITES not in caller.sites and not set(query.sites) <= caller.sites:
        raise NotFoundError(f"no query {query_id}")
    return query


def _json(status: int, document: dict[str, Any]) -> Response[str]:
    return Response(status_code=status, content_type="application/json", body=json.dumps(document))
