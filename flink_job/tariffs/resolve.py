"""Resolves a reading to its tariff version, billing segment, TOU period, local day and the updates of its bill."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import NamedTuple

from flink_job.metering.changes import billing_days, zone_of
from flink_job.metering.contract import Assignment, Contract
from flink_job.metering.local_days import local_days
from flink_job.metering.reasons import Unpriced
from flink_job.metering.zones import zone_named
from flink_job.tariffs.calendar import Calendar, Timeline
from flink_job.tariffs.cycle import CycleError, Segment, cycle_at, part_at, segment_between
from flink_job.tariffs.demand_intervals import DemandIntervals, contracted_power_u
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.plan import BillPlan, Counting, EnergyPart, Placed
from flink_job.tariffs.registry import TariffRegistry, UnknownTariffError
from flink_job.tenants import tenant_of


class TariffPosition(NamedTuple):
    """The tariff position of a reading. `updates`: see flink_job.tariffs.plan. `day_start_ms` [epoch ms].

    `demand_estimated`: the reading straddles two demand intervals or TOU periods and is divided by time.
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
    """A billing segment with its state keys, tariff, compiled calendar, demand intervals and bill plan."""

    segment: Segment
    key: str
    bill_key: str
    tariff: Tariff
    timeline: Timeline
    demand: DemandIntervals
    plan: BillPlan


@dataclass
class ContractTimeline:
    """The billing segments of a contract, found by time. The last one used is cached.

    `counting`: how the readings of its meters count in the bill.
    """

    contract: Contract
    registry: TariffRegistry
    counting: Counting = Counting.ALONE
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
        inside_ms = min(interval_s * 1000, entry.segment.segment_end_ms - start_ms)
        parts = entry.demand.parts(start_ms, interval_s)
        energy = self._energy_parts(entry, start_ms, interval_s)
        placed = Placed(energy, parts, interval_s, inside_ms, is_read, start_ms)
        return TariffPosition(
            entry.segment,
            entry.key,
            entry.bill_key,
            period,
            entry.plan.updates(placed),
            len(energy) > 1 or entry.demand.is_estimated(parts, interval_s),
            day_start,
            (day_end - day_start) // 1000,
        )

    def _energy_parts(self, entry: _SegmentEntry, start_ms: int, interval_s: int) -> list[EnergyPart]:
        """Return the parts of a reading by TOU period."""
        end_ms = start_ms + interval_s * 1000
        found = entry.timeline.parts(start_ms, end_ms)
        has_months = bool(entry.tariff.adjustment_e9)
        parts = []
        for (at_ms, period), (until_ms, _) in pairwise([*found, (end_ms, 0)]):
            month = self._month_at(at_ms) if has_months else 0
            price = self._dynamic_price(entry.tariff, at_ms, (until_ms - at_ms) // 1000)
            day_ms = self.days.day_of(at_ms)[0] if entry.tariff.tiers_each_day else 0
            parts.append(EnergyPart(period, at_ms - start_ms, until_ms - start_ms, month, *price, day_ms))
        return parts

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
        try:
            cycle = cycle_at(day, contract.billing_day, contract.cycle_starts, self.billing_days)
        except CycleError as error:
            raise UnknownTariffError(Unpriced.NO_BILLING_CYCLE, str(error)) from None
        part = part_at(day, cycle, contract.cycle_starts, self.billing_days)
        start = max(part[0], assignment.valid_from, version_from)
        end = min(d for d in (part[1], assigned_until, version_until) if d is not None)
        segment = segment_between(tariff.tariff_id, tariff.version, cycle, start, end, zone)
        is_chained = part[0] < start == version_from or part[1] > end == version_until
        power_u = contracted_power_u(tariff, assignment)
        segment = segment._replace(power_u=power_u, is_chained=is_chained)
        tariff = tariff.of_segment(cycle[0].month, start)
        timeline = self._timeline(tariff, tariff.calendar)
        demand = DemandIntervals(
            tariff,
            segment,
            self.days,
            self._timeline(tariff, tariff.demand.calendar) if tariff.demand.calendar else timeline,
            self._power_timeline(tariff) or timeline,
            self.counting == Counting.POOLED,
        )
        plan = BillPlan(tariff, power_u, self.counting)
        return _SegmentEntry(segment, segment.key(), segment.bill_key(), tariff, timeline, demand, plan)

    def _power_timeline(self, tariff: Tariff) -> Timeline | None:
        own = tariff.contracted.calendar if tariff.contracted is not None else None
        return None if own is None else self._timeline(tariff, own)

    def _dynamic_price(self, tariff: Tariff, start_ms: int, interval_s: int) -> tuple[int, bool]:
        """Return the dynamic price of an interval [1e-9 per kWh], and whether the last known one stands in for it."""
        if tariff.dynamic is None:
            return 0, False
        rule = tariff.dynamic
        found = self.registry.prices.price(rule, tenant_of(tariff.tariff_id), start_ms, interval_s * 1000)
        if found is None:
            raise UnknownTariffError(
                Unpriced.NO_PRICE, f"price series {rule.series!r} has no price up to {_utc(start_ms)}"
            )
        return found

    def _timeline(self, tariff: Tariff, calendar: Calendar) -> Timeline:
        """Return the timeline of a calendar of a tariff, in its time zone or in that of the contract."""
        return calendar.timeline(tariff.timezone or zone_named(self.zone))

    def _assignment(self, day: date) -> tuple[Assignment, date | None]:
        assignments = self.contract.assignments
        found = bisect_right([a.valid_from for a in assignments], day)
        if not assignments:
            # Contracts with equal terms share a timeline, so the message cannot name the supply point.
            raise UnknownTariffError(
                Unpriced.NO_SUPPLY,
                "the supply point of the meter has no terms: publish a record with `supply_point`, `timezone` and "
                "`assignments`, or assignments in the contract of a main",
            )
        if found == 0:
            first = assignments[0].valid_from
            raise UnknownTariffError(Unpriced.NO_ASSIGNMENT, f"the first tariff of the contract is valid from {first}")
        until = assignments[found].valid_from if found < len(assignments) else None
        return assignments[found - 1], until


def _utc(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).isoformat()
