"""Limits per recipient: a token bucket, budgets per hour and day, and a circuit breaker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .routes import Recipient
from .table import AlertTable

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
#: Consecutive failures that open the breaker, and the time it stays open: doubled with each further failure.
FAILURES, OPEN_MS, MAX_OPEN_MS = 3, 60_000, 900_000


@dataclass(frozen=True)
class Allowance:
    """Tokens and messages sent of a recipient, at one time; hours and days are counted from the epoch."""

    tokens: float
    hour: int
    hour_sent: int
    day: int
    day_sent: int
    within_budget: bool

    @classmethod
    def of(cls, recipient: Recipient, rate: dict[str, Any], now_ms: int) -> Allowance:
        """The allowance of a recipient at `now_ms`, from its item `RATE`."""
        earned = (now_ms - rate.get("filled_ms", now_ms)) / (recipient.refill_s * 1000)
        tokens = float(min(recipient.tokens, rate.get("tokens", recipient.tokens) + earned))
        hour, day = now_ms // HOUR_MS, now_ms // DAY_MS
        hour_sent = int(rate.get("hour_sent", 0)) if rate.get("hour") == hour else 0
        day_sent = int(rate.get("day_sent", 0)) if rate.get("day") == day else 0
        within = hour_sent < recipient.per_hour and day_sent < recipient.per_day
        return cls(tokens, hour, hour_sent, day, day_sent, within)

    def may_send(self, is_emergency: bool) -> bool:
        """True if a message may be sent. Emergencies need no token, but count against the budgets."""
        return self.within_budget and (is_emergency or self.tokens >= 1)

    def after(self, messages: int) -> dict[str, Any]:
        """The attributes of the item `RATE` after sending 0 or 1 `messages`."""
        return {
            "tokens": self.tokens - (min(1.0, self.tokens) if messages else 0),
            "hour": self.hour,
            "hour_sent": self.hour_sent + messages,
            "day": self.day,
            "day_sent": self.day_sent + messages,
        }


class Breaker:
    """Circuit breaker: after consecutive failures a recipient gets no message for a while, then one as a trial."""

    def __init__(self, table: AlertTable, recipient: Recipient) -> None:
        self._table, self._key = table, (f"R#{recipient.name}", "BREAKER")
        self._state = table.get(*self._key) or {}

    def is_open(self, now_ms: int) -> bool:
        return bool(self._state.get("open_until_ms", 0) > now_ms)

    def failed(self, now_ms: int) -> None:
        """Record a failure."""
        failures = int(self._state.get("failures", 0)) + 1
        open_ms = min(MAX_OPEN_MS, OPEN_MS * 2 ** min(10, failures - FAILURES)) if failures >= FAILURES else 0
        pk, sk = self._key
        self._state = {"pk": pk, "sk": sk, "failures": failures, "open_until_ms": now_ms + open_ms if open_ms else 0}
        self._table.transact([self._table.put(self._state)])

    def succeeded(self) -> None:
        """Reset the breaker after a message was accepted."""
        if self._state:
            self._state = {}
            self._table.transact([self._table.delete(*self._key)])
