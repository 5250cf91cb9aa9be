"""Decides per notification: send, drop, or defer (inhibited, snoozed, or an earlier change has not been processed)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .model import Change
from .routes import Recipient
from .table import AlertTable

#: An inhibited notification is deferred by this time.
INHIBITED_MS = 60_000
#: The end of an alert whose earlier changes are missing is deferred by this time, up to the limit.
EARLIER_WAIT_MS, EARLIER_LIMIT_MS = 5_000, 3_600_000


@dataclass(frozen=True)
class Notification:
    """A pending notification of one change to one recipient; `key` is its sort key in the table."""

    key: str
    change: Change
    is_reminder: bool
    was_deferred: bool


class Suppression:
    """Applies inhibition, snooze and the order of changes, from the state of the alerts in the table."""

    def __init__(self, table: AlertTable) -> None:
        self.table = table

    def decide(
        self, recipient: Recipient, notifications: list[Notification], now_ms: int
    ) -> tuple[list[Notification], list[Notification]]:
        """Return (notifications to send, notifications to drop). All others are deferred in the table.

        Deferred are notifications that are inhibited or snoozed, and the end of an alert of which an earlier change is
        not recorded yet or has a pending notification.
        """
        send: list[Notification] = []
        drop: list[Notification] = []
        raised: set[str] = set()
        for notification in notifications:
            change = notification.change
            alert = self.table.alert(change.alert_id) or {}
            was_notified = recipient.name in alert.get("notified", {}) or change.alert_id in raised
            if change.has_ended and not was_notified and self._awaits_earlier(recipient, change, alert, now_ms):
                self._defer(recipient, notification, now_ms + EARLIER_WAIT_MS)
            elif change.has_ended:
                (send if was_notified else drop).append(notification)
            elif "closed_ms" in alert:
                drop.append(notification)  # closed by hand before it was sent
            elif notification.was_deferred and alert.get("status") != "open":
                drop.append(notification)  # the alert ended while it was inhibited or snoozed
            elif until_ms := self._deferred_until(change, alert, now_ms):
                self._defer(recipient, notification, until_ms)
            else:
                send.append(notification)
                raised.add(change.alert_id)
        return send, drop

    def _awaits_earlier(self, recipient: Recipient, change: Change, alert: dict[str, Any], now_ms: int) -> bool:
        """True if a change before the end of an alert is not recorded, or has a pending notification.

        It may be inhibited, or the clock of the function that recorded it may be ahead.
        """
        if now_ms - alert.get("changed_ms", 0) >= EARLIER_LIMIT_MS:
            return False
        return self.table.lacks_earlier_changes(change) or self.table.has_earlier_notifications(recipient, change)

    def _deferred_until(self, change: Change, alert: dict[str, Any], now_ms: int) -> int:
        """The time until which a change is snoozed or inhibited [epoch ms]; 0 if it is neither."""
        if (snoozed_ms := alert.get("snoozed_until_ms", 0)) > now_ms:
            return int(snoozed_ms)
        covering = covering_entities(change)
        if any(self.table.is_open(rule, covering) for rule in change.inhibited_by):
            return now_ms + INHIBITED_MS
        return 0

    def _defer(self, recipient: Recipient, notification: Notification, until_ms: int) -> None:
        pk = f"N#{recipient.name}"
        deferred = {
            "pk": pk,
            "sk": f"{until_ms:015d}#{notification.key.split('#', 1)[1]}",
            "row": json.dumps(notification.change.row),
            "deferred": True,
        }
        self.table.transact([self.table.delete(pk, notification.key, "attribute_exists(pk)"), self.table.put(deferred)])


def covering_entities(change: Change) -> list[str]:
    """The entities whose alerts can inhibit a change: its own, the levels of the site above it, and its tags."""
    parts = change.site_path.split("/")
    return [
        change.entity,
        *("/".join(parts[:depth]) for depth in range(1, len(parts))),
        *filter(None, change.tags.split(";")),
    ]
