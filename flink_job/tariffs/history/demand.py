"""The demand charge: peaks of demand intervals, minimum demand, ratchet and daily demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.local_days import local_days
from flink_job.metering.zones import Zone
from flink_job.tariffs.calendar import Calendar
from flink_job.tariffs.demand_charges import apparent, daily_amount, demand_amount, demand_blocks
from flink_job.tariffs.exact import Ints, times
from flink_job.tariffs.history.floors import FLAT, Floor
from flink_job.tariffs.history.intervals import Intervals, highest_by, previous_by, running_by, share, with_close
from flink_job.tariffs.history.segment_context import SegmentContext
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.state import State


@dataclass(frozen=True)
class Peaks:
    """The parts of readings in demand intervals, in order of time, arrays of shape (m,); instants are epoch ms.

    A reading that straddles demand intervals has several parts. `window_ukwh`: energy of its demand interval up to the
    part [1e-6 kWh]. `window_start`: start of the demand interval. `instant`: the instant by whose demand period and
    local day (`day_start`) the interval counts: its start, or if intervals slide the start of its last slide. `last`:
    index of the last part of each reading, shape (n,). `slot`: demand slot, 0 outside every demand period.
    """

    window_ukwh: Ints
    window_start: Ints
    instant: NDArray[np.int64]
    day_start: NDArray[np.int64]
    last: NDArray[np.int64]
    slot: Ints

    def by_reading(self, values: Ints) -> Ints:
        """Return the running values after each reading and at the close, shape (n + 1,), from those after each part."""
        return with_close(values[self.last])


def measure(context: SegmentContext) -> Peaks:
    """Compute the energy of demand intervals, which are aligned to the local day, or slide along it.

    Readings longer than the demand interval count with their mean power. The energy of a reading that straddles
    intervals is divided by time, the later parts rounded down. A part is not counted if its interval ends in another
    billing segment (a sliding one), or begins there.
    """
    tariff, data = context.tariff, context.data
    window_ms, slide_ms = tariff.demand_window_s * 1000, (tariff.demand.slide_s or tariff.demand_window_s) * 1000
    days = local_days(context.terms.zone.key)
    day_start = days.days_at(data.start_ms)[0]
    longer = data.interval_ms > window_ms
    measured = data.reactive_uvarh if tariff.demand.unit == "kvar" else context.demand_ukwh
    energy = _mean_of_longer(data, measured, window_ms)
    # The demand interval of the reading's start that ends first, and the number of intervals that the reading is in.
    first = day_start + (data.start_ms - day_start) // slide_ms * slide_ms + slide_ms - window_ms
    clock = day_start + (data.start_ms - day_start) // window_ms * window_ms
    count = np.maximum(np.where(longer, 1, -((first - data.end_ms) // slide_ms)), 1)
    if not (count > 1).any():
        window = np.maximum(running_by(clock, energy), 0)
        if tariff.demand.in_kva:
            window = apparent(window, running_by(clock, _mean_of_longer(data, data.reactive_uvarh, window_ms)))
        return Peaks(window, clock, clock, day_start, np.arange(len(energy)), _slots(context, clock))
    parts = _parts(context, energy, np.where(longer, clock, first), count, window_ms, slide_ms)
    return Peaks(*parts, _slots(context, parts[2]))


def _parts(
    context: SegmentContext, energy: Ints, first: Ints, count: Ints, window_ms: int, slide_ms: int
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Return the first five arrays of Peaks.

    Reading i is in `count[i]` demand intervals from that at `first[i]` on.
    """
    data, longer = context.data, context.data.interval_ms > window_ms
    row = np.repeat(np.arange(len(energy)), count)
    number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    window_start = first[row] + number * slide_ms
    instant = np.where(longer[row], window_start, window_start + window_ms - slide_ms)
    is_own = (number == 0) | (instant + slide_ms <= context.billing.segment.segment_end_ms)
    if window_ms == slide_ms:
        is_own = (number == 0) | (window_start < context.billing.segment.segment_end_ms)
    row, window_start, instant = row[is_own], window_start[is_own], instant[is_own]
    begin = np.maximum(data.start_ms[row], window_start)
    end = np.where(longer[row], data.end_ms[row], np.minimum(data.end_ms[row], window_start + window_ms))
    length = np.maximum(data.interval_ms[row], 1)
    until, since = (share(energy[row], data.end_ms[row] - at, length) for at in (end, begin))
    window = running_by(window_start, since - until)
    if context.tariff.demand.in_kva:
        reactive = _mean_of_longer(data, data.reactive_uvarh, window_ms)[row]
        until, since = (share(reactive, data.end_ms[row] - at, length) for at in (end, begin))
        window = apparent(window, running_by(window_start, since - until))
    day_start = local_days(context.terms.zone.key).days_at(instant)[0]
    last = np.searchsorted(row, np.arange(len(energy)), "right") - 1
    return np.maximum(window, 0), window_start, instant, day_start, last


