"""Once a minute: what was put off or not taken is sent, digests go out, what nobody acknowledged is told again."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger

from . import context
from .items import OPEN
from .notifier import send_due

logger = Logger(service="sweeper")


def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, int]:
    """Entry of the function."""
    outbox, now_ms = context.outbox(), context.now_ms()
    repeated: set[str] = set()
    for site in context.table().sites():
        start = None
        while True:
            alerts, start = context.table().of_site(site, OPEN, start=start)
            repeated |= outbox.repeat(alerts, now_ms)
            if start is None:
                break
    for recipient in context.routes().recipients.values():
        send_due(recipient)
    return {"repeated": len(repeated)}
