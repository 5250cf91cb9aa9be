"""Billing cycles and billing segments: the part of a cycle that one tariff version prices."""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple, TypeAlias

from flink_job.errors import MeteringError
from flink_job.metering.zones import local_midnight_ms

_DAY_MS = 86_400_000


class Segment(NamedTuple):
    """A billing segment: the part of a billing cycle that one tariff version prices.

    Tier bounds, demand and monthly charges are prorated by `segment_days` / `cycle_days`. Instants are epoch ms.
    `power_u`: contracted power [1e-6 kW] by period of the tariff's contracted power, if it has one. `is_chained`:
    another version of the tariff prices another part of the cycle.
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
    power_u: tuple[int, ...] = ()
    is_chained: bool = False

    @property
    def start(self) -> date:
        """First local day of the segment."""
        return self.cycle_start + timedelta(days=round((self.segment_start_ms - self.cycle_start_ms) / _DAY_MS))

    @property
    def end(self) -> date:
        """Local day after the last of the segment."""
        return self.start + timedelta(days=self.segment_days)

    @property
    def utc_offset(self) -> tzinfo:
        """UTC offset of the meter at the start of the cycle."""
        midnight = datetime.combine(self.cycle_start, datetime.min.time(), UTC)
        return timezone(timedelta(milliseconds=midnight.timestamp() * 1000 - self.cycle_start_ms))

    def bill_key(self) -> str:
        """Return the state key of the accumulators of a meter: the cycle and the tariff version.

        The bounds of the segment are not part of it: a contract change within the cycle moves them but continues the
        bill.
        """
        return f"{self.cycle_start.isoformat()}|{self.tariff_id}|{self.tariff_version}"

    def key(self) -> str:
        """Return the segment as one string, which `segment_of` parses."""
        parts = (
            self.cycle_start.isoformat(),
            *self[3:9],
            self.tariff_id,
            self.tariff_version,
        )
        key = "|".join(str(part) for part in parts)
        if not self.power_u and not self.is_chained:
            return key
        return f"{key}|{','.join(map(str, self.power_u))}|{int(self.is_chained)}"


def segment_of(key: str) -> Segment:
    """Parse the `key()` of a segment."""
    start, *parts = key.split("|")
    a, b, c, d, e, f = map(int, parts[:6])
    tariff_id, version, *more = parts[6:]
    power, is_chained = more or ("", "0")
    power_u = tuple(map(int, power.split(","))) if power else ()
    return Segment(tariff_id, version, date.fromisoformat(start), a, b, c, d, e, f, power_u, is_chained == "1")


def segment_between(
    tariff_id: str, version: str, cycle: tuple[date, date], start: date, end: date, zone: tzinfo
) -> Segment:
    """Return the segment [start, end) of a billing cycle, in local days of `zone`."""
    cycle_start, cycle_end = cycle
    return Segment(
        tariff_id,
        version,
        cycle_start,
        local_midnight_ms(cycle_start, zone),
        local_midnight_ms(cycle_end, zone),
        (cycle_end - cycle_start).days,
        (end - start).days,
        local_midnight_ms(start, zone),
        local_midnight_ms(end, zone),
    )


def cycle_of(day: date, billing_day: int) -> tuple[date, date]:
    """Return the billing cycle [start, end) that contains the local `day`.

    In a month shorter than `billing_day` the cycle begins on the last day.
    """
    start = _begin(day.year, day.month, billing_day)
    if day < start:
        last_month = day.replace(day=1) - timedelta(days=1)
        return _begin(last_month.year, last_month.month, billing_day), start
    next_month = day.replace(day=28) + timedelta(days=4)
    return start, _begin(next_month.year, next_month.month, billing_day)


Changes: TypeAlias = Sequence[tuple[date, int]]
"""Later billing days, each with the date from which it applies; sorted."""


class CycleError(MeteringError, ValueError):
    """A day without a billing cycle or without a tariff version in force."""


def cycle_at(
    day: date, billing_day: int, cycle_starts: Sequence[date] = (), changes: Changes = ()
) -> tuple[date, date]:
    """Return the billing cycle [start, end) that contains the local `day`, by day of the month or by `cycle_starts`.

    Each of the sorted `cycle_starts` begins a cycle and ends the previous one. Without them, `changes` replace the
    billing day from their date on. Raises CycleError.
    """
    if not cycle_starts:
        begun = [changed for since, changed in changes if since <= day]
        return cycle_of(day, begun[-1] if begun else billing_day)
    found = bisect_right(cycle_starts, day)
    if not 0 < found < len(cycle_starts):
        known = f"{cycle_starts[0]} to {cycle_starts[-1]}"
        raise CycleError(f"no billing cycle contains {day}: cycle starts cover {known}; give more cycle starts")
    return cycle_starts[found - 1], cycle_starts[found]


def part_at(day: date, cycle: tuple[date, date], cycle_starts: Sequence[date], changes: Changes) -> tuple[date, date]:
    """Return the part [start, end) of the cycle of a local day that no change of the billing day cuts."""
    start, end = cycle
    for since, _ in () if cycle_starts else changes:
        start, end = (max(start, since), end) if since <= day else (start, min(end, since))
    return start, end


def _begin(year: int, month: int, billing_day: int) -> date:
    return date(year, month, min(billing_day, monthrange(year, month)[1]))
