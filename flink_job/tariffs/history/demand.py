"""The demand line: peaks of demand intervals, minimum demand, ratchet, daily demand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.charges import demand_amount
from flink_job.tariffs.exact import Ints, times
from flink_job.tariffs.history.intervals import running_within, starts_of, with_close
from flink_job.tariffs.history.scene import Carry, Scene
from flink_job.tariffs.resolve import local_days
from flink_job.tariffs.state import State

HOUR_S = 3600
FLAT = "flat"


@dataclass(frozen=True)
class Peaks:
    """Energy of the demand interval that each reading completes so far [1e-6 kWh], shape (n,); its day."""

    window_ukwh: Ints
    window_start: Ints
    day_start: NDArray[np.int64]


def measure(scene: Scene) -> Peaks:
    """Demand intervals begin with the local day, or (sliding) end with each reading.

    Readings longer than the demand interval count with their mean power: nothing finer is known.
    """
    tariff, data = scene.tariff, scene.data
    window_ms = tariff.demand_window_s * 1000
    day_start = local_days(scene.terms.zone.key).starts_at(data.start_ms)
    window_start = day_start + (data.start_ms - day_start) // window_ms * window_ms
    longer = data.interval_ms > window_ms
    energy = data.import_ukwh
    if longer.any():
        energy = np.where(longer, times(energy, window_ms) // np.maximum(data.interval_ms, 1), energy)
    if tariff.demand.slide_s:
        totals = np.append(0, np.cumsum(energy))
        first = np.searchsorted(data.start_ms, data.end_ms - window_ms, "left")
        first = np.where(longer, np.arange(len(energy)), first)
        window = totals[1:] - totals[first]
    else:
        window = running_within(energy, starts_of(window_start))
    return Peaks(np.maximum(window, 0), window_start, day_start)


def peak_ukw(scene: Scene, peaks: Peaks) -> Ints:
    """Highest demand so far [1e-6 kW], shape (n + 1,)."""
    highest = with_close(np.maximum.accumulate(peaks.window_ukwh))
    return np.asarray(highest * HOUR_S // scene.tariff.demand_window_s)


def floor_ukw(scene: Scene, carry: Carry) -> int:
    """Least billed demand of the cycle [1e-6 kW]: the minimum, or a share of earlier peaks."""
    demand = scene.tariff.demand
    floor = demand.minimum_u
    if demand.ratchet is not None:
        recent = carry.peaks_ukw[-demand.ratchet.months_back :]
        highest = max((peak for month, peak in recent if month in demand.ratchet.months), default=0)
        floor = max(floor, highest * demand.ratchet.share_e9 // 1_000_000_000)
    return floor


def demand_line(scene: Scene, peaks: Peaks, floor: int) -> Ints:
    """What demand costs so far. The part of the floor accrues with time, what lies above it with the peak."""
    if not scene.tariff.has_demand:
        return np.zeros(len(scene.at_ms), dtype=np.int64)
    if scene.tariff.demand.daily:
        return _daily(scene, peaks)
    window_s = scene.tariff.demand_window_s
    slots = _slots(scene)
    highest = [with_close(np.maximum.accumulate(np.where(slots == s, peaks.window_ukwh, 0))) for s in _range(scene)]
    highest[0] = with_close(np.maximum.accumulate(peaks.window_ukwh))
    least = floor * window_s // HOUR_S
    billed = _ratcheted(scene, [np.maximum(p, 0) for p in highest], np.maximum(highest[0], least))
    at_floor = _ratcheted(scene, [np.zeros(1, np.int64) for _ in highest], np.array([least], dtype=np.int64))
    base = int(_amount(scene, at_floor)[0]) if floor else 0
    return _amount(scene, billed) - base + scene.accrued(base)


def _ratcheted(scene: Scene, own: list[Ints], billed: Ints) -> list[Ints]:
    """Peaks, those that the ratchet applies to replaced by the billed demand."""
    demand = scene.tariff.demand
    if demand.ratchet is None:
        return [billed, *own[1:]]
    applies = demand.ratchet.applies_to
    names = [FLAT, *scene.tariff.demand_periods]
    return [billed if name in applies else peak for name, peak in zip(names, own, strict=True)]


def _amount(scene: Scene, peaks: list[Ints]) -> Ints:
    return demand_amount(scene.tariff, scene.basis, State((), (), tuple(peaks)))


def _range(scene: Scene) -> range:
    return range(len(scene.tariff.tou_demand) + 1)


def _slots(scene: Scene) -> Ints:
    """Demand slot of each reading, 0 where it lies in no demand period."""
    calendar = scene.tariff.demand.calendar or scene.tariff.calendar
    of_period = np.array([scene.tariff.demand_periods.get(name, 0) for name in calendar.periods], dtype=np.int64)
    return np.asarray(of_period[scene.timeline(calendar, scene.terms.zone).periods_at(scene.data.start_ms)])


def _daily(scene: Scene, peaks: Peaks) -> Ints:
    """Each day's own peaks at a price per kW and day: the days before, and the running peak of this one."""
    slots, window = _slots(scene), peaks.window_ukwh
    first = starts_of(peaks.day_start)
    columns = [_highest_within(np.where(slots == s, window, 0) if s else window, first) for s in _range(scene)]
    whole = replace(scene.basis, segment_days=scene.basis.cycle_days)
    daily = replace(scene.tariff, month_days="cycle")
    today = demand_amount(daily, whole, State((), (), tuple(columns))) if len(window) else window
    is_last = np.append(first[1:] != first[:-1], True)[: len(window)]
    before = np.cumsum(np.where(is_last, today, 0)) - np.where(is_last, today, 0)
    return with_close(today + before)


def _highest_within(values: Ints, first: NDArray[np.int64]) -> Ints:
    """Running maxima that begin anew at each group."""
    if not len(values):
        return values
    starts = np.unique(first)
    parts = np.split(values, starts[1:])
    return np.concatenate([np.maximum.accumulate(part) for part in parts])
