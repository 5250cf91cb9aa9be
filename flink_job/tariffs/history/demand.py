"""The demand charge: peaks of demand intervals, minimum demand, ratchet and daily demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.zones import Zone
from flink_job.tariffs.calendar import Calendar
from flink_job.tariffs.charges import demand_amount
from flink_job.tariffs.exact import Ints, times
from flink_job.tariffs.history.intervals import Intervals, running_by, starts_of, with_close
from flink_job.tariffs.history.segment_context import CarryOver, SegmentContext
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.resolve import local_days
from flink_job.tariffs.state import State

HOUR_S = 3600
FLAT = "flat"


@dataclass(frozen=True)
class Peaks:
    """The parts of readings in demand intervals, in order of time, arrays of shape (m,); instants are epoch ms.

    A reading that straddles two demand intervals has two parts, any other reading one. `start`: start of the part.
    `window_ukwh`: energy of its demand interval up to the part [1e-6 kWh]. `window_start`, `day_start`: start of the
    demand interval and of its local day. `last`: index of the last part of each reading, shape (n,). `slot`: demand
    slot by the start of the demand interval, 0 outside every demand period.
    """

    start: NDArray[np.int64]
    window_ukwh: Ints
    window_start: Ints
    day_start: NDArray[np.int64]
    last: NDArray[np.int64]
    slot: Ints

    def by_reading(self, values: Ints) -> Ints:
        """Return the running values after each reading and at the close, shape (n + 1,), from those after each part."""
        return with_close(values[self.last])


def measure(context: SegmentContext) -> Peaks:
    """Compute the energy of demand intervals, which are aligned to the local day or (sliding) end with each reading.

    Readings longer than the demand interval count with their mean power. The energy of a reading that straddles two is
    divided by time. The part in the second one is rounded down; it is not counted if that interval belongs to another
    billing segment.
    """
    tariff, data = context.tariff, context.data
    window_ms = tariff.demand_window_s * 1000
    days = local_days(context.terms.zone.key)
    day_start = days.days_at(data.start_ms)[0]
    window_start = day_start + (data.start_ms - day_start) // window_ms * window_ms
    longer = data.interval_ms > window_ms
    energy = data.import_ukwh
    if longer.any():
        energy = np.where(longer, times(energy, window_ms) // np.maximum(data.interval_ms, 1), energy)
    last = np.arange(len(energy))
    if tariff.demand.slide_s:
        window = np.maximum(_sliding(data, energy, window_ms, longer), 0)
        return Peaks(data.start_ms, window, window_start, day_start, last, _slots(context, data.start_ms))
    start = data.start_ms
    beyond_ms = np.where(longer, 0, np.maximum(data.end_ms - window_start - window_ms, 0))
    if beyond_ms.any():
        second = share(energy, beyond_ms, np.maximum(data.interval_ms, 1))
        is_split = (beyond_ms > 0) & (window_start + window_ms < context.billing.segment.segment_end_ms)
        energy, parts = energy - second, 1 + is_split
        last = np.cumsum(parts) - 1
        inserted, next_start = last[is_split], (window_start + window_ms)[is_split]
        energy, start, window_start = (np.repeat(column, parts) for column in (energy, start, window_start))
        energy[inserted], start[inserted], window_start[inserted] = second[is_split], next_start, next_start
        day_start = days.days_at(start)[0]
    window = running_by(window_start, energy)
    return Peaks(start, np.maximum(window, 0), window_start, day_start, last, _slots(context, window_start))


def count_straddling(data: Intervals, tariff: Tariff, zone: Zone) -> int:
    """Return the number of readings that straddle two clock-aligned demand intervals: their demand is estimated."""
    if not tariff.has_demand or tariff.demand.slide_s:
        return 0
    window_ms = tariff.demand_window_s * 1000
    into_window = (data.start_ms - local_days(zone.key).days_at(data.start_ms)[0]) % window_ms
    return int(np.count_nonzero((data.interval_ms <= window_ms) & (into_window + data.interval_ms > window_ms)))


def share(energy: Ints, part_ms: Ints, interval_ms: Ints) -> Ints:
    """Return energy x part / interval, rounded down, without a product that could exceed 64 bits."""
    return np.asarray(energy // interval_ms * part_ms + energy % interval_ms * part_ms // interval_ms)


def _sliding(data: Intervals, energy: Ints, window_ms: int, longer: NDArray[np.bool_]) -> Ints:
    """Return the energy of the demand interval that ends with each reading, with part of the reading at its start."""
    totals = np.append(0, np.cumsum(energy))
    window_start = data.end_ms - window_ms
    first = np.searchsorted(data.start_ms, window_start, "left")
    first = np.where(longer, np.arange(len(energy)), first)
    window = totals[1:] - totals[first]
    before = np.maximum(first - 1, 0)
    inside_ms = np.where((first > 0) & ~longer & ~longer[before], data.end_ms[before] - window_start, 0)
    inside_ms = np.clip(inside_ms, 0, data.interval_ms[before])
    return np.asarray(window + share(energy[before], inside_ms, np.maximum(data.interval_ms[before], 1)))


def highest_ukwh(context: SegmentContext, peaks: Peaks) -> dict[str, Ints]:
    """Return the running energy [1e-6 kWh] of the demand interval with the highest demand, shape (n + 1,).

    By name of the demand period, `flat` first.
    """
    window = peaks.window_ukwh
    energies = {FLAT: window}
    energies |= {name: np.where(peaks.slot == slot, window, 0) for name, slot in context.tariff.demand_periods.items()}
    return {name: np.maximum(peaks.by_reading(np.maximum.accumulate(energy)), 0) for name, energy in energies.items()}


def floors_ukw(context: SegmentContext, carry_over: CarryOver) -> dict[str, int]:
    """Return the minimum billed demand of the cycle [1e-6 kW] of `flat` and of each demand period.

    It is the tariff's minimum, or the ratchet's share of the highest earlier peak of the same period.
    """
    demand = context.tariff.demand
    if demand.ratchet is None:
        return {FLAT: demand.minimum_u}
    months = demand.ratchet.months
    recent = [peaks for month, peaks in carry_over.peaks_ukw[-demand.ratchet.months_back :] if month in months]
    floors = {FLAT: demand.minimum_u}
    for name in (FLAT, *context.tariff.demand_periods):
        if name in demand.ratchet.applies_to:
            highest = max((peaks.get(name, 0) for peaks in recent), default=0)
            floors[name] = max(demand.minimum_u, highest * demand.ratchet.share_e9 // 1_000_000_000)
    return floors


def demand_line(context: SegmentContext, peaks: Peaks, highest: Mapping[str, Ints], floors: Mapping[str, int]) -> Ints:
    """Return the running demand charge: the part of the minimum accrues with time, the excess with the peak."""
    if not context.tariff.has_demand:
        return np.zeros(len(context.at_ms), dtype=np.int64)
    if context.tariff.demand.daily:
        return _daily(context, peaks)
    window_s = context.tariff.demand_window_s
    least = {name: floors.get(name, 0) * window_s // HOUR_S for name in highest}
    billed = [np.maximum(energy, least[name]) for name, energy in highest.items()]
    at_floor = [np.array([floor], dtype=np.int64) for floor in least.values()]
    base = int(_amount(context, at_floor)[0]) if any(least.values()) else 0
    return _amount(context, billed) - base + context.accrued(base)


def _amount(context: SegmentContext, peaks: list[Ints]) -> Ints:
    return demand_amount(context.tariff, context.basis, State((), (), tuple(peaks)))


def _range(context: SegmentContext) -> range:
    return range(len(context.tariff.tou_demand) + 1)


def _slots(context: SegmentContext, starts: Ints) -> Ints:
    """Return the demand slot at the starts of demand intervals; 0 outside every period."""
    if not context.tariff.demand_periods:
        return np.zeros(len(starts), dtype=np.int64)
    calendar = _calendar(context.tariff)
    of_period = np.array([context.tariff.demand_periods.get(name, 0) for name in calendar.periods], dtype=np.int64)
    return np.asarray(of_period[context.periods_at(_calendar, starts)])


def _calendar(tariff: Tariff) -> Calendar:
    return tariff.demand.calendar or tariff.calendar


def _daily(context: SegmentContext, peaks: Peaks) -> Ints:
    """Return the running charge of daily demand: the peaks of earlier days plus the running peak of the day."""
    slots, window = peaks.slot, peaks.window_ukwh
    first = starts_of(peaks.day_start)
    columns = [_highest_within(np.where(slots == s, window, 0) if s else window, first) for s in _range(context)]
    full_cycle = replace(context.basis, segment_days=context.basis.cycle_days)
    daily = replace(context.tariff, month_days="cycle")
    today = demand_amount(daily, full_cycle, State((), (), tuple(columns))) if len(window) else window
    is_last = np.append(first[1:] != first[:-1], True)[: len(window)]
    before = np.cumsum(np.where(is_last, today, 0)) - np.where(is_last, today, 0)
    return peaks.by_reading(today + before)


def _highest_within(values: Ints, first: NDArray[np.int64]) -> Ints:
    """Return running maxima that restart with each group."""
    if not len(values):
        return values
    starts = np.unique(first)
    parts = np.split(values, starts[1:])
    return np.concatenate([np.maximum.accumulate(part) for part in parts])
