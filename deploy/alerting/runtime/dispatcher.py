"""Sends to several recipients in parallel, so that a slow recipient does not delay the others."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from aws_lambda_powertools import Logger

from . import context
from .routes import Recipient

WORKERS = 32
#: Time reserved for the steps after sending, and time limit without a Lambda context (in tests) [s].
RESERVE_S, NO_CONTEXT_S = 3.0, 57.0
logger = Logger(service="dispatcher", child=True)


def dispatch_all(recipients: Iterable[Recipient], lambda_context: Any, limit_s: float) -> None:
    """Send the due messages of each recipient. No message is started after `limit_s` [s].

    Waits no longer than the function may run. Messages that are not sent, or not known to be sent, are left to the
    sweeper.
    """
    chosen = list(recipients)
    if not chosen:
        return
    start, left_s = time.monotonic(), _left_s(lambda_context)
    limit_s = min(limit_s, left_s)
    # Create the shared clients before the threads start.
    context.channels()
    outboxes = {tenant: context.outbox(tenant) for tenant in dict.fromkeys(r.tenant for r in chosen)}

    def send(recipient: Recipient) -> None:
        try:
            outboxes[recipient.tenant].dispatch(
                recipient, context.now_ms(), lambda: time.monotonic() - start >= limit_s
            )
        except Exception as error:
            extra = {"tenant": recipient.tenant, "recipient": recipient.name, "error": str(error)}
            logger.warning("not sent: the sweeper retries", extra=extra)

    pool = ThreadPoolExecutor(min(WORKERS, len(chosen)), "send")
    _, late = wait([pool.submit(send, recipient) for recipient in chosen], left_s)
    pool.shutdown(wait=False, cancel_futures=True)
    if late:
        logger.error("recipients not finished in time: the sweeper retries", extra={"count": len(late)})


def _left_s(lambda_context: Any) -> float:
    """Time left for sending [s]."""
    if lambda_context is None:
        return NO_CONTEXT_S
    return max(0.1, float(lambda_context.get_remaining_time_in_millis()) / 1000 - RESERVE_S)
