"""A history cut into billing cycles, and each cycle at changes of the tariff's version."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flink_job.metering.contract import local_midnight_ms
from flink_job.tariffs.cycle import Segment, cycle_of
from flink_job.tariffs.model import Tariff


class CycleError(ValueError):
    """A day that no billing cycle, or no version of the tariff, covers."""


@dataclass(frozen=True)
class Terms:
    """What a bill needs beside the tariff: time zone, billing cycles, contracted power [1e-6 kW] by period.

    `cycle_starts`: local days on which cycles begin, where they are read dates rather than a day of the month; the
    last one ends the last cycle.
    """

    zone: ZoneInfo
    billing_day: int = 1
    cycle_starts: tuple[date, ...] = ()
    contracted_u: Mapping[str, int] = field(default_factory=dict)

    def cycle_at(self, day: date) -> tuple[date, date]:
        """The billing cycle [start, end) of a local day. Raises CycleError."""
        if not self.cycle_starts:
            return cycle_of(day, self.billing_day)
        found = bisect_right(self.cycle_starts, day)
        if not 0 < found < len(self.cycle_starts):
            raise CycleError(
                f"no billing cycle holds {day}: they run from {self.cycle_starts[0]} to "
                f"{self.cycle_starts[-1]}; give more cycle starts"
            )
        return self.cycle_starts[found - 1], self.cycle_starts[found]


@dataclass(frozen=True)
class Span:
    """A segment of a cycle with the version that prices it; `closes` where the cycle ends with it."""

    segment: Segment
    tariff: Tariff
    start: date
    end: date
    closes: bool
    closes_year: bool


def spans(versions: Sequence[Tariff], terms: Terms, first_ms: int, last_ms: int) -> Iterator[Span]:
    """The segments from the cycle of the first reading to that of the last, in order.

    A version lasts until its valid_to or the next one's valid_from. Raises CycleError.
    """
    versions = sorted(versions, key=lambda t: t.valid_from)
    day = _day(first_ms, terms.zone)
    last = _day(last_ms, terms.zone)
    start = max(terms.cycle_at(day)[0], min(versions[0].valid_from, day))
    while start <= last:
        cycle_start, cycle_end = terms.cycle_at(start)
        tariff, until = _in_force(versions, start)
        end = min(cycle_end, until or cycle_end)
        segment = Segment(
            tariff.tariff_id,
            tariff.version,
            cycle_start,
            local_midnight_ms(cycle_start, terms.zone),
            local_midnight_ms(cycle_end, terms.zone),
            (cycle_end - cycle_start).days,
            (end - start).days,
            local_midnight_ms(start, terms.zone),
            local_midnight_ms(end, terms.zone),
        )
        closes = end == cycle_end
        yield Span(segment, tariff, start, end, closes, closes and cycle_end.year != cycle_start.year)
        start = end


def _in_force(versions: Sequence[Tariff], day: date) -> tuple[Tariff, date | None]:
    """(version, first day no longer) on a local day."""
    found = bisect_right([t.valid_from for t in versions], day)
    tariff = versions[found - 1] if found else versions[0]
    following = versions[found].valid_from if found < len(versions) else None
    until = min((d for d in (tariff.valid_to, following) if d is not None), default=None)
    if not found or (until is not None and day >= until):
        raise CycleError(
            f"no version of tariff {tariff.tariff_id!r} is in force on {day}: the nearest is "
            f"{tariff.version!r}, from {tariff.valid_from} to {tariff.valid_to or 'now'}"
        )
    return tariff, until


def _day(instant_ms: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(instant_ms / 1000, zone).date()
