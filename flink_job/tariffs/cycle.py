"""Billing cycles: the local days that one bill covers, and the part of them that one tariff version prices."""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple


class Segment(NamedTuple):
    """The part of a billing cycle priced by one tariff version.

    Tier bounds, demand and monthly charges are prorated by `segment_days` / `cycle_days`. Instants are epoch ms.
    """

    tariff_id: str
    tariff_version: str
    cycle_start: date
    cycle_start_ms: int
    cycle_end_ms: int
    cycle_days: int
    segment_days: int
    segment_start_ms: int
    segment_end_ms: int

    def bill_key(self) -> str:
        """What the accumulators of a meter are kept under: the cycle and the tariff version.

        Without the segment's bounds: when a contract is changed in mid-cycle they move, but the bill goes on.
        """
        return f"{self.cycle_start.isoformat()}|{self.tariff_id}|{self.tariff_version}"

    def key(self) -> str:
        """The segment as one string; see `segment_of`."""
        parts = (
            self.cycle_start.isoformat(),
            *self[3:],
            self.tariff_id,
            self.tariff_version,
        )
        return "|".join(str(part) for part in parts)


def segment_of(key: str) -> Segment:
    """The segment whose `key()` this is."""
    start, *numbers, tariff_id, version = key.split("|")
    return Segment(tariff_id, version, date.fromisoformat(start), *map(int, numbers))


def cycle_of(day: date, billing_day: int) -> tuple[date, date]:
    """The billing cycle [start, end) that holds the local `day`.

    A month shorter than `billing_day` begins its cycle on its last day.
    """
    start = _begin(day.year, day.month, billing_day)
    if day < start:
        last_month = day.replace(day=1) - timedelta(days=1)
        return _begin(last_month.year, last_month.month, billing_day), start
    next_month = day.replace(day=28) + timedelta(days=4)
    return start, _begin(next_month.year, next_month.month, billing_day)


class CycleError(ValueError):
    """A day that no billing cycle, or nothing that prices it, covers."""


def cycle_at(day: date, billing_day: int, cycle_starts: Sequence[date] = ()) -> tuple[date, date]:
    """The billing cycle [start, end) that holds the local `day`, by the day of the month or by read dates.

    Of sorted `cycle_starts` each begins a cycle and ends the one before. Raises CycleError.
    """
    if not cycle_starts:
        return cycle_of(day, billing_day)
    found = bisect_right(cycle_starts, day)
    if not 0 < found < len(cycle_starts):
        known = f"{cycle_starts[0]} to {cycle_starts[-1]}"
        raise CycleError(f"no billing cycle holds {day}: they run from {known}; give more cycle starts")
    return cycle_starts[found - 1], cycle_starts[found]


def _begin(year: int, month: int, billing_day: int) -> date:
    return date(year, month, min(billing_day, monthrange(year, month)[1]))
