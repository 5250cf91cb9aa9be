"""Cache of the tenants' routes: read again once a minute; a missing or invalid document never fails a function.

A missing document means no recipients. A document that is unreadable or invalid leaves the last valid one in force,
which is stored in the table for functions that start later. A recipient whose secret cannot be read is disabled; the
other recipients are not affected.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlparse

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from deploy.kit.tenants import DEFAULT_TENANT

from .routes import CHECK, MAX_DOCUMENT, NOBODY, Recipient, Routes, RoutesError, read_routes
from .table import AlertTable

ROUTES_S = 60.0
_LAST_VALID = ("ROUTES", "LAST")
logger = Logger(service="routes", child=True)


class RoutesCache:
    """Routes by tenant. `uri` is s3://bucket/key of the default tenant's document, s3://bucket/<tenant>/key of others.

    `secret` returns the secret with an ARN. `check_queue`, if set, is the queue of the smoke check after a deployment.
    """

    def __init__(
        self,
        s3: Any,
        uri: str,
        table: Callable[[str], AlertTable],
        secret: Callable[[str], str],
        check_queue: str = "",
        allow_local: bool = False,
    ) -> None:
        self._s3, self._location, self._table, self._secret = s3, urlparse(uri), table, secret
        self._check_queue, self._allow_local = check_queue, allow_local
        self._cached: dict[str, tuple[float, Routes]] = {}
        self._valid: dict[str, bytes] = {}

    def of(self, tenant: str) -> Routes:
        """The routes of a tenant, with secrets."""
        cached = self._cached.get(tenant)
        if cached is None or time.monotonic() - cached[0] > ROUTES_S:
            cached = time.monotonic(), self._with_check(tenant, self._with_secrets(self._read(tenant)))
            self._cached[tenant] = cached
        return cached[1]

    def _read(self, tenant: str) -> Routes:
        try:
            content = self._content(tenant)
            if content is None:
                return NOBODY
            routes = read_routes(content, tenant, self._allow_local)
        except (RoutesError, ClientError, BotoCoreError) as error:
            logger.error(
                "the routes document cannot be used: the last valid one stays in force",
                extra={"tenant": tenant, "error": str(error)},
            )
            return replace(self._last_valid(tenant), fault=str(error))
        self._store(tenant, content)
        return routes

    def _content(self, tenant: str) -> bytes | None:
        folder, _, name = self._location.path.lstrip("/").rpartition("/")
        key = f"{folder}/{name}" if tenant == DEFAULT_TENANT else f"{folder}/{tenant}/{name}"
        try:
            answer = self._s3.get_object(Bucket=self._location.netloc, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        with answer["Body"] as body:
            content: bytes = body.read(MAX_DOCUMENT + 1)
        return content

    def _store(self, tenant: str, content: bytes) -> None:
        """Store a valid document, in the table too if it has changed."""
        if self._valid.get(tenant) == content:
            return
        table, digest = self._table(tenant), hashlib.sha256(content).hexdigest()
        stored = table.get(*_LAST_VALID)
        if stored is None or stored.get("digest") != digest:
            item = {"pk": _LAST_VALID[0], "sk": _LAST_VALID[1], "digest": digest, "document": content.decode()}
            table.transact([table.put(item)])
        self._valid[tenant] = content

    def _last_valid(self, tenant: str) -> Routes:
        content = self._valid.get(tenant)
        if content is None:
            stored = self._table(tenant).get(*_LAST_VALID) or {}
            content = str(stored.get("document", "")).encode()
        try:
            return read_routes(content, tenant, self._allow_local) if content else NOBODY
        except RoutesError:
            return NOBODY

    def _with_secrets(self, routes: Routes) -> Routes:
        recipients = {name: self._with_secret(recipient) for name, recipient in routes.recipients.items()}
        return replace(routes, recipients=recipients)

    def _with_secret(self, recipient: Recipient) -> Recipient:
        if not recipient.secret.startswith("arn:"):
            return recipient
        try:
            secret = self._secret(recipient.secret)
        except Exception as error:
            logger.error(
                "a secret cannot be read: the recipient is disabled",
                extra={"recipient": recipient.name, "error": str(error)},
            )
            return replace(recipient, secret="", disabled=f"the secret cannot be read: {str(error)[:200]}")
        return replace(recipient, secret=secret, disabled="" if secret else "the secret is empty")

    def _with_check(self, tenant: str, routes: Routes) -> Routes:
        if tenant != DEFAULT_TENANT or not self._check_queue:
            return routes
        check = Recipient(CHECK, sqs=self._check_queue, tokens=1000, refill_s=1, group_s=0, repeat_s=31_536_000)
        return replace(routes, recipients={**routes.recipients, CHECK: check})
