"""Notices to messages: put together, held back, sent once.

A notice is stored together with the change it tells of. `Outbox.dispatch` turns those that are due into messages: in
one transaction the notices go, the message with its id is stored, and its alerts are marked as told. Only then is it
sent, and removed once sent. Whoever finds a message whose lease has run out sends it again under the same id. So
nothing is lost between any two steps, and what is sent twice is recognised by its id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from . import metrics
from .channels import Channels, Message
from .limits import Allowance, Breaker
from .message_items import LEASE_MS, alerts_message, digest_message
from .model import Change, read_change
from .routes import Recipient, Routes
from .suppression import Notice, Waiting
from .table import Table

#: How long a notice waits for what may inhibit it to be known.
INHIBIT_WAIT_MS = 10_000
#: Notices in one message, so that its transaction stays below DynamoDB's limit of 100.
MAX_NOTICES = 30
#: Notices looked at together.
MAX_DUE = 500
MAX_HELD = 50


class Outbox:
    """What is to be sent, in the table, and the channels that send it."""

    def __init__(self, table: Table, channels: Channels, routes: Routes) -> None:
        self.table, self.channels, self.routes = table, channels, routes
        self.waiting = Waiting(table)

    def take_in(self, change: Change, now_ms: int) -> list[Recipient]:
        """Note a change; returns whom it concerns. Historical and muted changes are noted and told to nobody; but what
        was raised aloud is cleared aloud.
        """
        quiet = change.historical or (change.muted and not change.has_ended)
        told = [] if quiet else self._concerned(change)
        wait_ms = INHIBIT_WAIT_MS if change.inhibited_by and not change.has_ended else 0
        self.table.take_in(change, told, now_ms + wait_ms, now_ms)
        return told

    def _concerned(self, change: Change) -> list[Recipient]:
        """Whom the routes name, and whoever was told before: an alert that got better is over for them too."""
        found = {recipient.name: recipient for recipient in self.routes.of(change)}
        if change.number:
            before = (self.table.alert(change.alert_id) or {}).get("told", {})
            known = self.routes.recipients
            found |= {name: known[name] for name in before if name in known}
        return list(found.values())

    def dispatch(self, recipient: Recipient, now_ms: int, is_late: Callable[[], bool] = lambda: False) -> int:
        """Send what is due until it `is_late`; returns the number of messages. Stops at the first that is not taken, to
        keep the order. A recipient that is disabled, or whose breaker is open, is left alone.

        Raises what the channel raises.
        """
        if recipient.disabled:
            return 0
        breaker = Breaker(self.table, recipient)
        if breaker.is_open(now_ms):
            return 0
        sent = 0
        for item in self.table.query(f"M#{recipient.name}"):
            if is_late() or item["lease_ms"] > now_ms or not self._lease(item, now_ms):
                return sent
            self._send(recipient, item, breaker, now_ms)
            sent += 1
        for _ in range(100):
            composed = None if is_late() else self._compose(recipient, now_ms)
            if composed is None:
                return sent
            if composed:
                self._send(recipient, composed, breaker, now_ms)
                sent += 1
        return sent

    def repeat(self, site_alerts: Iterable[dict[str, Any]], now_ms: int) -> set[str]:
        """Notices again of open alerts that nobody has acknowledged; returns the names of their recipients."""
        found = set()
        for alert in site_alerts:
            if alert.get("acknowledged_by") or alert.get("snoozed_until_ms", 0) > now_ms:
                continue
            for name, notified_ms in alert.get("told", {}).items():
                recipient = self.routes.recipients.get(name)
                if recipient is not None and now_ms - int(notified_ms) >= recipient.repeat_s * 1000:
                    self._again(alert, recipient, now_ms)
                    found.add(name)
        return found

    def _again(self, alert: dict[str, Any], recipient: Recipient, now_ms: int) -> None:
        notice = {
            "pk": f"N#{recipient.name}",
            "sk": f"{now_ms:015d}#{alert['alert_id']}#{alert['change_number']:06d}",
            "row": alert["row"],
            "repeat": True,
        }
        self.table.transact([self.table.put(notice), self.table.told(alert["alert_id"], recipient.name, now_ms)])

    def _compose(self, recipient: Recipient, now_ms: int) -> dict[str, Any] | None:
        """The next message, stored; {} where notices were dropped or held back instead; None where none is due."""
        due = [
            Notice(item["sk"], read_change(item["row"].encode()), bool(item.get("repeat")), bool(item.get("put_off")))
            for item in self.table.query(f"N#{recipient.name}", f"{now_ms:015d}~", MAX_DUE)
        ]
        rate = self.table.get(f"R#{recipient.name}", "RATE") or {}
        allowance = Allowance.of(recipient, rate, now_ms)
        if rate.get("held_count") and allowance.may_send(is_emergency=False) and not due:
            return self._commit(recipient, rate, allowance.after(1), [], [], {}, now_ms)
        lines = rate.get("lines", {})
        for line in dict.fromkeys(notice.change.line for notice in due):
            if lines.get(line, 0) > now_ms and not any(_urgent(n) for n in due if n.change.line == line):
                continue
            notices = [n for n in due if n.change.line == line][:MAX_NOTICES]
            told, dropped = self.waiting.sort(recipient, notices, now_ms)
            if not told and not dropped:
                continue
            emergency = any(notice.change.severity == "emergency" for notice in told)
            held = bool(told) and not allowance.may_send(emergency)
            if held and not allowance.within_budget:
                metrics.count(metrics.OVER_BUDGET, len(told))
            spent = allowance.after(1 if told and not held else 0)
            return self._commit(recipient, rate, spent, told, dropped, {line: held}, now_ms)
        return None

    def _commit(
        self, recipient: Recipient, rate: dict[str, Any], spent: dict[str, Any], told: list[Notice],
        dropped: list[Notice], line: dict[str, bool], now_ms: int,
    ) -> dict[str, Any]:  # fmt: skip
        """One transaction: the notices go; the message, or the digest's growth, is stored."""
        is_held = any(line.values())
        held = rate.get("held", []) if is_held or told or dropped else []
        held_count = rate.get("held_count", 0) if is_held or told or dropped else 0
        lines = {name: at for name, at in rate.get("lines", {}).items() if at > now_ms}
        item: dict[str, Any] = {}
        if is_held:
            held = [*held, *(json.dumps(notice.change.row) for notice in told)][:MAX_HELD]
            held_count += len(told)
        elif told:
            item = alerts_message(recipient, told, self.routes.link, now_ms)
            lines |= dict.fromkeys(line, now_ms + recipient.group_s * 1000)
        elif not dropped:
            rows = [json.loads(row) for row in rate["held"]]
            item = digest_message(recipient, rows, rate["held_count"], now_ms)
        version = rate.get("version", 0)
        new_rate = {
            "pk": f"R#{recipient.name}", "sk": "RATE", "version": version + 1, **spent, "filled_ms": now_ms,
            "held": held, "held_count": held_count, "lines": lines,
        }  # fmt: skip
        condition = "version = :version" if version else "attribute_not_exists(pk)"
        steps = [self.table.put(new_rate, condition, {":version": version} if version else None)]
        steps += [self.table.delete(f"N#{recipient.name}", n.key, "attribute_exists(pk)") for n in (*told, *dropped)]
        if item:
            steps.append(self.table.put(item, "attribute_not_exists(pk)"))
        if told and not is_held:
            alerts = dict.fromkeys(notice.change.alert_id for notice in told)
            steps += [self.table.told(alert_id, recipient.name, now_ms) for alert_id in alerts]
        # Somebody else was faster: what is left will be looked at again.
        return item if self.table.transact(steps) else {}

    def _lease(self, item: dict[str, Any], now_ms: int) -> bool:
        """Take over a message whose sender has not come back."""
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


def _urgent(notice: Notice) -> bool:
    """True for what does not wait to be told together with others of its line."""
    return notice.change.severity in ("critical", "emergency")
