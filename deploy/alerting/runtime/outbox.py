"""Transactional outbox: changes to notifications, notifications to messages, each message sent once.

A change is stored together with its notifications. `Outbox.dispatch` turns due notifications into messages: in one
transaction the notifications are deleted, the message is stored with its id, and its alerts are marked as notified.
Only then the message is sent, and deleted once it has been sent. A message whose lease has expired is sent again with
the same id. So nothing is lost between any two steps, and receivers recognise copies by their id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from .channels import Channels, Message
from .closing import stays_closed
from .composer import Composer
from .limits import Breaker
from .message_items import LEASE_MS
from .model import Change
from .routes import Recipient, Routes
from .table import AlertTable, notification_key

#: A change that can be inhibited is due after this time, so that the inhibiting alert is recorded first.
INHIBIT_WAIT_MS = 10_000
#: Messages that are composed in one call at most.
MAX_MESSAGES = 100


class Outbox:
    """Records changes of a tenant, and sends its notifications through the channels."""

    def __init__(self, table: AlertTable, channels: Channels, routes: Routes) -> None:
        self.table, self.channels, self.routes = table, channels, routes
        self.composer = Composer(table, routes.link)

    def record(self, change: Change, now_ms: int) -> list[Recipient]:
        """Record a change and its notifications; return the recipients.

        Historical and muted changes are recorded without notifications. But recipients that were notified of a raise
        are always notified of its end, unless they know that it was closed by hand.
        """
        alert = self.table.alert(change.alert_id) if change.number else None
        is_closed = stays_closed(alert, change)
        is_quiet = is_closed or change.historical or (change.muted and not change.has_ended)
        recipients = [] if is_quiet else self._recipients(change, alert or {})
        wait_ms = INHIBIT_WAIT_MS if change.inhibited_by and not change.has_ended else 0
        self.table.record_change(change, recipients, now_ms + wait_ms, now_ms, is_closed)
        return recipients

    def _recipients(self, change: Change, alert: dict[str, Any]) -> list[Recipient]:
        """The recipients by the routes, and those notified before: an alert that eases ends for them too."""
        found = {recipient.name: recipient for recipient in self.routes.of(change)}
        known = self.routes.recipients
        found |= {name: known[name] for name in alert.get("notified", {}) if name in known}
        return list(found.values())

    def dispatch(self, recipient: Recipient, now_ms: int, is_late: Callable[[], bool] = lambda: False) -> int:
        """Send the due messages of a recipient until `is_late` returns true; return their number.

        Stops at the first failure, to keep the order, and raises what the channel raises. Sends nothing while the
        recipient is disabled or its circuit breaker is open.
        """
        if recipient.disabled:
            return 0
        breaker = Breaker(self.table, recipient)
        if breaker.is_open(now_ms):
            return 0
        sent = 0
        for item in self.table.query(f"M#{recipient.name}"):
            if is_late() or item["lease_ms"] > now_ms or not self._renew_lease(item, now_ms):
                return sent
            self._send(recipient, item, breaker, now_ms)
            sent += 1
        for _ in range(MAX_MESSAGES):
            composed = None if is_late() else self.composer.compose(recipient, now_ms)
            if composed is None:
                return sent
            if composed:
                self._send(recipient, composed, breaker, now_ms)
                sent += 1
        return sent

    def remind(self, open_alerts: Iterable[dict[str, Any]], now_ms: int) -> set[str]:
        """Store reminders of alerts that nobody has acknowledged; return the names of their recipients."""
        found = set()
        for alert in open_alerts:
            if alert.get("acknowledged_by") or alert.get("snoozed_until_ms", 0) > now_ms:
                continue
            for name, notified_ms in alert.get("notified", {}).items():
                recipient = self.routes.recipients.get(name)
                if recipient is not None and now_ms - int(notified_ms) >= recipient.repeat_s * 1000:
                    self._store_reminder(alert, recipient, now_ms)
                    found.add(name)
        return found

    def _store_reminder(self, alert: dict[str, Any], recipient: Recipient, now_ms: int) -> None:
        reminder = {
            "pk": f"N#{recipient.name}",
            "sk": notification_key(now_ms, alert["alert_id"], alert["change_number"]),
            "row": alert["row"],
            "reminder": True,
        }
        notified = self.table.mark_notified(alert["alert_id"], recipient.name, now_ms)
        self.table.transact([self.table.put(reminder), notified])

    def _renew_lease(self, item: dict[str, Any], now_ms: int) -> bool:
        """Take over a message whose sender has failed; False if another function was faster."""
        leased = {**item, "lease_ms": now_ms + LEASE_MS}
        return self.table.transact([self.table.put(leased, "lease_ms = :lease", {":lease": item["lease_ms"]})])

    def _send(self, recipient: Recipient, item: dict[str, Any], breaker: Breaker, now_ms: int) -> None:
        rows = [json.loads(row) for row in item["rows"]]
        message = Message(item["message_id"], item["subject"], item["text"], item["short"], item["group"], rows)
        try:
            self.channels.send(recipient, message)
        except Exception:
            breaker.failed(now_ms)
            raise
        self.table.transact([self.table.delete(item["pk"], item["sk"])])
        breaker.succeeded()
