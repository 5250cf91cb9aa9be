"""A history cut into billing cycles, and each cycle at changes of the tariff's version."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flink_job.metering.contract import local_midnight_ms
from flink_job.tariffs.cycle import CycleError, Segment, cycle_at
from flink_job.tariffs.model import Tariff


@dataclass(frozen=True)
class Agreement:
    """What prices a local day, from `since` until `until` (local days, None: for ever): a version of a tariff, and the
    contracted power [1e-6 kW] by period.
    """

    tariff: Tariff
    since: date
    until: date | None
    contracted_u: Mapping[str, int] = field(default_factory=dict)


InForce = Callable[[date], Agreement]
"""The agreement in force on a local day; raises CycleError where there is none."""


@dataclass(frozen=True)
class Terms:
    """What a bill needs beside the tariff: time zone and billing cycles.

    `cycle_starts`: local days on which cycles begin, where they are read dates rather than a day of the month; the
    last one ends the last cycle. `until_ms` (epoch ms): what is known so far; a cycle that ends later is open and is
    charged for time until then.
    """

    zone: ZoneInfo
    billing_day: int = 1
    cycle_starts: tuple[date, ...] = ()
    until_ms: int | None = None

    def cycle_at(self, day: date) -> tuple[date, date]:
        """The billing cycle [start, end) of a local day. Raises CycleError."""
        return cycle_at(day, self.billing_day, self.cycle_starts)


@dataclass(frozen=True)
class Span:
    """A segment of a cycle with what prices it; `closes` where the cycle ends with it and is over."""

    segment: Segment
    tariff: Tariff
    contracted_u: Mapping[str, int]
    start: date
    end: date
    charged_until_ms: int
    closes: bool
    closes_year: bool


def spans(in_force: InForce, terms: Terms, first_ms: int, last_ms: int) -> Iterator[Span]:
    """The segments from the cycle of the first reading to the end of that of the last, in order. Raises CycleError.

    The time after the last reading may have no tariff any more: it has no segment then.
    """
    last = _day(last_ms, terms.zone)
    stop = terms.cycle_at(last)[1]
    start = _first_day(in_force, terms, _day(first_ms, terms.zone))
    while start < stop:
        cycle_start, cycle_end = terms.cycle_at(start)
        try:
            agreement = in_force(start)
        except CycleError:
            if start > last:
                return
            raise
        if terms.until_ms is not None and local_midnight_ms(start, terms.zone) >= terms.until_ms:
            return
        end = min(cycle_end, agreement.until or cycle_end)
        segment = Segment(
            agreement.tariff.tariff_id,
            agreement.tariff.version,
            cycle_start,
            local_midnight_ms(cycle_start, terms.zone),
            local_midnight_ms(cycle_end, terms.zone),
            (cycle_end - cycle_start).days,
            (end - start).days,
            local_midnight_ms(start, terms.zone),
            local_midnight_ms(end, terms.zone),
        )
        until = segment.segment_end_ms if terms.until_ms is None else min(terms.until_ms, segment.segment_end_ms)
        closes = end == cycle_end and until == segment.segment_end_ms
        closes_year = closes and cycle_end.year != cycle_start.year
        yield Span(segment, agreement.tariff, agreement.contracted_u, start, end, until, closes, closes_year)
        start = end


def _first_day(in_force: InForce, terms: Terms, day: date) -> date:
    """The first day of the cycle that holds a day, or of what prices it where nothing did before."""
    cycle_start, _ = terms.cycle_at(day)
    start = in_force(day).since
    while start > cycle_start:
        try:
            start = in_force(start - timedelta(days=1)).since
        except CycleError:
            return start
    return cycle_start


def versions_in_force(versions: Sequence[Tariff], contracted_u: Mapping[str, int] | None = None) -> InForce:
    """Of one tariff's versions, each lasts until its valid_to or the next one's valid_from."""
    ordered = sorted(versions, key=lambda t: t.valid_from)

    def in_force(day: date) -> Agreement:
        found = bisect_right([t.valid_from for t in ordered], day)
        tariff = ordered[max(found - 1, 0)]
        following = ordered[found].valid_from if found < len(ordered) else None
        until = min((d for d in (tariff.valid_to, following) if d is not None), default=None)
        if not found or (until is not None and day >= until):
            raise CycleError(
                f"no version of tariff {tariff.tariff_id!r} is in force on {day}: the nearest is "
                f"{tariff.version!r}, from {tariff.valid_from} to {tariff.valid_to or 'now'}"
            )
        return Agreement(tariff, tariff.valid_from, until, contracted_u or {})

    return in_force


def _day(instant_ms: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(instant_ms / 1000, zone).date()
