"""The demand charges of a bill as functions of its state, in exact integers of 1e-6 currency ("micro").

All functions take arrays with one element per reading; `Basis` has the billing segment of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import NamedTuple

import numpy as np

from flink_job.tariffs.charges import TO_MICRO, counted_ms, month_share, zeros
from flink_job.tariffs.exact import Ints, round_div, times, total
from flink_job.tariffs.model import Contracted, Tariff
from flink_job.tariffs.state import Basis, State
from flink_job.tariffs.updates import BASE

_HOUR_S = 3600
_MICRO = 1_000_000
_E9 = 1_000_000_000
#: 1e-9 currency per micro.
_E9_TO_MICRO = 1_000
#: Number of days that the excess price of the maximeter rule is defined for.
_MAXIMETER_DAYS = 30


class Block(NamedTuple):
    """A tier of a demand slot: the part of a peak in [low, low + width) [1e-6 kWh]; a width of 0 has no upper bound."""

    slot: int
    low_ukwh: int
    width_ukwh: int
    price_e9: int

    def of(self, peak_ukwh: Ints) -> Ints:
        """Return the part of a peak in the tier."""
        above = np.maximum(peak_ukwh - self.low_ukwh, 0)
        return np.minimum(above, self.width_ukwh) if self.width_ukwh else above


def peak_count(tariff: Tariff) -> int:
    """Return the number of peaks whose sum the accumulators of peaks are."""
    return tariff.demand.highest_days or 1


def demand_blocks(tariff: Tariff, cycles: int = 1) -> list[Block]:
    """Return the tiers of all demand slots, in order of their slots, in terms of their accumulators of peaks.

    `cycles`: number of cycles whose accumulators are added up, where the mean of their peaks is billed.
    """
    found = []
    for slot, tiers in enumerate((tariff.flat_demand, *tariff.tou_demand)):
        low = 0
        for tier in tiers:
            upper = None if tier.bound_u is None else peak_ukwh(tariff, tier.bound_u) * cycles
            if upper is None or upper > low:
                found.append(Block(slot, low, 0 if upper is None else upper - low, tier.price_e9))
            low = upper or low
    return found


def daily_amount(tariff: Tariff, blocks: Sequence[Ints]) -> Ints:
    """Return the charge of daily demand, given the sums over days of the part of the peak in each of demand_blocks."""
    terms = [times(energy, block.price_e9) for energy, block in zip(blocks, demand_blocks(tariff), strict=True)]
    return round_div(times(total(terms), _HOUR_S), tariff.demand_window_s * TO_MICRO).astype(np.int64)


def demand_amount(tariff: Tariff, basis: Basis, state: State, cycles: int = 1) -> Ints:
    """Return the demand charge: tiers of the peak (kW = kWh x 3600 / window_s) per kW and cycle, prorated.

    `cycles`: the peaks of the state are sums of so many cycles, of which the mean is billed.
    """
    if not tariff.has_demand:
        return zeros(basis)
    if tariff.demand.daily:
        return daily_amount(tariff, state.block_ukwh)
    blocks = demand_blocks(tariff, cycles)
    peaks, steps = state.peak_ukwh, tariff.demand.steps
    stepped = step_amount(tariff, basis, peaks[0], cycles) if steps else np.zeros_like(peaks[0])
    if not blocks:
        return stepped
    terms = [times(block.of(peaks[block.slot]), block.price_e9) for block in blocks]
    part, month = month_share(tariff, basis)
    numerator = times(total(terms), part * _HOUR_S)
    denominator = times(month, tariff.demand_window_s * peak_count(tariff) * cycles * TO_MICRO)
    return np.asarray(round_div(numerator, denominator).astype(np.int64) + stepped)


def step_amount(tariff: Tariff, basis: Basis, peak: Ints, cycles: int = 1) -> Ints:
    """Return the amount of the step that the flat demand is in, prorated; a bound belongs to the step below it."""
    amounts = np.array([step.amount_e9 for step in tariff.demand.steps], dtype=object)
    at = np.searchsorted(step_bounds(tariff, cycles), peak.astype(np.int64))
    part, month = month_share(tariff, basis)
    return round_div(amounts[at] * part, month * _E9_TO_MICRO).astype(np.int64)


def step_bounds(tariff: Tariff, cycles: int = 1) -> list[int]:
    """Return the upper bounds of the steps of the demand charge but the last, as accumulators of peaks."""
    bounds = (step.bound_u for step in tariff.demand.steps)
    return [peak_ukwh(tariff, bound) * cycles for bound in bounds if bound is not None]


def peak_ukwh(tariff: Tariff, demand_u: int) -> int:
    """Return the accumulator of peaks [1e-6 kWh] at which a demand [1e-6 kW] is billed."""
    return demand_u * tariff.demand_window_s // _HOUR_S * peak_count(tariff)


def demand_ukw(tariff: Tariff, energy: Ints) -> Ints:
    """Return the demand [1e-6 kW] of the energy of a demand interval."""
    return np.asarray(times(energy, _HOUR_S) // tariff.demand_window_s)


def billed_ukw(tariff: Tariff, basis: Basis, state: State) -> Ints:
    """Return the billed demand [1e-6 kW]: the peak of all hours, at least the minimum."""
    return np.maximum(peak_ukw(tariff, state.peak_ukwh[0]), least_ukw(tariff, basis.power_u))


def is_low_use(hours: int, imported_ukwh: Ints, peak_ukw: Ints) -> Ints:
    """Return True where energy [1e-6 kWh] is below some hours of use of a peak [1e-6 kW]."""
    return np.asarray(imported_ukwh < times(peak_ukw, hours))


def least_ukw(tariff: Tariff, power_u: Sequence[Ints]) -> Ints:
    """Return the least billed flat demand [1e-6 kW]: the minimum, or a share of the highest contracted power."""
    least = np.array([tariff.demand.minimum_u], dtype=np.int64)
    if not tariff.demand.minimum_share_e9 or not power_u:
        return least
    highest = np.max(np.stack(list(power_u)), axis=0)
    return np.maximum(least, (times(highest, tariff.demand.minimum_share_e9) // _E9).astype(np.int64))


def peak_ukw(tariff: Tariff, peak: Ints) -> Ints:
    """Return the demand [1e-6 kW] of an accumulator of peaks: of the peak, or the mean of the highest ones."""
    return np.asarray(demand_ukw(tariff, peak) // peak_count(tariff))


def demand_with_minimum(tariff: Tariff, basis: Basis, state: State) -> Ints:
    """Return the demand charge: the part of a minimum demand or first step accrues with time, the rest with peaks."""
    least = np.asarray(least_ukw(tariff, basis.power_u) * tariff.demand_window_s // _HOUR_S * peak_count(tariff))
    if not (least.any() or tariff.demand.steps) or not tariff.has_demand or tariff.demand.daily:
        return demand_amount(tariff, basis, state)
    none = zeros(basis)
    billed = (np.maximum(state.peak_ukwh[0], least), *state.peak_ukwh[1:])
    base = demand_amount(tariff, basis, State((), (), (none + least, *(none for _ in state.peak_ukwh[1:]))))
    accrued = round_div(times(counted_ms(basis, state), base), basis.segment_end_ms - basis.segment_start_ms)
    return np.asarray(demand_amount(tariff, basis, State((), (), billed)) - base + accrued.astype(np.int64))


def apparent(active: Ints, reactive: Ints) -> Ints:
    """Return the apparent energy of demand intervals [1e-6 kVAh], rounded down, from active and reactive energy."""
    pairs = zip(active.tolist(), reactive.tolist(), strict=True)
    return np.array([isqrt(x * x + y * y) if y else x for x, y in pairs], dtype=np.int64)


class PowerCharge(NamedTuple):
    """The charge of the contracted power of a period, which accrues as a fixed charge per year."""

    amount_e9: Ints
    per: str = "year"


def power_charges(contracted: Contracted, power_u: Sequence[Ints]) -> list[PowerCharge]:
    """Return the charges of contracted power [1e-6 kW], given by period in the order of its prices."""
    prices = contracted.price_e9.values()
    return [PowerCharge(round_div(times(p, price), _MICRO)) for price, p in zip(prices, power_u, strict=True)]


def excess_amount(tariff: Tariff, basis: Basis, state: State) -> Ints:
    """Return the charge for demand above the contracted power."""
    contracted = tariff.contracted
    if contracted is None or not state.excess:
        return zeros(basis)
    prices = list(contracted.excess_e9.values())
    if contracted.excess_rule == "root_of_squares":
        sums = [times(q, BASE).astype(object) + r for q, r in zip(state.excess[::2], state.excess[1::2], strict=True)]
        amounts = [root_of_squares(price, squares) for price, squares in zip(prices, sums, strict=True)]
    else:
        power = dict(zip(contracted.price_e9, basis.power_u, strict=True))
        above = [
            np.maximum(demand_ukw(tariff, peak) - power[name], 0)
            for name, peak in zip(contracted.excess_e9, state.excess, strict=True)
        ]
        amounts = [maximeter(price, each, basis.segment_days) for price, each in zip(prices, above, strict=True)]
    return np.asarray(total(amounts).astype(np.int64))


def root_of_squares(price_e9: int, squares: Ints) -> Ints:
    """Return price x sqrt(sum of squares of the excess of demand intervals [1e-12 kW2]).

    Spain, Circular 3/2020 of the CNMC, article 9.4.b.1, meters of types 1 to 3 (K is included in the price).
    """
    return round_div(np.array([isqrt(price_e9**2 * int(square)) for square in squares], dtype=object), _E9)


def maximeter(price_e9: int, above_ukw: Ints, days: Ints) -> Ints:
    """Return 2 x price x (peak - contracted power) x days / 30.

    Spain, Circular 3/2020 of the CNMC, article 9.4.b.2, meters of types 4 and 5.
    """
    return round_div(above_ukw.astype(object) * (2 * price_e9 * days), _MAXIMETER_DAYS * _E9)
