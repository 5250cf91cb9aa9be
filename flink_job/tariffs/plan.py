"""The bill plan of a tariff version: the accumulators of a bill, and how a reading updates them.

A bill is a function of its accumulators (flink_job.tariffs.rating). They lie in the slots of one state by bill, in an
operator that knows no tariffs; a reading brings its updates along (flink_job.tariffs.updates).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.exact import Ints
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.state import State
from flink_job.tariffs.updates import add, group, maximum, part, program, scale, show, take


class Quantity(IntEnum):
    """Quantities of a reading, in the order of the operator's columns."""

    IMPORT = 0
    EXPORT = 1
    REACTIVE_IMPORT = 2
    REACTIVE_EXPORT = 3


#: Family of the groups of demand intervals: the energy of each, by its start.
DEMAND = 0


class DemandPart(NamedTuple):
    """A part of a reading in a demand interval: [from_ms, to_ms) of the reading, and the interval's slot and start.

    `slot`: 0 outside every demand period. `window_ms`: start of the demand interval [epoch ms].
    """

    slot: int
    window_ms: int
    from_ms: int
    to_ms: int


class BillPlan:
    """The slots of a bill: energy by TOU period and direction [1e-6 kWh], then the peaks by demand slot [1e-6 kWh]."""

    def __init__(self, tariff: Tariff) -> None:
        periods = len(tariff.periods)
        self.imported = range(periods)
        self.exported = range(periods, 2 * periods)
        self.peaks = range(2 * periods, 2 * periods + 1 + len(tariff.tou_demand))
        self.slots = self.peaks.stop
        self.window_s = tariff.demand_window_s

    def updates(self, period: int, parts: Sequence[DemandPart], interval_s: int, is_read: bool) -> bytes:
        """Return the updates of a reading in a TOU period, with its parts in demand intervals.

        A reading as long as the demand interval, or longer, shows the demand by itself; shorter readings and the energy
        of register reads (`is_read`) are added up by demand interval. A longer reading counts with its mean power.
        """
        operations = [
            take(Quantity.IMPORT) + add(self.imported[period]),
            take(Quantity.EXPORT) + add(self.exported[period]),
        ]
        is_alone = len(parts) == 1 and interval_s >= self.window_s and not is_read
        for each in parts:
            measured = take(Quantity.IMPORT)
            if interval_s > self.window_s:
                measured += scale(self.window_s, interval_s)
            elif each.to_ms - each.from_ms < interval_s * 1000:
                measured = part(Quantity.IMPORT, each.from_ms, each.to_ms, interval_s * 1000)
            grouped = b"" if is_alone else group(DEMAND, each.window_ms)
            peaks = {self.peaks[0], self.peaks[each.slot]}
            operations += [measured, grouped, *map(maximum, sorted(peaks)), show()]
        return program(self.slots, *operations)

    def state(self, slots: NDArray[np.int64]) -> State:
        """Return the accumulators of bills, given slots of shape (slots, n)."""

        def taken(part: range) -> tuple[Ints, ...]:
            return tuple(slots[part.start : part.stop])

        return State(taken(self.imported), taken(self.exported), taken(self.peaks))
