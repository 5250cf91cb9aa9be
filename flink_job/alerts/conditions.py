"""Conditions: `> 85`, `<= 2.5`, `outside 48..52`, `inside 10..20`.

Every condition is an interval with open or closed ends, or its complement. Whether it can fire, whether it implies
another condition, and whether a value is clear are comparisons of intervals.
"""

from __future__ import annotations

import re
from math import inf
from typing import NamedTuple

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_COMPARISON = re.compile(rf"\s*(>=|<=|>|<)\s*({_NUMBER})\s*")
_BAND = re.compile(rf"\s*(inside|outside)\s+({_NUMBER})\s*\.\.\s*({_NUMBER})\s*")
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*")


class ConditionError(ValueError):
    """An invalid condition; the message has a valid example."""


class Condition(NamedTuple):
    """A condition on a value: value > low (>= if `low_counts`) and value < high (<= if `high_counts`).

    `outside` negates it. `text` is the condition as written.
    """

    text: str
    low: float
    high: float
    low_counts: bool
    high_counts: bool
    outside: bool

    def holds(self, value: float) -> bool:
        """True if the value satisfies the condition."""
        above = value > self.low or (self.low_counts and value == self.low)
        below = value < self.high or (self.high_counts and value == self.high)
        return (above and below) != self.outside

    def holds_from(self, value: float) -> bool:
        """True if the value and every greater one satisfy the condition."""
        return self.holds(value) and (value > self.low if self.outside else self.high == inf)

    def threshold(self, value: float) -> float:
        """The limit that `value` is compared with; of a band, the nearer one."""
        if self.low == -inf:
            return self.high
        if self.high == inf:
            return self.low
        return self.low if abs(value - self.low) <= abs(value - self.high) else self.high

    def implies(self, other: Condition) -> bool:
        """True if every value that satisfies this condition satisfies `other` too; both have the same kind."""
        if self.outside:
            return self.low <= other.low and self.high >= other.high
        return self.low >= other.low and self.high <= other.high

    def kind(self) -> str:
        """`above`, `below`, `inside` or `outside`; the levels of a rule have the same kind."""
        if self.low != -inf and self.high != inf:
            return "outside" if self.outside else "inside"
        return "above" if self.high == inf else "below"

    def can_hold(self, lowest: float, highest: float) -> bool:
        """True if some value in [lowest, highest] satisfies the condition."""
        if not self.outside:
            return (
                self.low < self.high
                and (self.low < highest or (self.low_counts and self.low == highest))
                and (self.high > lowest or (self.high_counts and self.high == lowest))
            )
        return lowest < self.low or highest > self.high


def parse_condition(text: str) -> Condition:
    """Parse a condition such as `> 85`. Raises ConditionError."""
    if found := _COMPARISON.fullmatch(text):
        sign, limit = found[1], float(found[2])
        if sign.startswith(">"):
            return Condition(text.strip(), limit, inf, sign == ">=", False, False)
        return Condition(text.strip(), -inf, limit, False, sign == "<=", False)
    if found := _BAND.fullmatch(text):
        low, high = float(found[2]), float(found[3])
        if low >= high:
            raise ConditionError(f"{text!r}: {low:g} is not below {high:g}")
        return Condition(text.strip(), low, high, True, True, found[1] == "outside")
    raise ConditionError(f"{text!r} is not a condition; write '> 85', '<= 2.5', 'outside 48..52' or 'inside 10..20'")


def clear_condition(breach: Condition, clear_at: str) -> Condition:
    """The condition of a clear value: by default, that it does not breach; `clear_at` adds hysteresis.

    With clear_at `80`, `> 85` is clear at <= 80; with `49..51`, `outside 48..52` is clear inside that band; with
    `8..22`, `inside 10..20` is clear outside that band. Raises ConditionError if clear_at is on the breaching side.
    """
    if breach.kind() in ("above", "below"):
        return _clear_of_limit(breach, clear_at)
    low, high = breach.low, breach.high
    if clear_at:
        found = _RANGE.fullmatch(clear_at)
        if not found or float(found[1]) > float(found[2]):
            raise ConditionError(f"clear_at {clear_at!r} must be a band such as '49..51'")
        low, high = float(found[1]), float(found[2])
        inner, outer = ((low, high), breach[1:3]) if breach.outside else (breach[1:3], (low, high))
        if not (outer[0] <= inner[0] and inner[1] <= outer[1]):
            where = "within" if breach.outside else "around"
            raise ConditionError(f"clear_at {clear_at!r} must be {where} {breach.low:g}..{breach.high:g}")
    return Condition(f"clear of {breach.text}", low, high, True, True, not breach.outside)


def _clear_of_limit(breach: Condition, clear_at: str) -> Condition:
    above = breach.kind() == "above"
    limit = breach.low if above else breach.high
    try:
        at = float(clear_at) if clear_at else limit
    except ValueError:
        raise ConditionError(f"clear_at {clear_at!r} is not a number") from None
    if (above and at > limit) or (not above and at < limit):
        side = "above" if above else "below"
        raise ConditionError(f"clear_at {at:g} is {side} the limit {limit:g}, where values breach")
    # At the limit itself a value is clear if and only if it does not breach.
    counts = at != limit or not (breach.low_counts if above else breach.high_counts)
    if above:
        return Condition(f"clear of {breach.text}", -inf, at, False, counts, False)
    return Condition(f"clear of {breach.text}", at, inf, counts, False, False)
