"""Shared by the APIs: caller and roles from verified claims, request parsing, responses 400 and 429.

API Gateway's JWT authorizer has verified the claims. A caller is identified by `sub`, which never changes; the email
address is for display only.
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
#: Roles are groups of the user pool; each includes the previous ones. Viewers read, operators also act on alerts,
#: editors also change rules and routes.
VIEWER, OPERATOR, EDITOR = ROLES = ("viewers", "operators", "editors")
MAX_BODY, MAX_NAME = 65_536, 200
#: Retry-After of a response to a throttled request [s].
RETRY_S = 5
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_THROTTLED = re.compile(
    r"Throttl|TooManyRequests|RequestLimitExceeded|LimitExceeded|SlowDown|ProvisionedThroughputExceeded"
    r"|TransactionInProgress|TransactionConflict"
)
_REFUSED = ("ValidationException", "InvalidRequestException", "SerializationException", "InvalidParameterException")


class LimitError(RuntimeError):
    """A limit of the caller is reached; the request may be repeated after `retry_s` seconds."""

    def __init__(self, message: str, retry_s: int) -> None:
        super().__init__(message)
        self.retry_s = retry_s


@dataclass(frozen=True)
class Caller:
    """A user with a verified token.

    `sites` are factories of the user's `tenant` (`*`: all of them), `subject` is the identity, which never changes,
    `name` is for display, `roles` are groups of the user pool.
    """

    name: str
    sites: frozenset[str]
    subject: str = ""
    tenant: str = DEFAULT_TENANT
    roles: frozenset[str] = frozenset()

    def may_see(self, site: str) -> bool:
        """True if the caller has access to a site."""
        return bool(site) and (ALL_SITES in self.sites or site in self.sites)

    def has(self, role: str) -> bool:
        """True if the caller has a role, or one that includes it."""
        return any(higher in self.roles for higher in ROLES[ROLES.index(role) :])


def caller_of(claims: dict[str, Any]) -> Caller:
    """The caller with verified claims.

    `custom:sites` lists the sites, separated by commas, `custom:tenant` is the tenant, `cognito:groups` are the roles.
    A missing claim grants no site and no role. Raises ForbiddenError for an invalid tenant name.
    """
    name = str(claims.get("email") or claims.get("username") or claims.get("sub") or "unknown")
    sites = str(claims.get("custom:sites") or "")
    may_see = frozenset(site.strip() for site in sites.split(",") if site.strip())
    tenant = str(claims.get("custom:tenant") or DEFAULT_TENANT)
    if not is_tenant(tenant):
        raise ForbiddenError("custom:tenant of the token is not a tenant name: ask an administrator to correct it")
    return Caller(name, may_see, str(claims.get("sub") or name), tenant, _groups(claims.get("cognito:groups")))


def caller_in(app: APIGatewayHttpResolver, role: str = VIEWER) -> Caller:
    """The caller of the current request. Raises ForbiddenError if the caller does not have the role."""
    authorizer = app.current_event.raw_event.get("requestContext", {}).get("authorizer") or {}
    caller = caller_of((authorizer.get("jwt") or {}).get("claims") or {})
    if not caller.has(role):
        raise ForbiddenError(
            f"this requires the role {role}: ask an administrator to add you to the group of that name"
        )
    return caller


def body_in(app: APIGatewayHttpResolver) -> dict[str, Any]:
    """The JSON object in the body of the current request; empty if there is no body. Raises BadRequestError."""
    try:
        body = read_document(app.current_event.decoded_body or "{}", MAX_BODY)
    except ValueError as error:  # DocumentError, or invalid base64 or UTF-8
        message = str(error) if isinstance(error, DocumentError) else "the body is not UTF-8 text"
        raise BadRequestError(message) from None
    if not isinstance(body, dict):
        raise BadRequestError("the body must be a JSON object")
    return body


def query_in(app: APIGatewayHttpResolver, name: str, max_length: int = MAX_NAME) -> str:
    """A parameter of the query string; empty if it is absent. Raises BadRequestError."""
    value = (app.current_event.query_string_parameters or {}).get(name) or ""
    if len(value) > max_length or not is_text(value):
        raise BadRequestError(f"{name} must be a text of at most {max_length} characters")
    return value


def key_in(app: APIGatewayHttpResolver) -> str | None:
    """The Idempotency-Key of the current request, or None. Raises BadRequestError if the key is malformed."""
    headers = {name.lower(): value for name, value in (app.current_event.headers or {}).items()}
    key = headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise BadRequestError("Idempotency-Key must have 1 to 64 letters, digits, - or _")
    return key


def answer_refusals(app: APIGatewayHttpResolver) -> None:
    """Map errors of an API to responses: 429 for a reached limit or throttling, 400 for a value that a service refuses.

    Any other error remains an error of the function.
    """

    def limited(error: LimitError) -> Response[str]:
        return too_many(str(error), error.retry_s)

    def refused(error: ClientError) -> Response[str]:
        code = str(error.response.get("Error", {}).get("Code", ""))
        reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons") or ()}
        if any(map(_THROTTLED.search, (code, *reasons))):
            return too_many("too many requests at once: try again later", RETRY_S)
        if code in _REFUSED or "ValidationError" in reasons:
            raise BadRequestError("the request has an invalid value")
        raise error

    def invalid(error: ParamValidationError) -> Response[str]:
        raise BadRequestError("the request has an invalid value")

    app.exception_handler(LimitError)(limited)
    app.exception_handler(ClientError)(refused)
    app.exception_handler(ParamValidationError)(invalid)


def too_many(message: str, retry_s: int) -> Response[str]:
    """A response 429 with Retry-After."""
    body = json.dumps({"statusCode": 429, "message": message})
    return Response(429, "application/json", body, headers={"Retry-After": str(max(1, retry_s))})


def _groups(claim: Any) -> frozenset[str]:
    """Groups of a claim: a list, or API Gateway's text `[a b]`; names of groups contain no blanks."""
    found = claim if isinstance(claim, list) else str(claim or "").removeprefix("[").removesuffix("]").split()
    return frozenset(map(str, found))
