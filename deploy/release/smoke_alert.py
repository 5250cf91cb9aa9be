"""Does alerting really reach somebody? An alert goes into the alerts stream; its message must come out of a queue.

The notifier sends what is of site `smoke-check` to the queue of the check and to nobody else, so a deployment wakes
nobody up. The alert is cleared at once: nothing stays open.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.alerting.runtime.routes import CHECK
from deploy.kit.names import Names

LIMIT_S, WAIT_S = 180.0, 10
STATES = ("raised", "cleared")


class SmokeAlertError(RuntimeError):
    """No message came out; the message says where to look."""


@dataclass(frozen=True)
class Clients:
    """boto3 clients of one region."""

    kinesis: Any
    sqs: Any


def check(
    clients: Clients,
    names: Names,
    now: datetime,
    limit_s: float = LIMIT_S,
    clock: Callable[[], float] = time.monotonic,
) -> float:
    """Seconds until an alert and its end had reached the queue. Raises SmokeAlertError."""
    queue = clients.sqs.get_queue_url(QueueName=names.check_queue)["QueueUrl"]
    alert_id, start = f"{CHECK}-{now.astimezone(UTC):%Y%m%dT%H%M%S%f}", clock()
    for number, state in enumerate(STATES):
        data = json.dumps(_row(alert_id, number, state, now)).encode()
        clients.kinesis.put_record(StreamName=names.alerts, Data=data, PartitionKey=CHECK)
    missing = set(STATES)
    while clock() - start < limit_s:
        missing -= _received(clients.sqs, queue, alert_id)
        if not missing:
            return clock() - start
    raise SmokeAlertError(
        f"alert {alert_id} went into {names.alerts}, but {' and '.join(sorted(missing))} did not reach {queue} within "
        f"{limit_s:.0f} s. Look at the log of {names.prefix}-notifier, then at {names.prefix}-dead-batches "
        "(docs/use/runbook.md#errors)"
    )


def _received(sqs: Any, queue: str, alert_id: str) -> set[str]:
    """States of the alert of which messages have come; those of earlier checks are removed as well."""
    found: set[str] = set()
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=WAIT_S)
    for message in answer.get("Messages", ()):
        rows = json.loads(message["Body"])["alerts"]
        found |= {str(row["state"]) for row in rows if row["alert_id"] == alert_id}
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def _row(alert_id: str, number: int, state: str, now: datetime) -> dict[str, Any]:
    at = f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    texts = dict.fromkeys(("tags", "unit", "currency", "inhibited_by", "hint", "detail"), "")
    return {
        **texts,
        "alert_id": alert_id,
        "change_number": number,
        "rule_id": CHECK,
        "rule_version": CHECK,
        "title": "Check after a deployment",
        "severity": "info",
        "state": state,
        "entity": alert_id,
        "site_path": f"{CHECK}/check/check/{alert_id}",
        "signal": "check",
        "value": 1.0,
        "threshold": 0.0,
        "episode_start": at,
        "event_time": at,
        "cost": 0,
        "historical": False,
        "muted": False,
        "latch": False,
        "arrival": at,
        "tenant": "default",
    }
