"""What a billing cycle costs, and what one reading adds to it: integers of 1e-6 currency ("micro").

Let B(state) be the bill of a cycle as a function of its accumulated state. A reading costs B(after) - B(before), each
rounded to a micro, so the costs of a cycle's readings add up to B(final), in any order of arrival. Fixed charges accrue
with time instead: a reading carries F(interval end) - F(interval start).

Every function takes arrays, one element a reading; `Basis` says which part of which cycle each belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.exact import RATE_SCALE, Ints, round_div, times, total
from flink_job.tariffs.model import Tariff, Tier

#: micro-kWh x 1e-9 currency/kWh is 1e-15 currency; a micro is 1e-6.
_TO_MICRO = 1_000_000_000
#: 1e-9 currency per micro.
_E9_TO_MICRO = 1_000


class State(NamedTuple):
    """Accumulators of a cycle segment, arrays of shape (n,).

    `imported_ukwh[p]`, `exported_ukwh[p]`: energy in TOU period p [1e-6 kWh]. `peak_ukwh[s]`: energy of the demand
    interval with the highest demand [1e-6 kWh]; slot 0 over all hours, slot s over demand period s.
    """

    imported_ukwh: tuple[Ints, ...]
    exported_ukwh: tuple[Ints, ...]
    peak_ukwh: tuple[Ints, ...]


class Charges(NamedTuple):
    """Amounts by kind [1e-6 currency]; `export` is a credit, so zero or negative where prices are positive."""

    energy: Ints
    demand: Ints
    fixed: Ints
    export: Ints
    tax: Ints

    @property
    def cost(self) -> Ints:
        return total([self.energy, self.demand, self.fixed, self.export, self.tax])


@dataclass(frozen=True)
class Basis:
    """The cycle segment of each reading, arrays of shape (n,): days, and the cycle's bounds in epoch ms."""

    segment_days: NDArray[np.int64]
    cycle_days: NDArray[np.int64]
    cycle_start_ms: NDArray[np.int64]
    cycle_end_ms: NDArray[np.int64]
    year_days: NDArray[np.int64]

    @staticmethod
    def of(segments: list[Segment], index: NDArray[np.int64]) -> Basis:
        """The basis of readings whose segment is `segments[index]`."""

        def column(values: list[int]) -> NDArray[np.int64]:
            return np.array(values, dtype=np.int64)[index]

        return Basis(
            column([s.segment_days for s in segments]),
            column([s.cycle_days for s in segments]),
            column([s.cycle_start_ms for s in segments]),
            column([s.cycle_end_ms for s in segments]),
            column([_days_of_year(s.cycle_start) for s in segments]),
        )


def marginal(
    tariff: Tariff,
    basis: Basis,
    before: State,
    after: State,
    interval_ms: tuple[NDArray[np.int64], NDArray[np.int64]],
    counts_time: NDArray[np.bool_],
) -> Charges:
    """What each reading costs.

    `interval_ms` are the (start, end) instants of the readings; fixed charges accrue over it where `counts_time`,
    which is true for the first record of an interval only.
    """
    energy_before, energy_after = _energy_pair(tariff, basis, before, after)
    export_before, export_after = _export(tariff, before), _export(tariff, after)
    demand_before, demand_after = _demand(tariff, basis, before), _demand(tariff, basis, after)
    start_ms, end_ms = interval_ms
    fixed_before = _fixed(tariff, basis, start_ms)
    fixed_after = np.where(counts_time, _fixed(tariff, basis, end_ms), fixed_before)
    tax: Ints = (
        _tax(tariff, energy=energy_after, demand=demand_after, export=export_after)
        - _tax(tariff, energy=energy_before, demand=demand_before, export=export_before)
        + _tax(tariff, fixed=fixed_after)
        - _tax(tariff, fixed=fixed_before)
    )
    return Charges(
        energy_after - energy_before,
        demand_after - demand_before,
        fixed_after - fixed_before,
        export_after - export_before,
        tax,
    )


def bill(tariff: Tariff, basis: Basis, state: State, until_ms: NDArray[np.int64]) -> Charges:
    """The bill of a cycle segment: its state, and its fixed charges from the cycle's start until `until_ms`."""
    energy, demand, export = _energy(tariff, basis, state), _demand(tariff, basis, state), _export(tariff, state)
    fixed = _fixed(tariff, basis, until_ms)
    tax = _tax(tariff, energy=energy, demand=demand, export=export) + _tax(tariff, fixed=fixed)
    return Charges(energy, demand, fixed, export, tax)


def _energy_pair(tariff: Tariff, basis: Basis, before: State, after: State) -> tuple[Ints, Ints]:
    if not tariff.depends_on_order:
        return _energy(tariff, basis, before), _energy(tariff, basis, after)
    return _zeros(basis), _energy_in_order(tariff, basis, before, after)


def _energy(tariff: Tariff, basis: Basis, state: State) -> Ints:
    if tariff.tier_rule == "per_period" or all(len(tiers) == 1 for tiers in tariff.energy):
        terms = [
            times(block, tier.price_e9)
            for tiers, energy in zip(tariff.energy, state.imported_ukwh, strict=False)
            for tier, block in zip(tiers, _blocks(tariff, basis, tiers, energy), strict=True)
        ]
        return round_div(total(terms), _TO_MICRO)
    return _energy_shared(tariff, basis, state)


