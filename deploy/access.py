"""What the APIs share: who asks and what they may see, the body of a request, the key that makes it safe to repeat.

Behind API Gateway with a JWT authorizer claims come verified.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.exceptions import BadRequestError

ALL_SITES = "*"
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Caller:
    """Somebody with a verified token. `sites` are factories; `*` is all of them. `subject` never changes."""

    name: str
    sites: frozenset[str]
    subject: str = ""

    def may_see(self, site: str) -> bool:
        return bool(site) and (ALL_SITES in self.sites or site in self.sites)


def caller_of(claims: dict[str, Any]) -> Caller:
    """The caller of verified claims: `custom:sites` names the sites, separated by commas. No claim, no site."""
    name = str(claims.get("email") or claims.get("username") or claims.get("sub") or "unknown")
    sites = str(claims.get("custom:sites") or "")
    may_see = frozenset(site.strip() for site in sites.split(",") if site.strip())
    return Caller(name, may_see, str(claims.get("sub") or name))


def caller_in(app: APIGatewayHttpResolver) -> Caller:
    """Who makes the request that an API is answering."""
    authorizer = app.current_event.raw_event.get("requestContext", {}).get("authorizer") or {}
    return caller_of((authorizer.get("jwt") or {}).get("claims") or {})


def body_in(app: APIGatewayHttpResolver) -> dict[str, Any]:
    """The JSON object that a request carries, empty where it carries nothing. Raises BadRequestError."""
    try:
        body = app.current_event.json_body if app.current_event.body else {}
    except ValueError:
        raise BadRequestError("the body is no JSON") from None
    if not isinstance(body, dict):
        raise BadRequestError("the body is a JSON object")
    return body


def key_in(app: APIGatewayHttpResolver) -> str | None:
    """The request's Idempotency-Key. Raises BadRequestError for one that is none."""
    headers = {name.lower(): value for name, value in (app.current_event.headers or {}).items()}
    key = headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise BadRequestError("Idempotency-Key has 1 to 64 letters, digits, - or _")
    return key
