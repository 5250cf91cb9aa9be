"""A billing segment with its readings, tariff and prices: the input of the functions that compute bill lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.calendar import Calendar, Timeline
from flink_job.tariffs.exact import Ints, round_div, times
from flink_job.tariffs.history.intervals import Intervals, with_close
from flink_job.tariffs.history.segments import BillingSegment, BillingTerms
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.prices import PriceSeries
from flink_job.tariffs.state import Basis


@dataclass
class CarryOver:
    """Values carried over to the next billing cycle.

    `peaks_ukw`: (first day, highest demand [1e-6 kW] of each demand period and of `flat`) of each cycle;
    `cycle_peaks_ukw`: those of the present one. `bank_ukwh`: banked energy by TOU period [1e-6 kWh] of
    `bank_segment`. `credit`, `charged_in_year`: 1e-6 currency. `energy_in_year`: imported energy of the earlier cycles
    of the calendar year [1e-6 kWh].
    """

    peaks_ukw: list[tuple[date, Mapping[str, int]]] = field(default_factory=list)
    cycle_peaks_ukw: dict[str, int] = field(default_factory=dict)
    bank_ukwh: dict[int, int] = field(default_factory=dict)
    bank_segment: BillingSegment | None = None
    credit: int = 0
    charged_in_year: int = 0
    energy_in_year: int = 0

    def copy(self) -> CarryOver:
        """Return a copy, for segments whose values a later segment of the cycle replaces."""
        peaks, cycle_peaks, bank = list(self.peaks_ukw), dict(self.cycle_peaks_ukw), dict(self.bank_ukwh)
        return replace(self, peaks_ukw=peaks, cycle_peaks_ukw=cycle_peaks, bank_ukwh=bank)

    def raise_peaks(self, peaks_ukw: Mapping[str, int]) -> None:
        """Keep the highest demand of the present cycle."""
        for name, peak in peaks_ukw.items():
            self.cycle_peaks_ukw[name] = max(peak, self.cycle_peaks_ukw.get(name, 0))

    def close_cycle(self, start: date) -> None:
        """Keep the peaks of a complete cycle, by its first day, for later ones."""
        self.peaks_ukw.append((start, self.cycle_peaks_ukw))
        self.cycle_peaks_ukw = {}


@dataclass(frozen=True)
class Divided:
    """Readings divided by time at the borders of TOU periods: `context` has the parts as its readings.

    `last`: index of the last part of each reading, shape (n,).
    """

    context: SegmentContext
    last: NDArray[np.int64]

    def by_reading(self, running: Ints) -> Ints:
        """Return the running values after each reading and at the close, shape (n + 1,), from those after each part."""
        return np.append(running[self.last], running[-1])

    def by_part(self, running: Ints) -> Ints:
        """Return the values after each part and at the close: those after its reading."""
        counts = np.diff(self.last, prepend=-1)
        return np.append(np.repeat(running[:-1], counts), running[-1])

    def summed(self, energy: Ints) -> Ints:
        """Return the energy of each reading from that of its parts."""
        return np.diff(np.cumsum(energy)[self.last], prepend=0)


@dataclass(frozen=True)
class SegmentContext:
    """A billing segment with the n readings in it.

    The functions of bill lines return running amounts [1e-6 currency] of shape (n + 1,): after each reading, and at the
    close of the segment. `parts` are the segments of a chain (flink_job.tariffs.history.chains), if it is one: a
    reading has the TOU period of the version in force at its time. `demand_ukwh`: energy that counts for demand
    [1e-6 kWh], netted within the interval alone where exports are netted. `divided`: the readings by TOU period, if any
    is over a border; the periods of such a context are `own_period`.
    """

    billing: BillingSegment
    tariff: Tariff
    terms: BillingTerms
    data: Intervals
    demand_ukwh: Ints
    series: Mapping[str, PriceSeries]
    parts: Sequence[BillingSegment] = ()
    divided: Divided | None = None
    own_period: NDArray[np.int64] | None = None

    @cached_property
    def basis(self) -> Basis:
        """Basis of shape (1,): one segment for all readings."""
        return Basis.of([self.billing.segment], np.zeros(1, dtype=np.int64), self.tariff)

    @property
    def of_periods(self) -> SegmentContext:
        """The context whose readings lie in one TOU period each: itself, if no reading is over a border."""
        return self if self.divided is None else self.divided.context

    @cached_property
    def period(self) -> NDArray[np.int64]:
        """TOU period of each reading, by its start."""
        if self.own_period is not None:
            return self.own_period
        return self.periods_at(lambda tariff: tariff.calendar, self.data.start_ms)

    def periods_at(self, calendar_of: Callable[[Tariff], Calendar], instants_ms: Ints) -> NDArray[np.int64]:
        """Return the periods at instants [epoch ms], as indices of the periods of the tariff's own calendar.

        They follow the clock of the tariff, if it has a time zone, and otherwise that of the contract.
        """
        own = calendar_of(self.tariff)
        if len(self.parts) <= 1:
            return own.timeline(self.tariff.timezone or self.terms.zone).periods_at(instants_ms)
        found = np.zeros(len(instants_ms), dtype=np.int64)
        for part in self.parts:
            inside = (instants_ms >= part.segment.segment_start_ms) & (instants_ms < part.segment.segment_end_ms)
            calendar = calendar_of(part.tariff)
            index = np.array([own.periods.index(name) for name in calendar.periods], dtype=np.int64)
            timeline = calendar.timeline(part.tariff.timezone or self.terms.zone)
            found[inside] = index[timeline.periods_at(instants_ms[inside])]
        return found

    def timelines(self, starts_ms: Ints) -> Iterator[tuple[Timeline, Any]]:
        """Yield the timeline of TOU periods of each version, with the index of the starts that lie in its segment."""
        if len(self.parts) <= 1:
            yield self.tariff.calendar.timeline(self.tariff.timezone or self.terms.zone), slice(None)
            return
        for part in self.parts:
            inside = (starts_ms >= part.segment.segment_start_ms) & (starts_ms < part.segment.segment_end_ms)
            yield part.tariff.calendar.timeline(part.tariff.timezone or self.terms.zone), inside

    def parts_between(self, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """Return (start, TOU period) of the parts of a reading, by the version in force at its start."""
        instant = np.array([start_ms], dtype=np.int64)
        (timeline,) = (each for each, inside in self.timelines(instant) if np.ones(1, dtype=bool)[inside].any())
        names = self.tariff.calendar.periods
        return [(at, names.index(timeline.calendar.periods[p])) for at, p in timeline.parts(start_ms, end_ms)]

    @property
    def is_own(self) -> NDArray[np.bool_]:
        """True for the readings of the segment of a chain that this version prices; for all if it is no chain."""
        own = [part.segment for part in self.parts if part.tariff is self.billing.tariff] or [self.billing.segment]
        starts = self.data.start_ms
        return (starts >= own[0].segment_start_ms) & (starts < own[-1].segment_end_ms)

    @cached_property
    def at_ms(self) -> NDArray[np.int64]:
        """Instant up to which time is charged, after each reading and at the close [epoch ms]."""
        until = self.billing.charged_until_ms
        ends = np.maximum.accumulate(np.append(self.data.end_ms, until))
        return np.clip(ends, self.billing.segment.segment_start_ms, until)

    @property
    def month(self) -> int:
        """Month (1-12) in which the cycle begins."""
        return self.billing.segment.cycle_start.month

    def accrued(self, amount: int) -> Ints:
        """Return an amount of the segment [1e-6 currency], accrued in proportion to the time charged."""
        segment = self.billing.segment
        elapsed = self.at_ms - segment.segment_start_ms
        return round_div(times(elapsed, amount), segment.segment_end_ms - segment.segment_start_ms).astype(np.int64)

    def imported(self) -> Ints:
        """Return the running imported energy [1e-6 kWh]."""
        return with_close(np.cumsum(self.data.import_ukwh))

    @cached_property
    def interval_month(self) -> NDArray[np.int64]:
        """Month (0-11) in which each reading begins, in local time."""
        zone, segment = self.terms.zone, self.billing.segment
        day = datetime.fromtimestamp(segment.segment_start_ms / 1000, zone)
        starts, months = [segment.segment_start_ms], [day.month - 1]
        while True:
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            begin = int(datetime(day.year, day.month, 1, tzinfo=zone).astimezone(UTC).timestamp() * 1000)
            if begin >= segment.segment_end_ms:
                break
            starts.append(begin)
            months.append(day.month - 1)
        return np.asarray(np.array(months)[np.searchsorted(starts, self.data.start_ms, "right") - 1])
