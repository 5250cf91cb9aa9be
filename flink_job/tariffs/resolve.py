"""Resolves a reading to its tariff version, billing segment, TOU period, local day and the updates of its bill."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.changes import billing_days, zone_of
from flink_job.metering.contract import Assignment, Contract
from flink_job.metering.reasons import Unpriced
from flink_job.metering.zones import local_midnight_ms, zone_named
from flink_job.tariffs.calendar import Calendar, Timeline
from flink_job.tariffs.cycle import CycleError, Segment, cycle_at, part_at, segment_between
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.plan import BillPlan, DemandPart, Placed
from flink_job.tariffs.registry import TariffRegistry, UnknownTariffError


class TariffPosition(NamedTuple):
    """The tariff position of a reading. `updates`: see flink_job.tariffs.plan. `day_start_ms` [epoch ms].

    `demand_estimated`: the reading straddles two demand intervals and is divided by time.
    """

    segment: Segment
    segment_key: str
    bill_key: str
    tou_period: int
    updates: bytes
    demand_estimated: bool
    day_start_ms: int
    day_s: int


@dataclass
class _SegmentEntry:
    """A billing segment with its state keys, tariff, compiled calendar and bill plan."""

    segment: Segment
    key: str
    bill_key: str
    tariff: Tariff
    timeline: Timeline
    demand_timeline: Timeline
    plan: BillPlan

    def demand_slot_at(self, instant_ms: int) -> int:
        """Return the slot of a demand interval by its start, so that all its readings have the same one."""
        tariff = self.tariff
        if not tariff.demand_periods:
            return 0
        periods = (tariff.demand.calendar or tariff.calendar).periods
        return tariff.demand_periods.get(periods[self.demand_timeline.period_at(instant_ms)], 0)

    def demand_parts(self, start_ms: int, interval_s: int, window_ms: int) -> list[DemandPart]:
        """Return the parts of a reading in demand intervals, of which the first begins at `window_ms` [epoch ms].

        A reading that straddles two intervals is divided by time; its part in another bill is left out. A reading that
        is longer than the interval has one part.
        """
        length_ms, end_ms = interval_s * 1000, window_ms + self.tariff.demand_window_s * 1000
        beyond_ms = start_ms + length_ms - end_ms
        first = self.demand_slot_at(window_ms)
        if beyond_ms <= 0 or interval_s > self.tariff.demand_window_s:
            return [DemandPart(first, window_ms, 0, length_ms)]
        parts = [DemandPart(first, window_ms, 0, length_ms - beyond_ms)]
        if end_ms < self.segment.segment_end_ms:
            parts.append(DemandPart(self.demand_slot_at(end_ms), end_ms, length_ms - beyond_ms, length_ms))
        return parts


class LocalDays:
    """The starts of the local days of a time zone, as sorted epoch ms, computed lazily by year."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._starts: list[int] = []

    def day_of(self, instant_ms: int) -> tuple[int, int]:
        """Return (start, end) of the local day that contains an instant [epoch ms]."""
        starts = self._starts
        found = bisect_right(starts, instant_ms)
        if not 0 < found < len(starts):
            self._cover(instant_ms)
            starts = self._starts
            found = bisect_right(starts, instant_ms)
        return starts[found - 1], starts[found]

    def days_at(self, instants_ms: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (starts, ends) of the local days that contain instants [epoch ms], each of shape (n,)."""
        if not len(instants_ms):
            return instants_ms, instants_ms
        self.day_of(int(instants_ms.min()))
        self.day_of(int(instants_ms.max()))
        starts = np.array(self._starts, dtype=np.int64)
        found = np.searchsorted(starts, instants_ms, "right")
        return starts[found - 1], starts[found]

    def _cover(self, instant_ms: int) -> None:
        year = datetime.fromtimestamp(instant_ms / 1000, self.zone).year
        covered = [datetime.fromtimestamp(ms / 1000, self.zone).year for ms in (self._starts[:1] + self._starts[-1:])]
        day, last = date(min([year, *covered]), 1, 1), date(max([year, *covered]) + 1, 1, 1)
        self._starts = []
        while day <= last:
            self._starts.append(local_midnight_ms(day, self.zone))
            day += timedelta(days=1)


@cache
def local_days(zone: str) -> LocalDays:
    """Return the local days of a zone, by its key (see flink_job.metering.zones), shared by all its meters."""
    return LocalDays(zone_named(zone))


@dataclass
class ContractTimeline:
    """The billing segments of a contract, found by time. The last one used is cached."""

    contract: Contract
    registry: TariffRegistry
    timelines: dict[tuple[str, str, str, str], Timeline]
    _entries: list[_SegmentEntry] = field(default_factory=list)
    _last: _SegmentEntry | None = None

    def __post_init__(self) -> None:
        """Find the days of the contract."""
        self.zone = zone_of(self.contract)
        self.days = local_days(self.zone)
        self.billing_days = billing_days(self.contract)

    def position(self, start_ms: int, interval_s: int, is_read: bool) -> TariffPosition:
        """Return the position of a reading that starts at an instant [epoch ms]; `is_read`: it reads a register.

        Raises UnknownTariffError (no assignment, tariff or version) or CalendarError (a year without holidays).
        """
        entry = self._last
        if entry is None or not entry.segment.segment_start_ms <= start_ms < entry.segment.segment_end_ms:
            entry = self._last = self._entry_at(start_ms)
        period = entry.timeline.period_at(start_ms)
        day_start, day_end = self.days.day_of(start_ms)
        window_ms = entry.tariff.demand_window_s * 1000
        parts = entry.demand_parts(start_ms, interval_s, day_start + (start_ms - day_start) // window_ms * window_ms)
        inside_ms = min(interval_s * 1000, entry.segment.segment_end_ms - start_ms)
        month = self._month_at(start_ms) if entry.tariff.adjustment_e9 else 0
        return TariffPosition(
            entry.segment,
            entry.key,
            entry.bill_key,
            period,
            entry.plan.updates(Placed(period, parts, interval_s, inside_ms, month, is_read)),
            parts[-1].to_ms < interval_s * 1000 or len(parts) > 1,
            day_start,
            (day_end - day_start) // 1000,
        )

    def _month_at(self, instant_ms: int) -> int:
        return datetime.fromtimestamp(instant_ms / 1000, self.days.zone).month - 1

    def _entry_at(self, instant_ms: int) -> _SegmentEntry:
        for entry in self._entries:
            if entry.segment.segment_start_ms <= instant_ms < entry.segment.segment_end_ms:
                return entry
        entry = self._make_entry(instant_ms)
        self._entries.append(entry)
        return entry

    def _make_entry(self, instant_ms: int) -> _SegmentEntry:
        contract = self.contract
        zone = zone_named(self.zone)
        day = datetime.fromtimestamp(instant_ms / 1000, zone).date()
        assignment, assigned_until = self._assignment(day)
        tariff, version_from, version_until = self.registry.in_force(assignment.tariff_id, day)
        if beyond := list(tariff.beyond_stream()):
            raise UnknownTariffError(
                Unpriced.BATCH_ONLY_TARIFF,
                f"{tariff.tariff_id} {tariff.version} is only priced in batch: {', '.join(beyond)}",
            )
        try:
            cycle = cycle_at(day, contract.billing_day, contract.cycle_starts, self.billing_days)
        except CycleError as error:
            raise UnknownTariffError(Unpriced.NO_BILLING_CYCLE, str(error)) from None
        part = part_at(day, cycle, contract.cycle_starts, self.billing_days)
        start = max(part[0], assignment.valid_from, version_from)
        end = min(d for d in (part[1], assigned_until, version_until) if d is not None)
        segment = segment_between(tariff.tariff_id, tariff.version, cycle, start, end, zone)
        timeline = self._timeline(tariff, tariff.calendar)
        demand = self._timeline(tariff, tariff.demand.calendar) if tariff.demand.calendar else timeline
        return _SegmentEntry(segment, segment.key(), segment.bill_key(), tariff, timeline, demand, BillPlan(tariff))

    def _timeline(self, tariff: Tariff, calendar: Calendar) -> Timeline:
        """Return the timeline of a calendar of a tariff, in its time zone or in that of the contract; it is shared."""
        kind = "" if calendar is tariff.calendar else "demand"
        key = (tariff.tariff_id, tariff.version, self.zone, kind)
        return self.timelines.setdefault(key, Timeline(calendar, tariff.timezone or zone_named(self.zone)))

    def _assignment(self, day: date) -> tuple[Assignment, date | None]:
        assignments = self.contract.assignments
        found = bisect_right([a.valid_from for a in assignments], day)
        if found == 0:
            first = assignments[0].valid_from
            raise UnknownTariffError(Unpriced.NO_ASSIGNMENT, f"the first tariff of the contract is valid from {first}")
        until = assignments[found].valid_from if found < len(assignments) else None
        return assignments[found - 1], until
