"""The demand intervals of a billing segment, and the parts of readings in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flink_job.metering.contract import Assignment
from flink_job.metering.local_days import LocalDays
from flink_job.tariffs.calendar import Timeline
from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.plan import DemandPart


@dataclass
class DemandIntervals:
    """The demand intervals of a billing segment: aligned to the local day, or sliding along it.

    An interval counts in the demand period and on the local day of its start; a sliding one in those of the start of
    its last slide. `demand`, `power`: timelines of the demand periods, and of the periods of the contracted power.
    `divides_all`: readings longer than the interval are divided, too, as those of several meters of one supply.
    """

    tariff: Tariff
    segment: Segment
    days: LocalDays
    demand: Timeline
    power: Timeline
    divides_all: bool = False

    def parts(self, start_ms: int, interval_s: int) -> list[DemandPart]:
        """Return the parts of a reading in demand intervals, of which there is at least one.

        A reading that straddles intervals is divided by time; a part in an interval of another bill is left out, that
        is, in one that begins there or (sliding) ends there. A reading longer than the interval has one part, unless
        it is divided.
        """
        length_ms, window_ms = interval_s * 1000, self.tariff.demand_window_s * 1000
        slide_ms = (self.tariff.demand.slide_s or self.tariff.demand_window_s) * 1000
        day_ms = self.days.day_of(start_ms)[0]
        if length_ms > window_ms and not self.divides_all:
            begin_ms = day_ms + (start_ms - day_ms) // window_ms * window_ms
            return [self._part(begin_ms, begin_ms, 0, length_ms)]
        end_ms = day_ms + (start_ms - day_ms) // slide_ms * slide_ms + slide_ms
        found: list[DemandPart] = []
        while end_ms - window_ms < start_ms + length_ms and (not found or self._is_own(end_ms, window_ms, slide_ms)):
            begin_ms = end_ms - window_ms
            from_ms, to_ms = max(begin_ms - start_ms, 0), min(end_ms - start_ms, length_ms)
            found.append(self._part(begin_ms, end_ms - slide_ms, from_ms, to_ms))
            end_ms += slide_ms
        return found

    def is_estimated(self, parts: Sequence[DemandPart], interval_s: int) -> bool:
        """Return True if a reading straddles clock-aligned demand intervals."""
        return not self.tariff.demand.slide_s and (len(parts) > 1 or parts[-1].to_ms < interval_s * 1000)

    def _is_own(self, end_ms: int, window_ms: int, slide_ms: int) -> bool:
        until_ms = self.segment.segment_end_ms
        return end_ms - window_ms < until_ms if window_ms == slide_ms else end_ms <= until_ms

    def _part(self, window_ms: int, instant_ms: int, from_ms: int, to_ms: int) -> DemandPart:
        """Return a part in the interval from `window_ms`, which counts by what is in force at an instant [epoch ms]."""
        tariff = self.tariff
        slot = 0
        if tariff.demand_periods:
            periods = (tariff.demand.calendar or tariff.calendar).periods
            slot = tariff.demand_periods.get(periods[self.demand.period_at(instant_ms)], 0)
        day_ms = self.days.day_of(instant_ms)[0] if tariff.demand.daily or tariff.demand.highest_days else 0
        return DemandPart(slot, window_ms, from_ms, to_ms, day_ms, self._power_at(instant_ms))

    def _power_at(self, instant_ms: int) -> int | None:
        contracted = self.tariff.contracted
        if contracted is None or not contracted.excess_e9:
            return None
        name = (contracted.calendar or self.tariff.calendar).periods[self.power.period_at(instant_ms)]
        charged = list(contracted.excess_e9)
        return charged.index(name) if name in charged else None


def contracted_power_u(tariff: Tariff, assignment: Assignment) -> tuple[int, ...]:
    """Return the contracted power [1e-6 kW] by period of the tariff's contracted power; empty if any is unknown."""
    contracted = tariff.contracted
    if contracted is None:
        return ()
    power = {**contracted.power_u, **assignment.contracted_u}
    return tuple(power[p] for p in contracted.price_e9) if contracted.price_e9.keys() <= power.keys() else ()
