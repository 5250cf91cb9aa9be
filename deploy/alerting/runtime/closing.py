"""Closing an alert by hand: it ends, its history has who and why, and those who were notified are notified of it.

The job does not know of it. A change that continues towards the end (eased, cleared, latched) leaves a closed alert as
it is and notifies nobody; one that is news (raised again, escalated, flapping) opens it again.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from .items import ENDED, KEEP_ENDED_S
from .model import CLOSED, Change
from .table import AlertTable, notification_key

#: States of a change that leave a closed alert closed.
TOWARDS_END = ("eased", "cleared", "latched")

Item = dict[str, Any]


def stays_closed(alert: Item | None, change: Change) -> bool:
    """True if an alert was closed by hand and a later change of it is no news."""
    is_closed = alert is not None and "closed_ms" in alert
    return is_closed and (change.state in TOWARDS_END or change.historical or change.muted)


def closed_state(table: AlertTable, alert: Item, who: str, subject: str, now_ms: int) -> Item:
    """The state of an alert that changes when it is closed."""
    return {
        "status": ENDED,
        "site_status": table.site_status_key(alert["site"], ENDED),
        "ended_ms": now_ms,
        "expires_s": now_ms // 1000 + KEEP_ENDED_S,
        "closed_ms": now_ms,
        "closed_by": who,
        "closed_by_subject": subject,
    }


def closing_steps(table: AlertTable, alert: Item, who: str, note: str, now_ms: int) -> list[Item]:
    """Steps of the transaction that closes an alert: notifications, and the end of what it inhibits."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    row = {**json.loads(alert["row"]), "state": CLOSED, "event_time": at, "detail": f"{note} ({who})"}
    key = notification_key(now_ms, alert["alert_id"], alert["change_number"])
    steps = [table.put({"pk": f"N#{name}", "sk": key, "row": json.dumps(row)}) for name in alert.get("notified", {})]
    marker = table.get(f"O#{alert['rule_id']}#{alert['entity']}", "OPEN")
    if marker is not None and marker["alert_id"] == alert["alert_id"]:
        steps.append(table.delete(marker["pk"], "OPEN"))
    return steps
