"""Which notices are told now, which no more, and which wait: for what inhibits them, or for their beginning."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .model import Change
from .routes import Recipient
from .table import Table

#: How long a notice that is inhibited waits until it is looked at again.
LOOK_AGAIN_MS = 60_000
#: How long the end of an alert waits for what came before it: until it is looked at again, and in all.
EARLIER_WAIT_MS, EARLIER_LIMIT_MS = 5_000, 3_600_000


@dataclass(frozen=True)
class Notice:
    """A notice of one change to one recipient."""

    key: str
    change: Change
    repeat: bool
    was_put_off: bool


class Waiting:
    """The notices of a recipient, sorted by what the table knows of their alerts."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def sort(self, recipient: Recipient, notices: list[Notice], now_ms: int) -> tuple[list[Notice], list[Notice]]:
        """(to be told, to be dropped). In neither are those put off: what is inhibited or snoozed, and an end whose
        beginning is still to come or waits itself.
        """
        told: list[Notice] = []
        dropped: list[Notice] = []
        raised: set[str] = set()
        for notice in notices:
            change = notice.change
            alert = self.table.alert(change.alert_id) or {}
            was_told = recipient.name in alert.get("told", {}) or change.alert_id in raised
            if change.has_ended and not was_told and self._awaits_earlier(recipient, change, alert, now_ms):
                self._put_off(recipient, notice, now_ms + EARLIER_WAIT_MS)
            elif change.has_ended:
                (told if was_told else dropped).append(notice)
            elif notice.was_put_off and alert.get("status") != "open":
                dropped.append(notice)  # over while it was inhibited or snoozed
            elif until_ms := self._put_off_until(change, alert, now_ms):
                self._put_off(recipient, notice, until_ms)
            else:
                told.append(notice)
                raised.add(change.alert_id)
        return told, dropped

    def _awaits_earlier(self, recipient: Recipient, change: Change, alert: dict[str, Any], now_ms: int) -> bool:
        """What came before an end has not been noted, or not been looked at: it may be inhibited, or the clock of who
        noted it may be ahead.
        """
        if now_ms - alert.get("changed_ms", 0) >= EARLIER_LIMIT_MS:
            return False
        return self.table.lacks_earlier(change) or self.table.waits_earlier(recipient, change)

    def _put_off_until(self, change: Change, alert: dict[str, Any], now_ms: int) -> int:
        if (snoozed_ms := alert.get("snoozed_until_ms", 0)) > now_ms:
            return int(snoozed_ms)
        above = covering_entities(change)
        if any(self.table.is_open(rule, above) for rule in change.inhibited_by):
            return now_ms + LOOK_AGAIN_MS
        return 0

    def _put_off(self, recipient: Recipient, notice: Notice, until_ms: int) -> None:
        pk = f"N#{recipient.name}"
        later = {
            "pk": pk,
            "sk": f"{until_ms:015d}#{notice.key.split('#', 1)[1]}",
            "row": json.dumps(notice.change.row),
            "put_off": True,
        }
        self.table.transact([self.table.delete(pk, notice.key, "attribute_exists(pk)"), self.table.put(later)])


def covering_entities(change: Change) -> list[str]:
    """What an inhibiting alert may be about: the entity, the parts of the site above it, its tags."""
    parts = change.site_path.split("/")
    return [
        change.entity,
        *("/".join(parts[:depth]) for depth in range(1, len(parts))),
        *filter(None, change.tags.split(";")),
    ]