def _energy_shared(tariff: Tariff, basis: Basis, state: State) -> Ints:
    """The cycle's total fills the tiers; each tier is shared over the periods by their part of the total.

    Rule of PySAM's Utilityrate5, metering options 0 and 1 (ssc, cmod_utilityrate5.cpp, ur_calc). With periods of one
    price it is also the chronological rule.
    """
    energies = [energy.astype(object) for energy, _ in zip(state.imported_ukwh, tariff.energy, strict=False)]
    whole = total(energies)
    blocks = _blocks(tariff, basis, tariff.energy[0], whole)
    numerator = total(
        [
            blocks[t]
            * total([energy * tiers[t].price_e9 for energy, tiers in zip(energies, tariff.energy, strict=True)])
            for t in range(len(blocks))
        ]
    )
    denominator = np.where(whole > 0, whole, 1) * _TO_MICRO
    return round_div(np.where(whole > 0, numerator, 0), denominator).astype(np.int64)


def _energy_in_order(tariff: Tariff, basis: Basis, before: State, after: State) -> Ints:
    """Tiers fill in order of arrival over all periods: the stream's provisional price for a chronological tariff."""
    pairs = list(zip(before.imported_ukwh, after.imported_ukwh, tariff.energy, strict=False))
    low = total([pair[0] for pair in pairs])
    deltas = [after_p - before_p for before_p, after_p, _ in pairs]
    costs = []
    for (_, _, tiers), delta in zip(pairs, deltas, strict=True):
        start, end = _blocks(tariff, basis, tiers, low), _blocks(tariff, basis, tiers, low + delta)
        costs += [times(e - s, tier.price_e9) for tier, s, e in zip(tiers, start, end, strict=True)]
    return round_div(total(costs), _TO_MICRO)


def _blocks(tariff: Tariff, basis: Basis, tiers: tuple[Tier, ...], energy: Ints) -> list[Ints]:
    """The part of `energy` that lies in each tier [1e-6 kWh]; bounds are prorated to the segment."""
    if len(tiers) == 1:
        return [energy]
    blocks: list[Ints] = []
    lower: Ints | None = None
    for tier in tiers:
        filled = energy if tier.bound_u is None else np.minimum(energy, _prorated_bound(tariff, basis, tier.bound_u))
        blocks.append(filled if lower is None else np.maximum(filled - lower, 0))
        if tier.bound_u is not None:
            lower = _prorated_bound(tariff, basis, tier.bound_u)
    return blocks


def _prorated_bound(tariff: Tariff, basis: Basis, bound_u: int) -> Ints:
    if tariff.tier_daily:
        return times(basis.segment_days, bound_u)
    return round_div(times(basis.segment_days, bound_u), basis.cycle_days)


def _export(tariff: Tariff, state: State) -> Ints:
    terms = [times(e, -price) for e, price in zip(state.exported_ukwh, tariff.export_e9, strict=False)]
    return round_div(total(terms), _TO_MICRO)


def _demand(tariff: Tariff, basis: Basis, state: State) -> Ints:
    """Blocks of the peak, kW = kWh x 3600 / window_s, at a price per kW and cycle, prorated to the segment."""
    if not tariff.has_demand:
        return _zeros(basis)
    structures = [tariff.flat_demand, *tariff.tou_demand]
    peaks = [state.peak_ukwh[0], *state.peak_ukwh[1 : len(structures)]]
    terms: list[Ints] = []
    for tiers, peak in zip(structures, peaks, strict=True):
        lower = 0
        for tier in tiers:
            upper = None if tier.bound_u is None else tier.bound_u * tariff.demand_window_s // 3600
            block = np.maximum(peak - lower, 0) if upper is None else np.clip(peak - lower, 0, upper - lower)
            terms.append(times(block, tier.price_e9))
            lower = upper or lower
    numerator = times(total(terms), basis.segment_days * 3600)
    return round_div(numerator, times(basis.cycle_days, tariff.demand_window_s * _TO_MICRO)).astype(np.int64)


def _fixed(tariff: Tariff, basis: Basis, at_ms: NDArray[np.int64]) -> Ints:
    """Fixed charges from the cycle's start to an instant in it, in proportion to time."""
    if not tariff.fixed:
        return _zeros(basis)
    elapsed = np.clip(at_ms - basis.cycle_start_ms, 0, basis.cycle_end_ms - basis.cycle_start_ms)
    # Over one common denominator, days of the year: a month is the whole cycle, a day one of its days.
    weights: list[Ints] = []
    for charge in tariff.fixed:
        days = {"month": basis.year_days, "day": basis.cycle_days * basis.year_days, "year": basis.cycle_days}
        weights.append(times(days[charge.per], charge.amount_e9))
    numerator = times(total(weights), elapsed)
    denominator = times(times(basis.cycle_end_ms - basis.cycle_start_ms, basis.year_days), _E9_TO_MICRO)
    return round_div(numerator, denominator).astype(np.int64)


def _tax(tariff: Tariff, **charges: Ints) -> Ints:
    """All taxes on some charges, in the tariff's order; a tax may have earlier taxes in its base."""
    lines = dict(charges)
    shape = next(iter(charges.values()))
    added = np.zeros_like(shape)
    for tax in tariff.taxes:
        base = [amount for name, amount in lines.items() if name in tax.base]
        lines[tax.name] = round_div(times(total(base), tax.rate_e12), RATE_SCALE) if base else np.zeros_like(shape)
        added = added + lines[tax.name]
    return added


def _zeros(basis: Basis) -> Ints:
    return np.zeros(len(basis.cycle_days), dtype=np.int64)


def _days_of_year(day: date) -> int:
    return (date(day.year + 1, 1, 1) - date(day.year, 1, 1)).days
