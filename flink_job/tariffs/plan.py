"""The bill plan of a tariff version: the accumulators of a bill, and how a reading updates them.

A bill is a function of its accumulators (flink_job.tariffs.rating). They lie in the slots of one state by bill, in an
operator that knows no tariffs; a reading brings its updates along (flink_job.tariffs.updates).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.exact import Ints
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.state import State
from flink_job.tariffs.updates import add, group, maximum, part, program, scale, show, take


class Quantity(IntEnum):
    """Quantities of a reading, in the order of the operator's columns; TIME [ms] is 0 in all but its first record."""

    IMPORT = 0
    EXPORT = 1
    REACTIVE_IMPORT = 2
    REACTIVE_EXPORT = 3
    TIME = 4


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


class Placed(NamedTuple):
    """The place of a reading in its bill: TOU period, parts in demand intervals, and local month (0-11).

    `inside_ms`: time from its start to its end, or to the end of its billing segment. `is_read`: it reads a register.
    """

    period: int
    parts: Sequence[DemandPart]
    interval_s: int
    inside_ms: int
    month: int = 0
    is_read: bool = False


class BillPlan:
    """The slots of a bill: time, energy by TOU period and direction, peaks by demand slot, and what else is needed.

    The units are those of State.
    """

    def __init__(self, tariff: Tariff) -> None:
        periods = len(tariff.periods)
        self.window_s = tariff.demand_window_s
        counts = {
            "time": 1,
            "imported": periods,
            "exported": periods,
            "peaks": 1 + len(tariff.tou_demand),
            "reactive": periods if tariff.reactive else 0,
            "capacitive": periods if tariff.reactive else 0,
            "months": len(tariff.adjustment_e9),
        }
        ends = [0, *accumulate(counts.values())]
        self.of = {name: range(*bounds) for name, bounds in zip(counts, pairwise(ends), strict=True)}
        self.slots = ends[-1]

    def updates(self, reading: Placed) -> bytes:
        """Return the updates of a reading."""
        of = self.of
        sums = [(Quantity.IMPORT, of["imported"], reading.period), (Quantity.EXPORT, of["exported"], reading.period)]
        if of["reactive"]:
            sums.append((Quantity.REACTIVE_IMPORT, of["reactive"], reading.period))
            sums.append((Quantity.REACTIVE_EXPORT, of["capacitive"], reading.period))
        if of["months"]:
            sums.append((Quantity.IMPORT, of["months"], reading.month))
        length_ms = reading.interval_s * 1000
        is_cut = reading.inside_ms < length_ms
        counted = part(Quantity.TIME, 0, reading.inside_ms, length_ms) if is_cut else take(Quantity.TIME)
        operations = [take(quantity) + add(slots[at]) for quantity, slots, at in sums]
        return program(self.slots, counted + add(of["time"][0]), *operations, *self._demand(reading))

    def _demand(self, reading: Placed) -> Iterator[bytes]:
        """Yield the updates of the demand intervals.

        A reading as long as the demand interval, or longer, shows the demand by itself; shorter readings and the energy
        of register reads are added up by demand interval. A longer reading counts with its mean power.
        """
        peaks, interval_s = self.of["peaks"], reading.interval_s
        is_alone = len(reading.parts) == 1 and interval_s >= self.window_s and not reading.is_read
        for each in reading.parts:
            if interval_s > self.window_s:
                yield take(Quantity.IMPORT) + scale(self.window_s, interval_s)
            elif each.to_ms - each.from_ms < interval_s * 1000:
                yield part(Quantity.IMPORT, each.from_ms, each.to_ms, interval_s * 1000)
            else:
                yield take(Quantity.IMPORT)
            if not is_alone:
                yield group(DEMAND, each.window_ms)
            yield from map(maximum, sorted({peaks[0], peaks[each.slot]}))
            yield show()

    def state(self, slots: NDArray[np.int64]) -> State:
        """Return the accumulators of bills, given slots of shape (slots, n)."""

        def taken(name: str) -> tuple[Ints, ...]:
            return tuple(slots[self.of[name].start : self.of[name].stop])

        return State(
            taken("imported"),
            taken("exported"),
            taken("peaks"),
            slots[0],
            taken("reactive"),
            taken("capacitive"),
            taken("months"),
        )
