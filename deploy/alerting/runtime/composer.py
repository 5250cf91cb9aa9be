"""Turns the due notifications of a recipient into its next message.

Each step is one transaction: it deletes the notifications and stores the message, extends the digest, or only drops.
The item `RATE` of the recipient is its optimistic lock: of two functions that compose for one recipient, one fails and
leaves the notifications to the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import metrics
from .limits import Allowance
from .message_items import alerts_message, digest_message
from .model import read_change
from .routes import Recipient
from .suppression import Notification, Suppression
from .table import AlertTable

#: Notifications per message: its transaction must stay below DynamoDB's limit of 100 steps.
MAX_NOTIFICATIONS = 30
#: Due notifications that are read at once.
MAX_DUE = 500
#: Changes that are listed in a digest; any further ones are only counted.
MAX_HELD = 50
#: Severities that do not wait for the line's other notifications.
URGENT = ("critical", "emergency")


@dataclass(frozen=True)
class Budget:
    """The item `RATE` of a recipient as it was read, and the allowance that follows from it."""

    recipient: Recipient
    rate: dict[str, Any]
    allowance: Allowance
    now_ms: int

    @property
    def grouped_until_ms(self) -> dict[str, int]:
        """Line -> time until which its notifications are grouped; only times in the future."""
        return {line: until_ms for line, until_ms in self.rate.get("lines", {}).items() if until_ms > self.now_ms}

    @property
    def held_count(self) -> int:
        """Number of notifications held back for the digest."""
        return int(self.rate.get("held_count", 0))


class Composer:
    """Composes the messages of recipients; `link` is the beginning of an alert's address."""

    def __init__(self, table: AlertTable, link: str) -> None:
        self.table, self.link = table, link
        self.suppression = Suppression(table)

    def compose(self, recipient: Recipient, now_ms: int) -> dict[str, Any] | None:
        """The item of the next message; {} if notifications were dropped or held back instead; None if none is due."""
        due = [_notification(item) for item in self.table.query(f"N#{recipient.name}", f"{now_ms:015d}~", MAX_DUE)]
        rate = self.table.get(f"R#{recipient.name}", "RATE") or {}
        budget = Budget(recipient, rate, Allowance.of(recipient, rate, now_ms), now_ms)
        if budget.held_count and budget.allowance.may_send(is_emergency=False) and not due:
            return self._store_digest(budget)
        for line in dict.fromkeys(notification.change.line for notification in due):
            of_line = [n for n in due if n.change.line == line]
            if line in budget.grouped_until_ms and not any(n.change.severity in URGENT for n in of_line):
                continue
            send, drop = self.suppression.decide(recipient, of_line[:MAX_NOTIFICATIONS], now_ms)
            if send or drop:
                return self._store(budget, line, send, drop)
        return None

    def _store(self, budget: Budget, line: str, send: list[Notification], drop: list[Notification]) -> dict[str, Any]:
        if not send:
            return self._drop(budget, drop)
        is_emergency = any(notification.change.severity == "emergency" for notification in send)
        if budget.allowance.may_send(is_emergency):
            return self._store_message(budget, line, send, drop)
        return self._hold_back(budget, send, drop)

    def _store_message(
        self, budget: Budget, line: str, send: list[Notification], drop: list[Notification]
    ) -> dict[str, Any]:
        """Store a message, mark its alerts as notified, and group the line's next notifications."""
        recipient, now_ms = budget.recipient, budget.now_ms
        item = alerts_message(recipient, send, self.link, now_ms)
        lines = {**budget.grouped_until_ms, line: now_ms + recipient.group_s * 1000}
        alerts = dict.fromkeys(notification.change.alert_id for notification in send)
        steps = [
            self._rate_step(budget, messages=1, lines=lines),
            *self._delete_steps(recipient, [*send, *drop]),
            self.table.put(item, "attribute_not_exists(pk)"),
            *(self.table.mark_notified(alert_id, recipient.name, now_ms) for alert_id in alerts),
        ]
        return item if self.table.transact(steps) else {}

    def _store_digest(self, budget: Budget) -> dict[str, Any]:
        """Store a message with the notifications that were held back."""
        rows = [json.loads(row) for row in budget.rate["held"]]
        item = digest_message(budget.recipient, rows, budget.held_count, budget.now_ms)
        steps = [
            self._rate_step(budget, messages=1, held=[], held_count=0),
            self.table.put(item, "attribute_not_exists(pk)"),
        ]
        return item if self.table.transact(steps) else {}

    def _hold_back(self, budget: Budget, send: list[Notification], drop: list[Notification]) -> dict[str, Any]:
        """Add notifications to the digest, because the recipient's tokens or budget are used up."""
        if not budget.allowance.within_budget:
            metrics.count(metrics.OVER_BUDGET, len(send))
        held = [*budget.rate.get("held", []), *(json.dumps(notification.change.row) for notification in send)]
        rate = self._rate_step(budget, messages=0, held=held[:MAX_HELD], held_count=budget.held_count + len(send))
        self.table.transact([rate, *self._delete_steps(budget.recipient, [*send, *drop])])
        return {}

    def _drop(self, budget: Budget, drop: list[Notification]) -> dict[str, Any]:
        """Delete notifications without sending them."""
        self.table.transact([self._rate_step(budget, messages=0), *self._delete_steps(budget.recipient, drop)])
        return {}

    def _rate_step(self, budget: Budget, messages: int, **changed: Any) -> dict[str, Any]:
        """A step that replaces the item `RATE`, on condition that no other function has replaced it since."""
        version = budget.rate.get("version", 0)
        item = {
            "pk": f"R#{budget.recipient.name}",
            "sk": "RATE",
            "version": version + 1,
            **budget.allowance.after(messages),
            "filled_ms": budget.now_ms,
            "held": budget.rate.get("held", []),
            "held_count": budget.held_count,
            "lines": budget.grouped_until_ms,
            **changed,
        }
        if version:
            return self.table.put(item, "version = :version", {":version": version})
        return self.table.put(item, "attribute_not_exists(pk)")

    def _delete_steps(self, recipient: Recipient, done: Sequence[Notification]) -> list[dict[str, Any]]:
        return [self.table.delete(f"N#{recipient.name}", n.key, "attribute_exists(pk)") for n in done]


def _notification(item: dict[str, Any]) -> Notification:
    change = read_change(item["row"].encode())
    return Notification(item["sk"], change, bool(item.get("reminder")), bool(item.get("deferred")))
