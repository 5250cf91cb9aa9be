"""Permissions where ministack differs from AWS: operations on a query are authorised on its workgroup, and policies
deny requests without TLS, which nothing on the loopback interface has.
"""

from __future__ import annotations

import json
from typing import Any


def install(app: Any, iam_actions: Any, athena: Any) -> None:
    """Put both before what ministack does with a request."""
    pin, extract = app.pin_request_origin, iam_actions.extract_resource_arn
    app.pin_request_origin = lambda source, secure: pin(source, True)

    def extract_with_workgroup(service: str, method: str, path: str, headers: dict, body: bytes, *rest: Any) -> str:
        if service == "athena":
            given = json.loads(body or b"{}")
            execution = athena._executions.get(given.get("QueryExecutionId"))
            if execution:
                body = json.dumps({**given, "WorkGroup": execution["WorkGroup"]}).encode()
        return extract(service, method, path, headers, body, *rest)

    iam_actions.extract_resource_arn = extract_with_workgroup
