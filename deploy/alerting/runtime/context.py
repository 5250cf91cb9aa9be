"""What the functions share: clients and settings, made once a process from environment variables.

`TABLE` names the state table; `ROUTES_URI` is s3://bucket/key of the routes; `ACTIONS_STREAM`, where set, the delivery
stream for deeds. `LOCAL_RECIPIENTS=1`, which only a local endpoint sets, permits recipients that are not public.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlparse

import boto3
from aws_lambda_powertools.utilities import parameters
from botocore.config import Config

from .channels import Channels
from .model import Routes, read_routes
from .outbox import Outbox
from .table import Table
from .webhook import Webhooks

ROUTES_S = 60.0
_RETRIES = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=10)
_routes: tuple[float, Routes] | None = None


@cache
def client(service: str) -> Any:
    """A client; AWS_ENDPOINT_URL leads to a local endpoint."""
    return boto3.client(service, config=_RETRIES)


@cache
def table() -> Table:
    return Table(client("dynamodb"), os.environ["TABLE"])


@cache
def channels() -> Channels:
    is_local = os.environ.get("LOCAL_RECIPIENTS") == "1"
    return Channels(client("sns"), client("sqs"), Webhooks(is_local), is_local)


def routes() -> Routes:
    """The routes, read again once a minute."""
    global _routes
    now = time.monotonic()
    if _routes is None or now - _routes[0] > ROUTES_S:
        place = urlparse(os.environ["ROUTES_URI"])
        answer = client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))
        _routes = now, with_secrets(read_routes(answer["Body"].read()))
    return _routes[1]


def with_secrets(routes: Routes) -> Routes:
    """Secrets named by their ARN are looked up in Secrets Manager."""
    recipients = {
        name: replace(recipient, secret=str(parameters.get_secret(recipient.secret, max_age=300)))
        if recipient.secret.startswith("arn:")
        else recipient
        for name, recipient in routes.recipients.items()
    }
    return replace(routes, recipients=recipients)


def outbox() -> Outbox:
    return Outbox(table(), channels(), routes())


def now_ms() -> int:
    return int(time.time() * 1000)


def timestamp(at_ms: int) -> str:
    """A time as the lake's tables have it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
