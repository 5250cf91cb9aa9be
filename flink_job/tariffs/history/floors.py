"""Demand that is billed beside the peak of the cycle: minimum, ratchet, and the peaks of earlier cycles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

import numpy as np

from flink_job.tariffs.demand_charges import least_ukw, peak_ukw, peak_ukwh
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history.segment_context import CarryOver, SegmentContext
from flink_job.tariffs.model import PeakStatistic, Tariff

FLAT = "flat"
_E9 = 1_000_000_000


class Floor(NamedTuple):
    """The demand of a period that is billed beside the peak of the cycle.

    `least_ukw`: the least peak that counts [1e-6 kW]. `earlier_ukw`: sum of the peaks of `cycles - 1` earlier cycles
    [1e-6 kW], of which and of the present one the mean is billed. `again`: number of earlier cycles of the year that
    are charged again for what the peak exceeds the least.
    """

    least_ukw: int = 0
    earlier_ukw: int = 0
    cycles: int = 1
    again: int = 0

    def billed(self, tariff: Tariff, peak: Ints) -> Ints:
        """Return the sum over cycles of their accumulators of peaks [1e-6 kWh], with that of the present cycle."""
        return np.asarray(np.maximum(peak, peak_ukwh(tariff, self.least_ukw)) + peak_ukwh(tariff, self.earlier_ukw))

    def billed_ukw(self, tariff: Tariff, peak: Ints) -> Ints:
        """Return the billed demand [1e-6 kW]."""
        return np.asarray((np.maximum(peak_ukw(tariff, peak), self.least_ukw) + self.earlier_ukw) // self.cycles)


def floors_of(context: SegmentContext, carry_over: CarryOver, power: Mapping[str, int]) -> dict[str, Floor]:
    """Return the floors of `flat` and of each demand period. `power`: contracted power by period [1e-6 kW].

    The minimum is for the flat demand, and for demand periods that the ratchet applies to.
    """
    demand = context.tariff.demand
    powers = [np.array([value], dtype=np.int64) for value in power.values()]
    least = int(least_ukw(context.tariff, powers)[0])
    names = (FLAT, *context.tariff.demand_periods)
    if demand.statistic is not None:
        return {
            name: _of_statistic(context, demand.statistic, carry_over, name, least if name == FLAT else 0)
            for name in names
        }
    floors = {name: Floor(least if name == FLAT else 0) for name in names}
    if demand.ratchet is None:
        return floors
    recent = carry_over.peaks_ukw[-demand.ratchet.months_back :]
    peaks = [peaks for start, peaks in recent if start.month in demand.ratchet.months]
    for name in names:
        if name in demand.ratchet.applies_to:
            highest = max((each.get(name, 0) for each in peaks), default=0)
            floors[name] = Floor(max(least, highest * demand.ratchet.share_e9 // _E9))
    return floors


def _of_statistic(context: SegmentContext, rule: PeakStatistic, carry_over: CarryOver, name: str, least: int) -> Floor:
    earlier = [max(peaks.get(name, 0), least) for peaks in _earlier(context, rule, carry_over)]
    if rule.is_mean:
        return Floor(least, sum(earlier), len(earlier) + 1)
    return Floor(max([least, *earlier]), again=len(earlier) if rule.arrears else 0)


def _earlier(context: SegmentContext, rule: PeakStatistic, carry_over: CarryOver) -> list[Mapping[str, int]]:
    """Return the peaks of the earlier cycles that count, as far as they are known."""
    if rule.cycles:
        return [peaks for _, peaks in carry_over.peaks_ukw[-(rule.cycles - 1) :]]
    day = context.billing.segment.cycle_start
    year = day.year if day.month >= rule.year_from else day.year - 1
    return [peaks for start, peaks in carry_over.peaks_ukw if start >= date(year, rule.year_from, 1)]
