"""Messages as they are stored until they have been sent, each with an id by which a second copy is known."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from deploy.kit.tenants import DEFAULT_TENANT

from .messages import body, digest, short, subject
from .routes import Recipient
from .suppression import Notice

#: How long its sender has a message before somebody else may send it.
LEASE_MS = int(os.environ.get("LEASE_MS", "30000"))


def alerts_message(recipient: Recipient, told: Sequence[Notice], link: str, now_ms: int) -> dict[str, Any]:
    rows = [notice.change.row for notice in told]
    identity = "|".join(f"{n.change.alert_id}#{n.change.number}#{now_ms if n.repeat else ''}" for n in told)
    texts = subject(rows), body(rows, link), short(rows[0])
    return _stored(recipient, identity, texts, told[0].change.line, rows, now_ms)


def digest_message(recipient: Recipient, rows: list[dict[str, Any]], count: int, now_ms: int) -> dict[str, Any]:
    text = digest(rows, count)
    texts = f"{count} notices held back", text, text.splitlines()[0]
    return _stored(recipient, f"digest|{now_ms}", texts, "digest", [], now_ms)


def _stored(
    recipient: Recipient,
    identity: str,
    texts: tuple[str, str, str],
    group: str,
    rows: list[dict[str, Any]],
    now_ms: int,
) -> dict[str, Any]:
    whose = "" if recipient.tenant == DEFAULT_TENANT else f"{recipient.tenant}|"
    message_id = blake2b(f"{whose}{recipient.name}|{identity}".encode(), digest_size=16).hexdigest()
    return {
        "pk": f"M#{recipient.name}",
        "sk": f"{now_ms:015d}#{message_id}",
        "message_id": message_id,
        "lease_ms": now_ms + LEASE_MS,
        "subject": texts[0],
        "text": texts[1],
        "short": texts[2],
        "group": blake2b(f"{whose}{group}".encode(), digest_size=16).hexdigest(),
        "rows": [json.dumps(row) for row in rows],
    }
