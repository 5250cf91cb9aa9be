"""Smoke test of alerting: publishes a test alert to the alerts stream and waits for its notifications in a queue.

The notifier sends alerts of site `smoke-check` only to the check's queue, so a deployment notifies nobody. The alert is
cleared immediately and does not stay open.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.alerting.runtime.routes import CHECK
from deploy.errors import DeployError
from deploy.kit.names import Names

LIMIT_S, WAIT_S = 180.0, 10
STATES = ("raised", "cleared")


class SmokeAlertError(DeployError, RuntimeError):
    """A notification did not arrive; the message says where to look."""


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
    """Seconds until the raised and the cleared alert have reached the queue. Raises SmokeAlertError."""
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
        f"alert {alert_id} was published to {names.alerts}, but {' and '.join(sorted(missing))} did not reach {queue} "
        f"within {limit_s:.0f} s. Check the log of {names.prefix}-notifier, then {names.prefix}-dead-batches "
        "(docs/use/runbook.md#errors)"
    )


def _received(sqs: Any, queue: str, alert_id: str) -> set[str]:
    """States of the alert in received messages. Deletes all messages, including those of earlier checks."""
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
