"""Sending to several recipients at once, so that one that is slow delays no other."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from aws_lambda_powertools import Logger

from . import context
from .routes import Recipient

WORKERS = 32
#: What is left of a function's time for what comes after sending; a function without a context is a test's.
RESERVE_S, UNKNOWN_S = 3.0, 57.0
logger = Logger(service="sending", child=True)


def send_due(recipients: Iterable[Recipient], lambda_context: Any, patience_s: float) -> None:
    """Send what is due to each. No message is begun after `patience_s`, and none is waited for longer than the function
    may run: what is not sent, or not known to be, is left for the sweeper.
    """
    chosen = list(recipients)
    if not chosen:
        return
    start, left_s = time.monotonic(), _left_s(lambda_context)
    patience_s = min(patience_s, left_s)
    # Made before the threads are, which share them.
    context.channels()
    outboxes = {tenant: context.outbox(tenant) for tenant in dict.fromkeys(r.tenant for r in chosen)}

    def send(recipient: Recipient) -> None:
        try:
            outboxes[recipient.tenant].dispatch(
                recipient, context.now_ms(), lambda: time.monotonic() - start >= patience_s
            )
        except Exception as error:
            extra = {"tenant": recipient.tenant, "recipient": recipient.name, "error": str(error)}
            logger.warning("not sent, kept for later", extra=extra)

    pool = ThreadPoolExecutor(min(WORKERS, len(chosen)), "send")
    _, late = wait([pool.submit(send, recipient) for recipient in chosen], left_s)
    pool.shutdown(wait=False, cancel_futures=True)
    if late:
        logger.error("recipients were not served in time", extra={"count": len(late)})


def _left_s(lambda_context: Any) -> float:
    if lambda_context is None:
        return UNKNOWN_S
    return max(0.1, float(lambda_context.get_remaining_time_in_millis()) / 1000 - RESERVE_S)
