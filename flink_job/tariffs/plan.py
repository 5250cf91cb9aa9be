"""The bill plan of a tariff version: the accumulators of a bill, and how a reading updates them.

A bill is a function of its accumulators (flink_job.tariffs.rating). They lie in the slots of one state by bill, in an
operator that knows no tariffs; a reading brings its updates along (flink_job.tariffs.updates).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.demand_charges import demand_blocks
from flink_job.tariffs.exact import Ints, total
from flink_job.tariffs.model import Contracted, Tariff
from flink_job.tariffs.state import State
from flink_job.tariffs.updates import (
    add,
    again,
    block,
    group,
    highest,
    hypot,
    keep,
    maximum,
    negate,
    part,
    plus,
    positive,
    product,
    program,
    recall,
    round_to,
    scale,
    show,
    square,
    take,
    top,
)

_DECIMALS = 6


class Quantity(IntEnum):
    """Quantities of a reading, in the order of the operator's columns.

    TIME [ms] is 0 in all but its first record. READ is the energy of a register read in its own interval: that of a
    silence before it makes no demand.
    """

    IMPORT = 0
    EXPORT = 1
    REACTIVE_IMPORT = 2
    REACTIVE_EXPORT = 3
    TIME = 4
    READ = 5


class Counting(IntEnum):
    """Ways in which readings of a meter count in a bill.

    ALONE: the meter measures its supply by itself. POOLED: the supply is the sum of several meters, so what its bill
    has by interval is added up first. BEHIND: another meter measures the energy, too, so it adds nothing to the bill.
    """

    ALONE = 0
    POOLED = 1
    BEHIND = 2


#: Families of groups: the energy of demand intervals, the net energy of hours by TOU period (added to the instant), the
#: reactive energy of demand intervals, and (from DAY on, by demand slot) the peaks of days.
DEMAND, NET, REACTIVE, DAY = 0, 1, 2, 3
#: Families of groups of a pooled bill: time that has readings, and from INTERVAL on down the quantities of intervals.
COVERED, INTERVAL = 255, 254
#: Families of groups: active and reactive energy of the intervals of a free share of reactive energy, by TOU period.
ACTIVE_OF, REACTIVE_OF = 240, 241
#: Family of groups: energy of days, by TOU period.
DAY_ENERGY = 242
_E9 = 1_000_000_000
#: Time that has readings of meters with different intervals is added up in steps that divide these [ms].
_STEP_MS = 300_000
_HOUR_MS = 3_600_000
_HOUR_S = 3_600


class DemandPart(NamedTuple):
    """A part of a reading in a demand interval: [from_ms, to_ms) of the reading, and the interval's slot and start.

    `slot`: 0 outside every demand period. `window_ms`: start of the demand interval [epoch ms]. `day_ms`: start of its
    local day. `power`: index of its period in the contracted power of the tariff, None without excess price.
    """

    slot: int
    window_ms: int
    from_ms: int
    to_ms: int
    day_ms: int = 0
    power: int | None = None


class EnergyPart(NamedTuple):
    """A part of a reading in one TOU period: [from_ms, to_ms) of the reading, local month (0-11) and start of the day.

    `price_e9`: dynamic price [1e-9 currency per kWh]; `is_estimated`: it is not the price of this part, which is not
    known yet.
    """

    period: int
    from_ms: int
    to_ms: int
    month: int = 0
    price_e9: int = 0
    is_estimated: bool = False
    day_ms: int = 0


class Placed(NamedTuple):
    """The place of a reading in its bill: its parts by TOU period, and in demand intervals.

    `inside_ms`: time from its start to its end, or to the end of its billing segment. `is_read`: it reads a register.
    """

    energy: Sequence[EnergyPart]
    parts: Sequence[DemandPart]
    interval_s: int
    inside_ms: int
    is_read: bool = False
    start_ms: int = 0


class _Pool:
    """The quantities of an interval, added up over the meters of a supply: once for each reading."""

    def __init__(self, start_ms: int) -> None:
        self.start_ms, self.added = start_ms, set[Quantity]()

    def sum(self, quantity: Quantity) -> bytes:
        """Return the updates from the quantity of the reading to the sum."""
        operation = again if quantity in self.added else group
        self.added.add(quantity)
        return operation(INTERVAL - quantity, self.start_ms)


class BillPlan:
    """The slots of a bill: time, energy by TOU period and direction, peaks by demand slot, and what else is needed.

    The units are those of State. `power_u`: contracted power by period [1e-6 kW]; without it, demand above it is not
    charged.
    """

    def __init__(self, tariff: Tariff, power_u: Sequence[int] = (), counting: Counting = Counting.ALONE) -> None:
        periods, contracted = len(tariff.periods), tariff.contracted
        self.tariff, self.window_s = tariff, tariff.demand_window_s
        self.is_pooled, self.is_behind = counting == Counting.POOLED, counting == Counting.BEHIND
        self.peaks, self.tops = 1 + len(tariff.tou_demand), tariff.demand.highest_days
        self.blocks = demand_blocks(tariff) if tariff.demand.daily else []
        self.adds_squares = contracted is not None and contracted.excess_rule == "root_of_squares"
        charged = contracted is not None and contracted.excess_rule is not None and power_u
        self.excess_u = excess_limits(contracted, power_u) if contracted is not None and charged else ()
        counts = {
            "time": 1,
            "imported": periods,
            "exported": periods,
            "peaks": self.peaks * max(self.tops, 1),
            "reactive": periods if tariff.reactive or tariff.demand.unit != "kW" else 0,
            "capacitive": periods if tariff.reactive else 0,
            "months": 0 if tariff.export.rule == "net_metering" else len(tariff.adjustment_e9),
            "blocks": len(self.blocks),
            "excess": len(self.excess_u) * (2 if self.adds_squares else 1),
            "dynamic": 3 if tariff.dynamic else 0,
            "day_tiers": sum(map(len, tariff.energy)) if tariff.tiers_each_day else 0,
            "above": periods if tariff.reactive and tariff.reactive.over == "interval" else 0,
        }
        ends = [0, *accumulate(counts.values())]
        self.of = {name: range(*bounds) for name, bounds in zip(counts, pairwise(ends), strict=True)}
        self.slots = ends[-1]

    def updates(self, reading: Placed) -> bytes:
        """Return the updates of a reading."""
        if self.is_behind:
            return program(self.slots, *self._shown(reading))
        of, pool = self.of, _Pool(reading.start_ms) if self.is_pooled else None
        operations = [self._time(reading)]
        for each in reading.energy:
            whole = len(reading.energy) == 1
            cut = b"" if whole else part(each.from_ms, each.to_ms, reading.interval_s * 1000)
            operations.append(self._energy(reading, each, pool, cut))
            reactive = ("reactive", Quantity.REACTIVE_IMPORT), ("capacitive", Quantity.REACTIVE_EXPORT)
            for name, quantity in reactive:
                if of[name]:
                    operations.append(_taken(quantity, pool, bool(cut)) + cut + add(of[name][each.period]))
            if of["above"]:
                operations.append(self._above(reading, each, pool, cut))
        return program(self.slots, *operations, *self._demand(reading, pool))

    def _time(self, reading: Placed) -> bytes:
        """Return the updates by the time of the reading that lies in the bill."""
        length_ms, slot = reading.interval_s * 1000, self.of["time"][0]
        time = take(Quantity.TIME)
        if not self.is_pooled:
            is_cut = reading.inside_ms < length_ms
            return time + (part(0, reading.inside_ms, length_ms) if is_cut else b"") + add(slot)
        step_ms = _STEP_MS if reading.start_ms % _STEP_MS == 0 and length_ms % _STEP_MS == 0 else length_ms
        return b"".join(
            time
            + part(begin_ms, min(begin_ms + step_ms, reading.inside_ms), length_ms)
            + highest(COVERED, reading.start_ms + begin_ms)
            + add(slot)
            for begin_ms in range(0, reading.inside_ms, step_ms)
        )

    def _shown(self, reading: Placed) -> Iterator[bytes]:
        """Yield the updates of a meter that adds nothing to the bill: its own demand is shown."""
        energy = take(Quantity.READ if reading.is_read else Quantity.IMPORT)
        for each in reading.parts:
            yield self._in_window(energy, DEMAND, each, reading) + show()

    def _energy(self, reading: Placed, each: EnergyPart, pool: _Pool | None, cut: bytes) -> bytes:
        """Return the updates by imported and exported energy of a part, netted if the tariff nets them.

        `cut`: operation that takes the part of a quantity, empty for a whole reading.
        """
        charge = add(self.of["imported"][each.period])
        if self.of["months"]:
            charge += add(self.of["months"][each.month])
        if self.of["dynamic"]:
            amount, _, estimated = self.of["dynamic"]
            charge += product(amount, each.price_e9) + (add(estimated) if each.is_estimated else b"")
        if self.of["day_tiers"]:
            charge += group(DAY_ENERGY, each.day_ms + each.period) + self._in_tiers(each.period)
        sold = add(self.of["exported"][each.period])
        if not self.tariff.is_netted:
            bought, given = (self._measured(q, pool, bool(cut)) + cut for q in (Quantity.IMPORT, Quantity.EXPORT))
            return bought + charge + given + sold
        netted = self._net(pool, cut)
        if self.tariff.export.netting == "hour":
            netted += group(NET, (reading.start_ms + each.from_ms) // _HOUR_MS * _HOUR_MS + each.period)
        return netted + keep() + positive() + charge + recall() + negate() + positive() + sold

    def _in_tiers(self, period: int) -> bytes:
        """Return the updates by the energy of a day, which fills the tiers of its period."""
        slot = self.of["day_tiers"].start + sum(len(tiers) for tiers in self.tariff.energy[:period])
        bounds = [0, *(tier.bound_u or 0 for tier in self.tariff.energy[period])]
        return b"".join(
            block(slot + number, low, max(high - low, 0)) for number, (low, high) in enumerate(pairwise(bounds))
        )

    def _above(self, reading: Placed, each: EnergyPart, pool: _Pool | None, cut: bytes) -> bytes:
        """Return the updates by reactive energy above the free share of the energy of its interval and TOU period."""
        rule = self.tariff.reactive
        assert rule is not None
        interval_ms, share = rule.interval_s * 1000, Fraction(rule.free_e9, _E9)
        instant_ms = (reading.start_ms + each.from_ms) // interval_ms * interval_ms + each.period
        free = self._measured(Quantity.IMPORT, pool, bool(cut)) + cut + group(ACTIVE_OF, instant_ms)
        free += scale(share.numerator, share.denominator) + negate() + keep()
        reactive = _taken(Quantity.REACTIVE_IMPORT, pool, bool(cut)) + cut
        reactive += group(REACTIVE_OF, instant_ms) + plus() + positive()
        return free + reactive + add(self.of["above"][each.period])

    def _measured(self, quantity: Quantity, pool: _Pool | None, is_divided: bool = False) -> bytes:
        """Take a quantity, rounded if the tariff rounds the energy of intervals.

        A sum of meters is added up before it is netted, rounded or divided.
        """
        rule = self.tariff.rounding
        is_rounded = rule.energy_decimals < _DECIMALS
        measured = _taken(quantity, pool, is_rounded or is_divided or self.tariff.is_netted)
        return measured + (round_to(10 ** (_DECIMALS - rule.energy_decimals), rule.half_up) if is_rounded else b"")

    def _net(self, pool: _Pool | None, cut: bytes = b"") -> bytes:
        exported, imported = (self._measured(q, pool) + cut for q in (Quantity.EXPORT, Quantity.IMPORT))
        return exported + negate() + keep() + imported + plus()

    def _demand(self, reading: Placed, pool: _Pool | None) -> Iterator[bytes]:
        """Yield the updates of the demand intervals, by the energy imported in the interval, net of exports if netted.

        A reading as long as the demand interval, or longer, shows the demand by itself; shorter readings and the energy
        of register reads are added up by demand interval. A longer reading counts with its mean power.
        """
        measured = Quantity.READ if reading.is_read else Quantity.IMPORT
        is_divided = any(each.to_ms - each.from_ms < reading.interval_s * 1000 for each in reading.parts)
        for each in reading.parts:
            if self.tariff.is_netted and not reading.is_read:
                energy = self._net(pool) + positive()
            else:
                energy = self._measured(measured, pool, is_divided)
            reactive = b""
            if self.tariff.demand.unit != "kW":
                reactive = _taken(Quantity.REACTIVE_IMPORT, pool, is_divided)
            if self.tariff.demand.in_kva:
                yield self._in_window(energy, DEMAND, each, reading) + keep()
                yield self._in_window(reactive, REACTIVE, each, reading) + hypot()
            else:
                yield self._in_window(reactive or energy, DEMAND, each, reading)
            yield from () if self.tops else map(maximum, sorted({self.of["peaks"][slot] for slot in (0, each.slot)}))
            yield show()
            if self.blocks or self.excess_u or self.tops:
                yield keep()
                yield from self._daily(each)
                yield from self._excess(each)

    def _in_window(self, quantity: bytes, family: int, each: DemandPart, reading: Placed) -> bytes:
        """Take the sum of a quantity in a demand interval, of which the reading has a part."""
        interval_s = reading.interval_s
        is_whole = len(reading.parts) == 1 and interval_s >= self.window_s
        is_alone = is_whole and not reading.is_read and not self.is_pooled
        if interval_s > self.window_s and not self.is_pooled:
            quantity += scale(self.window_s, interval_s)
        elif each.to_ms - each.from_ms < interval_s * 1000:
            quantity += part(each.from_ms, each.to_ms, interval_s * 1000)
        return quantity if is_alone else quantity + group(family, each.window_ms)

    def _daily(self, each: DemandPart) -> Iterator[bytes]:
        """Yield the updates by the peak of a day: the list of the highest ones, or the sums of its parts in tiers."""
        for slot in sorted({0, each.slot}) if self.blocks or self.tops else ():
            yield recall() + highest(DAY + slot, each.day_ms)
            if self.tops:
                yield top(self.of["peaks"][slot * self.tops], self.tops)
            for number, tier in zip(self.of["blocks"], self.blocks, strict=True):
                if tier.slot == slot:
                    yield block(number, tier.low_ukwh, tier.width_ukwh)

    def _excess(self, each: DemandPart) -> Iterator[bytes]:
        """Yield the updates by demand above the contracted power: the sum of its squares, or the peak."""
        if each.power is None or not self.excess_u:
            return
        first = self.of["excess"].start
        if self.adds_squares:
            yield recall() + scale(_HOUR_S, self.window_s) + square(first + 2 * each.power, self.excess_u[each.power])
        else:
            yield recall() + maximum(first + each.power)

    def state(self, slots: NDArray[np.int64]) -> State:
        """Return the accumulators of bills, given slots of shape (slots, n)."""

        def taken(name: str) -> tuple[Ints, ...]:
            return tuple(slots[self.of[name].start : self.of[name].stop])

        names = ("reactive", "capacitive", "months", "blocks", "excess", "dynamic", "above", "day_tiers")
        peaks = taken("peaks")
        if self.tops:
            peaks = tuple(total(peaks[at : at + self.tops]) for at in range(0, len(peaks), self.tops))
        return State(taken("imported"), taken("exported"), peaks, slots[0], *map(taken, names))


def _taken(quantity: Quantity, pool: _Pool | None, is_summed: bool) -> bytes:
    """Take a quantity: where what follows is not linear, a pool of meters is added up first."""
    return take(quantity) + (pool.sum(quantity) if pool is not None and is_summed else b"")


def excess_limits(contracted: Contracted, power_u: Sequence[int]) -> tuple[int, ...]:
    """Return the contracted power [1e-6 kW] by period with an excess price, in the order of these prices."""
    power = dict(zip(contracted.price_e9, power_u, strict=True))
    return tuple(power[period] for period in contracted.excess_e9)
