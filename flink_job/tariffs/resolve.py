"""Resolving a reading: which tariff version, billing cycle, TOU period, demand interval and local day it lies in."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.contract import Assignment, Contract, local_midnight_ms
from flink_job.tariffs.calendar import Timeline
from flink_job.tariffs.cycle import CycleError, Segment, cycle_at
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.registry import TariffRegistry, UnknownTariffError


class Position(NamedTuple):
    """Where a reading lies. Instants are epoch ms; `demand_slot` is 0 outside every demand period."""

    segment: Segment
    segment_key: str
    bill_key: str
    tou_period: int
    demand_slot: int
    demand_start_ms: int
    demand_window_s: int
    day_start_ms: int
    day_s: int


@dataclass
class _Span:
    """A segment with what is needed to place a reading in it."""

    segment: Segment
    key: str
    bill_key: str
    tariff: Tariff
    timeline: Timeline


class LocalDays:
    """Beginnings of the local days of a time zone, as sorted epoch ms, filled as days are asked for."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._starts: list[int] = []

    def day_of(self, instant_ms: int) -> tuple[int, int]:
        """(start, end) of the local day that holds an instant, epoch ms."""
        starts = self._starts
        found = bisect_right(starts, instant_ms)
        if not 0 < found < len(starts):
            self._cover(instant_ms)
            starts = self._starts
            found = bisect_right(starts, instant_ms)
        return starts[found - 1], starts[found]

    def starts_at(self, instants_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Beginnings of the local days that hold sorted instants (epoch ms), shape (n,)."""
        if not len(instants_ms):
            return instants_ms
        self.day_of(int(instants_ms[0]))
        self.day_of(int(instants_ms[-1]))
        starts = np.array(self._starts, dtype=np.int64)
        return np.asarray(starts[np.searchsorted(starts, instants_ms, "right") - 1])

    def _cover(self, instant_ms: int) -> None:
        year = datetime.fromtimestamp(instant_ms / 1000, self.zone).year
        have = [datetime.fromtimestamp(ms / 1000, self.zone).year for ms in (self._starts[:1] + self._starts[-1:])]
        day, last = date(min([year, *have]), 1, 1), date(max([year, *have]) + 1, 1, 1)
        self._starts = []
        while day <= last:
            self._starts.append(local_midnight_ms(day, self.zone))
            day += timedelta(days=1)


@cache
def local_days(timezone: str) -> LocalDays:
    """The local days of a zone, shared by all meters in it."""
    return LocalDays(ZoneInfo(timezone))


@dataclass
class MeterTimeline:
    """A contract with the tariff registry, as spans of time: a position costs a look at the last span used."""

    contract: Contract
    registry: TariffRegistry
    timelines: dict[tuple[str, str, str], Timeline]
    _spans: list[_Span] = field(default_factory=list)
    _last: _Span | None = None

    def position(self, instant_ms: int) -> Position:
        """Where a reading that begins at an instant lies.

        Raises UnknownTariffError (no assignment, tariff or version) or CalendarError (a year without holidays).
        """
        span = self._last
        if span is None or not span.segment.segment_start_ms <= instant_ms < span.segment.segment_end_ms:
            span = self._last = self._span_at(instant_ms)
        tariff = span.tariff
        period = span.timeline.period_at(instant_ms)
        day_start, day_end = local_days(self.contract.timezone).day_of(instant_ms)
        window_ms = tariff.demand_window_s * 1000
        return Position(
            span.segment,
            span.key,
            span.bill_key,
            period,
            tariff.demand_periods.get(tariff.periods[period], 0) if tariff.demand_periods else 0,
            day_start + (instant_ms - day_start) // window_ms * window_ms,
            tariff.demand_window_s,
            day_start,
            (day_end - day_start) // 1000,
        )

    def _span_at(self, instant_ms: int) -> _Span:
        for span in self._spans:
            if span.segment.segment_start_ms <= instant_ms < span.segment.segment_end_ms:
                return span
        span = self._make_span(instant_ms)
        self._spans.append(span)
        return span

    def _make_span(self, instant_ms: int) -> _Span:
        contract = self.contract
        zone = ZoneInfo(contract.timezone)
        day = datetime.fromtimestamp(instant_ms / 1000, zone).date()
        assignment, assigned_until = self._assignment(day)
        tariff, version_from, version_until = self.registry.in_force(assignment.tariff_id, day)
        if beyond := list(tariff.beyond_stream()):
            raise UnknownTariffError(
                "batch_only_tariff", f"{tariff.tariff_id} {tariff.version} is priced in batch: {', '.join(beyond)}"
            )
        try:
            cycle_start, cycle_end = cycle_at(day, contract.billing_day, contract.cycle_starts)
        except CycleError as error:
            raise UnknownTariffError("no_billing_cycle", str(error)) from None
        start = max(cycle_start, assignment.valid_from, version_from)
        end = min(d for d in (cycle_end, assigned_until, version_until) if d is not None)
        segment = Segment(
            tariff.tariff_id,
            tariff.version,
            cycle_start,
            local_midnight_ms(cycle_start, zone),
            local_midnight_ms(cycle_end, zone),
            (cycle_end - cycle_start).days,
            (end - start).days,
            local_midnight_ms(start, zone),
            local_midnight_ms(end, zone),
        )
        shared = (tariff.tariff_id, tariff.version, contract.timezone)
        timeline = self.timelines.setdefault(shared, Timeline(tariff.calendar, zone))
        return _Span(segment, segment.key(), segment.bill_key(), tariff, timeline)

    def _assignment(self, day: date) -> tuple[Assignment, date | None]:
        assignments = self.contract.assignments
        found = bisect_right([a.valid_from for a in assignments], day)
        if found == 0:
            first = assignments[0].valid_from
            raise UnknownTariffError("no_assignment", f"the first tariff of the contract is valid from {first}")
        until = assignments[found].valid_from if found < len(assignments) else None
        return assignments[found - 1], until
