"""Clocks of devices that are ahead: which of their samples count.

An interval cannot begin after its record arrived. If it does, the device's clock is wrong: once, or steadily. Samples
of a clock that is steadily ahead raise and clear alerts, at the times that they state; a single wild time stamp does
not.
"""

from __future__ import annotations

from typing import NamedTuple

#: Largest distance from the beginning of an interval back to its arrival that counts as no distance [ms].
CLOCK_TOLERANCE_MS = 60_000
#: Samples that arrive within this time are one burst, as from a device that sends what it has stored [ms].
BURST_MS = 10_000


#: The signal that is measured here.
CLOCK_AHEAD = "clock_ahead_s"


def clock_ahead_s(at_ms: int, interval_s: int, arrival_ms: int) -> float:
    """By how much an interval ends after its arrival [s], at least 0; the device's clock is ahead by that or more."""
    return max(0, at_ms + interval_s * 1000 - arrival_ms) / 1000


class Claim(NamedTuple):
    """Distance `ahead_ms` of the clock in a burst, by the sample at `at_ms`; `counts`: that sample counted."""

    ahead_ms: int = 0
    at_ms: int = -1
    counts: bool = False


class Clock:
    """The clock of a device: a sample that is ahead counts if one of the burst of arrivals before was as far ahead.

    So it takes two samples of different times, and a sample of the right time between them undoes the first. There is
    no limit here: readings that are more than `max_future_s` ahead have been rejected.
    """

    def __init__(self) -> None:
        self.burst_ms = 0
        self.before = self.newest = Claim()
        #: True while a sample of the right time must be known, too.
        self.is_ahead = False

    def counts(self, at_ms: int, arrival_ms: int) -> bool:
        """True if a sample that begins at `at_ms` and arrives at `arrival_ms` may change alerts."""
        ahead_ms = at_ms - arrival_ms
        if not 0 <= arrival_ms - self.burst_ms <= BURST_MS:
            self.before, self.newest, self.burst_ms = self.newest, Claim(), arrival_ms
        if ahead_ms <= CLOCK_TOLERANCE_MS:
            self.is_ahead = self.before.ahead_ms > 0 or self.newest.ahead_ms > 0
            return True
        before = self.before
        is_as_far = 0 < before.ahead_ms and ahead_ms <= before.ahead_ms + CLOCK_TOLERANCE_MS
        counts = is_as_far and (before.counts or at_ms > before.at_ms)
        if ahead_ms > self.newest.ahead_ms:
            self.newest = Claim(ahead_ms, at_ms, counts)
        self.is_ahead = True
        return counts
