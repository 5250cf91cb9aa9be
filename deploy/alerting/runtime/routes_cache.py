"""The routes of each tenant: read again once a minute, never a reason to fail.

No document is a document without recipients. One that cannot be read or used leaves the last good one in force, which
the table keeps for functions that start anew. A recipient whose secret cannot be read is disabled, alone.
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
from .table import Table

ROUTES_S = 60.0
_KEPT = ("ROUTES", "LAST")
logger = Logger(service="routes", child=True)


class Routing:
    """`uri` is s3://bucket/key of the default tenant's document; others' are in a folder of their name beside it.

    `secret` looks a secret up by its ARN. `check_queue`, where set, is the queue for the check after a deployment.
    """

    def __init__(
        self,
        s3: Any,
        uri: str,
        table: Callable[[str], Table],
        secret: Callable[[str], str],
        check_queue: str = "",
        allow_local: bool = False,
    ) -> None:
        self._s3, self._place, self._table, self._secret = s3, urlparse(uri), table, secret
        self._check_queue, self._allow_local = check_queue, allow_local
        self._found: dict[str, tuple[float, Routes]] = {}
        self._last: dict[str, bytes] = {}

    def of(self, tenant: str) -> Routes:
        """The routes of a tenant, with secrets."""
        found = self._found.get(tenant)
        if found is None or time.monotonic() - found[0] > ROUTES_S:
            found = time.monotonic(), self._with_check(tenant, self._with_secrets(self._read(tenant)))
            self._found[tenant] = found
        return found[1]

    def _read(self, tenant: str) -> Routes:
        try:
            content = self._content(tenant)
            if content is None:
                return NOBODY
            routes = read_routes(content, tenant, self._allow_local)
        except (RoutesError, ClientError, BotoCoreError) as error:
            logger.error("the routes cannot be used", extra={"tenant": tenant, "error": str(error)})
            return replace(self._last_good(tenant), fault=str(error))
        self._keep(tenant, content)
        return routes

    def _content(self, tenant: str) -> bytes | None:
        folder, _, name = self._place.path.lstrip("/").rpartition("/")
        key = f"{folder}/{name}" if tenant == DEFAULT_TENANT else f"{folder}/{tenant}/{name}"
        try:
            answer = self._s3.get_object(Bucket=self._place.netloc, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        with answer["Body"] as body:
            content: bytes = body.read(MAX_DOCUMENT + 1)
        return content

    def _keep(self, tenant: str, content: bytes) -> None:
        """Remember a document that can be used, in the table too where it has changed."""
        if self._last.get(tenant) == content:
            return
        table, digest = self._table(tenant), hashlib.sha256(content).hexdigest()
        kept = table.get(*_KEPT)
        if kept is None or kept.get("digest") != digest:
            item = {"pk": _KEPT[0], "sk": _KEPT[1], "digest": digest, "document": content.decode()}
            table.transact([table.put(item)])
        self._last[tenant] = content

    def _last_good(self, tenant: str) -> Routes:
        content = self._last.get(tenant)
        if content is None:
            kept = self._table(tenant).get(*_KEPT) or {}
            content = str(kept.get("document", "")).encode()
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
            logger.error("a secret cannot be read", extra={"recipient": recipient.name, "error": str(error)})
            return replace(recipient, secret="", disabled=f"its secret cannot be read: {str(error)[:200]}")
        return replace(recipient, secret=secret, disabled="" if secret else "its secret is empty")

    def _with_check(self, tenant: str, routes: Routes) -> Routes:
        if tenant != DEFAULT_TENANT or not self._check_queue:
            return routes
        check = Recipient(CHECK, sqs=self._check_queue, tokens=1000, refill_s=1, group_s=0, repeat_s=31_536_000)
        return replace(routes, recipients={**routes.recipients, CHECK: check})
