"""The deployed API at a local endpoint: users, tokens and requests."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from deploy.kit.access import EDITOR
from deploy.local.stacks import Stacks
from flink_job.io.kinesis import client

#: Password of all users.
PASSWORD = "Correct-horse-1"


@dataclass(frozen=True)
class LocalApi:
    """Base URL of the API, and the user pool and app client of its tokens."""

    url: str
    pool: str
    client_id: str


def api_of(stacks: Stacks) -> LocalApi:
    """The API of a deployment. The endpoint serves it under a path instead of its own host name."""
    outputs = stacks.outputs
    return LocalApi(
        f"{stacks.endpoint}/_aws/execute-api/{outputs['ApiId']}/$default", outputs["Pool"], outputs["Client"]
    )


def token_of(
    api: LocalApi,
    endpoint: str,
    email: str,
    sites: str,
    password: str = PASSWORD,
    role: str = EDITOR,
    tenant: str = "",
) -> str:
    """Create a user and return a token.

    `sites` are the factories of the `tenant` that the user may see; `role` is the user's group, if any.
    """
    cognito: Any = client("cognito-idp", endpoint)
    attributes = [
        {"Name": "email", "Value": email},
        {"Name": "email_verified", "Value": "true"},
        {"Name": "custom:sites", "Value": sites},
        *([{"Name": "custom:tenant", "Value": tenant}] if tenant else []),
    ]
    cognito.admin_create_user(UserPoolId=api.pool, Username=email, UserAttributes=attributes, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=api.pool, Username=email, Password=password, Permanent=True)
    if role:
        cognito.admin_add_user_to_group(UserPoolId=api.pool, Username=email, GroupName=role)
    answer = cognito.initiate_auth(
        ClientId=api.client_id,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )
    return str(answer["AuthenticationResult"]["IdToken"])


def call(api: LocalApi, token: str, path: str, body: Any = None, key: str = "") -> tuple[int, Any]:
    """Send a request; returns (status, response). A body (bytes, or any value as JSON) makes it a POST."""
    content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    request = urllib.request.Request(api.url + path, content, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text else None
