"""Clients and settings that the functions share, created once per process from environment variables.

| variable | value |
| --- | --- |
| `TABLE` | name of the alert table |
| `ROUTES_URI` | s3://bucket/key of the routes document |
| `ACTIONS_STREAM` | optional: delivery stream for the actions of users |
| `CHECK_QUEUE` | optional: URL of the queue of the smoke check after a deployment |
| `DEPLOYMENT` | value of the metrics' dimension |
| `LOCAL_RECIPIENTS` | `1` permits recipients at private addresses; only a local endpoint sets it |
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.utilities import parameters
from botocore.config import Config

from deploy.kit.tenants import DEFAULT_TENANT

from .channels import Channels
from .outbox import Outbox
from .routes import Routes
from .routes_cache import RoutesCache
from .table import AlertTable
from .webhook import Webhooks

_RETRIES = Config(
    retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=10, max_pool_connections=50
)
#: Short timeouts: the sweeper retries a topic or queue that does not respond.
_SENDING = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=4, max_pool_connections=50
)


@cache
def client(service: str) -> Any:
    """A boto3 client; AWS_ENDPOINT_URL selects a local endpoint."""
    return boto3.client(service, config=_SENDING if service in ("sns", "sqs") else _RETRIES)


def table(tenant: str = DEFAULT_TENANT) -> AlertTable:
    return AlertTable(client("dynamodb"), os.environ["TABLE"], tenant)


@cache
def channels() -> Channels:
    return Channels(client("sns"), client("sqs"), Webhooks(_is_local()), _is_local())


@cache
def routes_cache() -> RoutesCache:
    return RoutesCache(
        client("s3"), os.environ["ROUTES_URI"], table, _secret, os.environ.get("CHECK_QUEUE", ""), _is_local()
    )


def routes(tenant: str = DEFAULT_TENANT) -> Routes:
    """The routes of a tenant."""
    return routes_cache().of(tenant)


def outbox(tenant: str = DEFAULT_TENANT) -> Outbox:
    return Outbox(table(tenant), channels(), routes(tenant))


def now_ms() -> int:
    return int(time.time() * 1000)


def timestamp(at_ms: int) -> str:
    """A time in the format of the lake's tables."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _is_local() -> bool:
    return os.environ.get("LOCAL_RECIPIENTS") == "1"


def _secret(arn: str) -> str:
    return str(parameters.get_secret(arn, max_age=300))
