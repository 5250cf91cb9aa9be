"""Splits a history into billing cycles, and each cycle into billing segments at changes of the tariff version."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from flink_job.metering.zones import Zone, local_midnight_ms
from flink_job.tariffs.cycle import Changes, CycleError, Segment, cycle_at, part_at, segment_between
from flink_job.tariffs.model import Tariff


@dataclass(frozen=True)
class TariffInForce:
    """The tariff version in force on local days [since, until) (None: without end), and contracted power [1e-6 kW]."""

    tariff: Tariff
    since: date
    until: date | None
    contracted_u: Mapping[str, int] = field(default_factory=dict)


InForce = Callable[[date], TariffInForce]
"""Returns the tariff in force on a local day; raises CycleError if there is none."""


@dataclass(frozen=True)
class BillingTerms:
    """The time zone and billing cycles of a meter.

    `cycle_starts`: local days on which cycles begin, instead of `billing_day`; the last one ends the last cycle.
    `changes`: later billing days, which cut the cycle in which they begin.
    `until_ms`: end of the known data [epoch ms]; a cycle that ends later is open, and its time is charged until then.
    """

    zone: Zone
    billing_day: int = 1
    cycle_starts: tuple[date, ...] = ()
    until_ms: int | None = None
    changes: Changes = ()

    def cycle_at(self, day: date) -> tuple[date, date]:
        """Return the billing cycle [start, end) of a local day. Raises CycleError."""
        return cycle_at(day, self.billing_day, self.cycle_starts, self.changes)

    def part_at(self, day: date) -> tuple[date, date]:
        """Return the part [start, end) of a local day's cycle that no change cuts. Raises CycleError."""
        return part_at(day, self.cycle_at(day), self.cycle_starts, self.changes)

    def cycle_end(self, cycle_start: date) -> date:
        """Return the end of the cycle that begins on a day. Raises CycleError."""
        for billing_day in (self.billing_day, *(changed for _, changed in self.changes)):
            start, end = cycle_at(cycle_start, billing_day, self.cycle_starts)
            if start == cycle_start:
                return end
        return self.cycle_at(cycle_start)[1]


@dataclass(frozen=True)
class BillingSegment:
    """A billing segment with its tariff; `closes` is true if the cycle ends with it and is complete."""

    segment: Segment
    tariff: Tariff
    contracted_u: Mapping[str, int]
    start: date
    end: date
    charged_until_ms: int
    closes: bool
    closes_year: bool

    def ends_year(self, first_month: int) -> bool:
        """Return True if the cycle ends, and with it a year that begins in a month (1-12)."""
        start = self.segment.cycle_start
        end = start + timedelta(days=self.segment.cycle_days)
        turns = (date(year, first_month, 1) for year in range(start.year, end.year + 1))
        return self.closes and any(start < turn <= end for turn in turns)


def billing_segments(in_force: InForce, terms: BillingTerms, first_ms: int, last_ms: int) -> Iterator[BillingSegment]:
    """Yield the billing segments from the cycle of the first reading to that of the last, in order. Raises CycleError.

    Days after the last reading that have no tariff have no segment.
    """
    last = _day(last_ms, terms.zone)
    stop = terms.part_at(last)[1]
    start = _first_day(in_force, terms, _day(first_ms, terms.zone))
    while start < stop:
        cycle_start, cycle_end = cycle = terms.cycle_at(start)
        part_end = terms.part_at(start)[1]
        try:
            found = in_force(start)
        except CycleError:
            if start > last:
                return
            raise
        if terms.until_ms is not None and local_midnight_ms(start, terms.zone) >= terms.until_ms:
            return
        end = min(part_end, found.until or part_end)
        segment = segment_between(found.tariff.tariff_id, found.tariff.version, cycle, start, end, terms.zone)
        until = segment.segment_end_ms if terms.until_ms is None else min(terms.until_ms, segment.segment_end_ms)
        closes = end == part_end and until == segment.segment_end_ms
        closes_year = closes and cycle_end.year != cycle_start.year
        yield BillingSegment(segment, found.tariff, found.contracted_u, start, end, until, closes, closes_year)
        start = end


def _first_day(in_force: InForce, terms: BillingTerms, day: date) -> date:
    """Return the first day of the cycle that contains a day, or the first day with a tariff in it."""
    cycle_start, _ = terms.part_at(day)
    start = in_force(day).since
    while start > cycle_start:
        try:
            start = in_force(start - timedelta(days=1)).since
        except CycleError:
            return start
    return cycle_start


def versions_in_force(versions: Sequence[Tariff], contracted_u: Mapping[str, int] | None = None) -> InForce:
    """Return the lookup of the versions of one tariff: each ends at its valid_to or at the next one's valid_from."""
    ordered = sorted(versions, key=lambda t: t.valid_from)

    def in_force(day: date) -> TariffInForce:
        found = bisect_right([t.valid_from for t in ordered], day)
        tariff = ordered[max(found - 1, 0)]
        following = ordered[found].valid_from if found < len(ordered) else None
        until = min((d for d in (tariff.valid_to, following) if d is not None), default=None)
        if not found or (until is not None and day >= until):
            raise CycleError(
                f"no version of tariff {tariff.tariff_id!r} is in force on {day}: the nearest is "
                f"{tariff.version!r}, from {tariff.valid_from} to {tariff.valid_to or 'now'}"
            )
        return TariffInForce(tariff, tariff.valid_from, until, contracted_u or {})

    return in_force


def _day(instant_ms: int, zone: Zone) -> date:
    return datetime.fromtimestamp(instant_ms / 1000, zone).date()
