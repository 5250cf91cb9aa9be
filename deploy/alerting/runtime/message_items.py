"""Items of the messages that are being sent; a message's id is derived from its content, so that copies are equal."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from deploy.kit.tenants import DEFAULT_TENANT

from .messages import body, digest, short, subject
from .model import CLOSED
from .routes import Recipient
from .suppression import Notification

#: A message that its sender has not deleted by the end of the lease may be sent by another.
LEASE_MS = int(os.environ.get("LEASE_MS", "30000"))


def alerts_message(
    recipient: Recipient, notifications: Sequence[Notification], link: str, now_ms: int
) -> dict[str, Any]:
    """The item of a message with the changes of some notifications, all of one line of the site."""
    rows = [notification.change.row for notification in notifications]
    identity = "|".join(
        f"{n.change.alert_id}#{n.change.number}#{now_ms if n.is_reminder or n.change.state == CLOSED else ''}"
        for n in notifications
    )
    texts = subject(rows), body(rows, link), short(rows[0])
    return _item(recipient, identity, texts, notifications[0].change.line, rows, now_ms)


def digest_message(recipient: Recipient, rows: list[dict[str, Any]], count: int, now_ms: int) -> dict[str, Any]:
    """The item of a digest of `count` notifications that were held back; `rows` are some of their changes."""
    text = digest(rows, count)
    texts = f"{count} notifications held back", text, text.splitlines()[0]
    return _item(recipient, f"digest|{now_ms}", texts, "digest", [], now_ms)


def _item(
    recipient: Recipient,
    identity: str,
    texts: tuple[str, str, str],
    group: str,
    rows: list[dict[str, Any]],
    now_ms: int,
) -> dict[str, Any]:
    """The item; `texts` are (subject, text, short text), messages of one `group` are delivered in order."""
    tenant = "" if recipient.tenant == DEFAULT_TENANT else f"{recipient.tenant}|"
    message_id = blake2b(f"{tenant}{recipient.name}|{identity}".encode(), digest_size=16).hexdigest()
    return {
        "pk": f"M#{recipient.name}",
        "sk": f"{now_ms:015d}#{message_id}",
        "message_id": message_id,
        "lease_ms": now_ms + LEASE_MS,
        "subject": texts[0],
        "text": texts[1],
        "short": texts[2],
        "group": blake2b(f"{tenant}{group}".encode(), digest_size=16).hexdigest(),
        "rows": [json.dumps(row) for row in rows],
    }