def _mean_of_longer(data: Intervals, energy: Ints, window_ms: int) -> Ints:
    """Return energies, for intervals longer than the demand interval their mean in it."""
    longer = data.interval_ms > window_ms
    if not longer.any():
        return energy
    return np.asarray(np.where(longer, times(energy, window_ms) // np.maximum(data.interval_ms, 1), energy))


def count_straddling(data: Intervals, tariff: Tariff, zone: Zone) -> int:
    """Return the number of readings that straddle two clock-aligned demand intervals: their demand is estimated."""
    if not tariff.has_demand or tariff.demand.slide_s:
        return 0
    window_ms = tariff.demand_window_s * 1000
    into_window = (data.start_ms - local_days(zone.key).days_at(data.start_ms)[0]) % window_ms
    return int(np.count_nonzero((data.interval_ms <= window_ms) & (into_window + data.interval_ms > window_ms)))


def highest_ukwh(context: SegmentContext, peaks: Peaks) -> dict[str, Ints]:
    """Return the running energy [1e-6 kWh] of the demand interval with the highest demand, shape (n + 1,).

    By name of the demand period, `flat` first. Of several days, the sum of their highest ones if their mean is billed.
    """
    window, count = peaks.window_ukwh, context.tariff.demand.highest_days
    energies = {FLAT: window}
    energies |= {name: np.where(peaks.slot == slot, window, 0) for name, slot in context.tariff.demand_periods.items()}
    if count:
        return {name: peaks.by_reading(_highest_days(peaks, energy, count)) for name, energy in energies.items()}
    return {name: np.maximum(peaks.by_reading(np.maximum.accumulate(energy)), 0) for name, energy in energies.items()}


def _highest_days(peaks: Peaks, energy: Ints, count: int) -> Ints:
    """Return the running sum of the highest peaks of `count` days."""
    of_day: dict[int, int] = {}
    sums, running = np.zeros_like(energy), 0
    for at, (day, value) in enumerate(zip(peaks.day_start.tolist(), energy.tolist(), strict=True)):
        if value > of_day.get(day, 0):
            of_day[day] = value
            running = sum(sorted(of_day.values())[-count:])
        sums[at] = running
    return sums


def demand_line(
    context: SegmentContext, peaks: Peaks, highest: Mapping[str, Ints], floors: Mapping[str, Floor]
) -> Ints:
    """Return the running demand charge: what is billed without a peak accrues with time, the rest with the peak."""
    if not context.tariff.has_demand:
        return np.zeros(len(context.at_ms), dtype=np.int64)
    if context.tariff.demand.daily:
        return _daily(context, peaks)
    tariff, rule = context.tariff, floors[FLAT]
    billed = [floors[name].billed(tariff, energy) for name, energy in highest.items()]
    at_floor = [floors[name].billed(tariff, np.zeros(1, dtype=np.int64)) for name in highest]
    base = int(_amount(context, at_floor, rule)[0])
    above = _amount(context, billed, rule) - base
    return np.asarray(above * (1 + rule.again) + context.accrued(base))


def _amount(context: SegmentContext, peaks: list[Ints], rule: Floor) -> Ints:
    return demand_amount(context.tariff, context.basis, State((), (), tuple(peaks)), rule.cycles)


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
    if not len(window):
        return np.zeros(len(context.at_ms), dtype=np.int64)
    sums = []
    for tier in demand_blocks(context.tariff):
        in_slot = np.where((slots == tier.slot) | (tier.slot == 0), window, 0)
        today = tier.of(highest_by(peaks.day_start, in_slot))
        sums.append(np.cumsum(today - previous_by(peaks.day_start, today)))
    return peaks.by_reading(daily_amount(context.tariff, sums))
