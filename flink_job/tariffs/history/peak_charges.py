"""The demand intervals that set the demand charge of a bill, each with the part of the charge that it causes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from flink_job.tariffs.demand_charges import (
    daily_amount,
    demand_amount,
    demand_blocks,
    demand_ukw,
)
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history.demand import Peaks, measure
from flink_job.tariffs.history.floors import FLAT, Floor
from flink_job.tariffs.history.power import contracted_power, excess_line
from flink_job.tariffs.history.segment_context import SegmentContext
from flink_job.tariffs.state import State


class PeakCharge(NamedTuple):
    """A part of the demand charge [1e-6 currency] and what causes it. The parts need not add up to the digit.

    `start_ms`, `end_ms`: the demand interval, or the whole bill (0, 0) for a minimum. `demand_ukw`: its demand
    [1e-6 kW]. `name`: `flat`, the demand period, or `excess`.
    """

    name: str
    amount: int
    start_ms: int
    end_ms: int
    demand_ukw: int

    @property
    def is_whole_bill(self) -> bool:
        """True for the part that no demand interval causes."""
        return self.end_ms == 0


@dataclass(frozen=True)
class _Segment:
    """A billing segment with its readings in demand intervals."""

    context: SegmentContext
    peaks: Peaks
    window_ms: int

    def part(self, name: str, amount: int, at: int) -> PeakCharge:
        """Return the part that the demand interval at an index of `peaks` causes."""
        start = int(self.peaks.window_start[at])
        demand = int(demand_ukw(self.context.tariff, self.peaks.window_ukwh[at : at + 1])[0])
        return PeakCharge(name, amount, start, start + self.window_ms, demand)

    def highest(self, energy: Ints) -> list[int]:
        """Return the index of the highest demand interval, or of the highest ones of the days whose mean is billed."""
        count = self.context.tariff.demand.highest_days
        if not count:
            return [int(np.argmax(energy))]
        days = (np.flatnonzero(self.peaks.day_start == day) for day in np.unique(self.peaks.day_start))
        of_days = [int(day[np.argmax(energy[day])]) for day in days]
        return sorted(of_days, key=lambda at: -int(energy[at]))[:count]

    def energies(self) -> Iterator[tuple[str, int, Ints]]:
        """Yield (name, demand slot, energy of the demand interval of each part) of each demand structure."""
        window = self.peaks.window_ukwh
        yield FLAT, 0, window
        for name, slot in self.context.tariff.demand_periods.items():
            yield name, slot, np.where(self.peaks.slot == slot, window, 0)


def peak_charges(context: SegmentContext, floors: Mapping[str, Floor]) -> list[PeakCharge]:
    """Return the parts of the demand charge of a bill, from its own readings.

    `floors`: what is billed beside the peak, by demand period. A peak of an earlier version of the cycle, whose
    charge is in the bill too, counts as the highest demand interval of this one.
    """
    if not len(context.data.start_ms):
        return []
    segment = _Segment(context, measure(context), context.tariff.demand_window_s * 1000)
    return [*_charged(segment, floors), *_excess(segment)]


def _charged(segment: _Segment, floors: Mapping[str, Floor]) -> Iterator[PeakCharge]:
    tariff = segment.context.tariff
    if not tariff.has_demand:
        return
    for name, slot, energy in segment.energies():
        if tariff.demand.daily:
            yield from _daily(segment, name, slot, energy)
            continue
        highest = segment.highest(energy)
        floor, reached = floors[name], int(energy[highest].sum())
        base, billed = (_alone(segment.context, slot, floor, value) for value in (0, reached))
        if base:
            yield PeakCharge(name, base, 0, 0, int(floor.billed_ukw(tariff, np.zeros(1, dtype=np.int64))[0]))
        for at in highest if billed > base else ():
            yield segment.part(name, (billed - base) * (1 + floor.again) * int(energy[at]) // reached, at)


def _daily(segment: _Segment, name: str, slot: int, energy: Ints) -> Iterator[PeakCharge]:
    """Yield the part of the highest demand interval of each day."""
    tariff, days = segment.context.tariff, segment.peaks.day_start
    for day in np.unique(days):
        of_day = np.flatnonzero(days == day)
        at = int(of_day[np.argmax(energy[of_day])])
        tiers = [block.of(energy[at : at + 1] * (block.slot == slot)) for block in demand_blocks(tariff)]
        if amount := int(daily_amount(tariff, tiers)[0]):
            yield segment.part(name, amount, at)


def _alone(context: SegmentContext, slot: int, floor: Floor, energy_ukwh: int) -> int:
    """Return the charge for the peak of one demand slot, that of all hours with its steps."""
    peak = floor.billed(context.tariff, np.array([energy_ukwh], dtype=np.int64))
    none = [np.zeros(1, dtype=np.int64) for _ in range(len(context.tariff.tou_demand) + 1)]

    def charge(peaks: list[Ints]) -> int:
        return int(demand_amount(context.tariff, context.basis, State((), (), tuple(peaks)), floor.cycles)[0])

    with_peak = charge([peak if number == slot else zero for number, zero in enumerate(none)])
    return with_peak - charge(none) if slot else with_peak


def _excess(segment: _Segment) -> Iterator[PeakCharge]:
    """Yield the parts of the charge above the contracted power: of each interval by its square, or of the highest."""
    context, peaks, contracted = segment.context, segment.peaks, segment.context.tariff.contracted
    if contracted is None or contracted.excess_rule is None:
        return
    power = contracted_power(context)
    total = int(excess_line(context, peaks, power)[-1])
    calendar = contracted.calendar or context.tariff.calendar
    period = context.periods_at(
        lambda tariff: (tariff.contracted.calendar if tariff.contracted else None) or tariff.calendar, peaks.instant
    )
    is_last = np.zeros(len(peaks.window_start), dtype=bool)
    is_last[len(is_last) - 1 - np.unique(peaks.window_start[::-1], return_index=True)[1]] = True
    weights: dict[int, int] = {}
    for name, price in contracted.excess_e9.items():
        demand = demand_ukw(context.tariff, peaks.window_ukwh)
        above = np.where(period == calendar.periods.index(name), np.maximum(demand - power[name], 0), 0)
        if contracted.excess_rule == "root_of_squares":
            weights |= {int(at): price**2 * int(above[at]) ** 2 for at in np.flatnonzero(is_last & (above > 0))}
        elif above.any():
            highest = int(np.argmax(above))
            weights[highest] = weights.get(highest, 0) + price * int(above[highest])
    whole = sum(weights.values())
    for at, weight in weights.items():
        if amount := total * weight // whole:
            yield segment.part("excess", amount, at)
