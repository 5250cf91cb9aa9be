"""Requests in the format in which API Gateway passes them to a function, with verified claims."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

CHIEF = {"sub": "sub-chief", "email": "chief@plant.example", "custom:sites": "*", "cognito:groups": "[editors]"}


def claims_of(name: str, sites: str, role: str = "operators", tenant: str = "") -> dict[str, Any]:
    """Claims of a user's token."""
    claims = {"sub": f"sub-{name}", "email": f"{name}@plant.example", "custom:sites": sites}
    return claims | ({"cognito:groups": f"[{role}]"} if role else {}) | ({"custom:tenant": tenant} if tenant else {})


def request(
    method: str, path: str, claims: dict[str, Any], body: Any = None, query: dict[str, str] | None = None, key: str = ""
) -> dict[str, Any]:
    """An event of payload format 2.0. A body that is not a text is encoded as JSON."""
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "headers": {"content-type": "application/json"} | ({"idempotency-key": key} if key else {}),
        "queryStringParameters": query or {},
        "requestContext": {
            "http": {"method": method, "path": path},
            "stage": "$default",
            "requestId": "1",
            "authorizer": {"jwt": {"claims": claims, "scopes": None}},
        },
        "body": text,
        "isBase64Encoded": False,
    }


def answer(handler: Any, event: dict[str, Any]) -> tuple[int, Any, dict[str, Any]]:
    """Invoke a handler; return (status, document, headers) of its response."""
    found = handler(event, None)
    headers = {name.lower(): value for name, value in (found.get("headers") or {}).items()}
    return found["statusCode"], json.loads(found["body"]) if found.get("body") else None, headers
