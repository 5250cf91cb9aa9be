"""What the APIs share: who calls and what they may do, the body of a request, answers to what exceeds a limit.

Behind API Gateway with a JWT authorizer claims are verified. A caller is identified by `sub`, which never changes; the
email address is for display.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, ForbiddenError
from botocore.exceptions import ClientError, ParamValidationError

from deploy.kit.documents import DocumentError, is_text, read_document
from deploy.kit.tenants import DEFAULT_TENANT, is_tenant

ALL_SITES = "*"
#: Roles are groups of the user pool; each includes those before it. Viewers read, operators also act on alerts,
#: editors also change rules and routes.
VIEWER, OPERATOR, EDITOR = ROLES = ("viewers", "operators", "editors")
MAX_BODY, MAX_NAME = 65_536, 200
#: How long a client that a service throttled should wait.
RETRY_S = 5
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_THROTTLED = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|LimitExceeded|SlowDown|ProvisionedThroughputExceeded"
    r"|TransactionInProgress|TransactionConflict"
)
_REFUSED = ("ValidationException", "InvalidRequestException", "SerializationException", "InvalidParameterException")


class LimitError(RuntimeError):
    """More than the caller may ask for now; they may ask again after `retry_s` seconds."""

    def __init__(self, message: str, retry_s: int) -> None:
        super().__init__(message)
        self.retry_s = retry_s


@dataclass(frozen=True)
class Caller:
    """Somebody with a verified token. `sites` are factories of their `tenant`; `*` is all of them. `subject` is the
    identity, which never changes; `name` is for display. `roles` are the groups of the user pool.
    """

    name: str
    sites: frozenset[str]
    subject: str = ""
    tenant: str = DEFAULT_TENANT
    roles: frozenset[str] = frozenset()

    def may_see(self, site: str) -> bool:
        return bool(site) and (ALL_SITES in self.sites or site in self.sites)

    def has(self, role: str) -> bool:
        """True where the caller is in the group of a role, or of one that includes it."""
        return any(higher in self.roles for higher in ROLES[ROLES.index(role) :])


def caller_of(claims: dict[str, Any]) -> Caller:
    """The caller of verified claims. `custom:sites` names the sites, separated by commas, `custom:tenant` the tenant,
    `cognito:groups` the roles. No claim, no site and no role. Raises ForbiddenError for a tenant that cannot be one.
    """
    name = str(claims.get("email") or claims.get("username") or claims.get("sub") or "unknown")
    sites = str(claims.get("custom:sites") or "")
    may_see = frozenset(site.strip() for site in sites.split(",") if site.strip())
    tenant = str(claims.get("custom:tenant") or DEFAULT_TENANT)
    if not is_tenant(tenant):
        raise ForbiddenError("custom:tenant of the token names no tenant")
    return Caller(name, may_see, str(claims.get("sub") or name), tenant, _groups(claims.get("cognito:groups")))


def caller_in(app: APIGatewayHttpResolver, role: str = VIEWER) -> Caller:
    """Who makes the request that an API is answering. Raises ForbiddenError for a caller without the role."""
    authorizer = app.current_event.raw_event.get("requestContext", {}).get("authorizer") or {}
    caller = caller_of((authorizer.get("jwt") or {}).get("claims") or {})
    if not caller.has(role):
        raise ForbiddenError(f"this needs the role {role}: an administrator adds you to the group of that name")
    return caller


def body_in(app: APIGatewayHttpResolver) -> dict[str, Any]:
    """The JSON object that a request carries, empty where it carries nothing. Raises BadRequestError."""
    try:
        body = read_document(app.current_event.decoded_body or "{}", MAX_BODY)
    except ValueError as error:  # DocumentError, or base64 that is none
        message = str(error) if isinstance(error, DocumentError) else "the body is no UTF-8 text"
        raise BadRequestError(message) from None
    if not isinstance(body, dict):
        raise BadRequestError("the body is a JSON object")
    return body


def query_in(app: APIGatewayHttpResolver, name: str, max_length: int = MAX_NAME) -> str:
    """A parameter of the query string, empty where it is absent. Raises BadRequestError."""
    value = (app.current_event.query_string_parameters or {}).get(name) or ""
    if len(value) > max_length or not is_text(value):
        raise BadRequestError(f"{name} has at most {max_length} characters")
    return value


def key_in(app: APIGatewayHttpResolver) -> str | None:
    """The request's Idempotency-Key. Raises BadRequestError for one that is none."""
    headers = {name.lower(): value for name, value in (app.current_event.headers or {}).items()}
    key = headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise BadRequestError("Idempotency-Key has 1 to 64 letters, digits, - or _")
    return key


def answer_refusals(app: APIGatewayHttpResolver) -> None:
    """Let an API answer 429 where a limit is reached or a service throttles, and 400 where a service refuses what the
    caller sent. Anything else stays an error of the function.
    """

    def limited(error: LimitError) -> Response[str]:
        return too_many(str(error), error.retry_s)

    def refused(error: ClientError) -> Response[str]:
        code = str(error.response.get("Error", {}).get("Code", ""))
        reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons") or ()}
        if any(map(_THROTTLED.search, (code, *reasons))):
            return too_many("too many requests at once", RETRY_S)
        if code in _REFUSED or "ValidationError" in reasons:
            raise BadRequestError("the request has a value that cannot be used")
        raise error

    def invalid(error: ParamValidationError) -> Response[str]:
        raise BadRequestError("the request has a value that cannot be used")

    app.exception_handler(LimitError)(limited)
    app.exception_handler(ClientError)(refused)
    app.exception_handler(ParamValidationError)(invalid)


def too_many(message: str, retry_s: int) -> Response[str]:
    """429, with the time after which to try again."""
    body = json.dumps({"statusCode": 429, "message": message})
    return Response(429, "application/json", body, headers={"Retry-After": str(max(1, retry_s))})


def _groups(claim: Any) -> frozenset[str]:
    """API Gateway passes a list on as `[a b]`; names of groups have no blanks."""
    found = claim if isinstance(claim, list) else str(claim or "").removeprefix("[").removesuffix("]").split()
    return frozenset(map(str, found))
