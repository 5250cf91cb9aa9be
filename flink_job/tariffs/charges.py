"""The charges of a bill as functions of its state, in exact integers of 1e-6 currency ("micro").

All functions take arrays with one element per reading; `Basis` has the billing segment of each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.exact import RATE_SCALE, Ints, round_div, times, total
from flink_job.tariffs.model import PER_KW_UNITS, FixedCharge, Tariff, Tiers
from flink_job.tariffs.state import Basis, State

#: micro-kWh x 1e-9 currency/kWh is 1e-15 currency; a micro is 1e-6.
TO_MICRO = 1_000_000_000
#: 1e-9 currency per micro.
_E9_TO_MICRO = 1_000
_MICRO = 1_000_000


def month_share(tariff: Tariff, basis: Basis) -> tuple[Ints, Ints]:
    """Return the fraction of a month that the segment covers, as (numerator, denominator)."""
    if tariff.month_days == "30":
        return basis.segment_days, np.full_like(basis.cycle_days, 30)
    if tariff.month_days == "365/12":
        return basis.segment_days * 12, np.full_like(basis.cycle_days, 365)
    return basis.segment_days, basis.cycle_days


def energy_amount(tariff: Tariff, basis: Basis, state: State, billed_ukw: Ints | None = None) -> Ints:
    """Return the charge for imported energy. `billed_ukw` [1e-6 kW]: billed demand, for tiers in kWh per kW."""
    if tariff.tier_rule == "per_period" or not tariff.has_tiers:
        terms = [
            times(block, tier.price_e9)
            for tiers, energy in zip(tariff.energy, state.imported_ukwh, strict=False)
            for tier, block in zip(tiers, _blocks(tariff, basis, tiers, energy, billed_ukw), strict=True)
        ]
        if not tariff.has_tiers:
            return round_div(total([*terms, *_adjusted(tariff, state)]), TO_MICRO)
        return _with_adjustments(tariff, state, round_div(total(terms), TO_MICRO))
    groups = [group for group in tariff.tier_groups() if max(group) < len(state.imported_ukwh)]
    amounts = [energy_shared(tariff, basis, state, group, billed_ukw) for group in groups]
    return _with_adjustments(tariff, state, np.asarray(total(amounts)))


def _adjusted(tariff: Tariff, state: State) -> list[Ints]:
    """Return the terms of the monthly adjustments [1e-15 currency]."""
    return [times(e, price) for e, price in zip(state.month_ukwh, tariff.adjustment_e9, strict=False)]


def _with_adjustments(tariff: Tariff, state: State, amount: Ints) -> Ints:
    terms = _adjusted(tariff, state)
    return amount + round_div(total(terms), TO_MICRO) if terms else amount


def energy_shared(tariff: Tariff, basis: Basis, state: State, group: list[int], billed_ukw: Ints | None) -> Ints:
    """Return the charge of periods that fill tiers together; each tier is prorated by the energy of the periods.

    Rule of PySAM's Utilityrate5, metering options 0 and 1 (ssc, cmod_utilityrate5.cpp, ur_calc). If all periods have
    one price it equals the chronological rule.
    """
    energies = [state.imported_ukwh[p].astype(object) for p in group]
    group_total = total(energies)
    blocks = _blocks(tariff, basis, tariff.energy[group[0]], group_total, billed_ukw)
    numerator = total(
        [
            block * total([e * tariff.energy[p][t].price_e9 for e, p in zip(energies, group, strict=True)])
            for t, block in enumerate(blocks)
        ]
    )
    denominator = np.where(group_total > 0, group_total, 1) * TO_MICRO
    return round_div(np.where(group_total > 0, numerator, 0), denominator).astype(np.int64)


def energy_in_order(tariff: Tariff, basis: Basis, before: State, after: State) -> Ints:
    """Return the charge with tiers filled in order of arrival: the provisional price of a chronological tariff."""
    pairs = list(zip(before.imported_ukwh, after.imported_ukwh, tariff.energy, strict=False))
    low, billed = total([pair[0] for pair in pairs]), billed_ukw(tariff, after)
    deltas = [after_p - before_p for before_p, after_p, _ in pairs]
    costs = []
    for (_, _, tiers), delta in zip(pairs, deltas, strict=True):
        start, end = (_blocks(tariff, basis, tiers, e, billed) for e in (low, low + delta))
        costs += [times(e - s, tier.price_e9) for tier, s, e in zip(tiers, start, end, strict=True)]
    months = [high - low for low, high in zip(before.month_ukwh, after.month_ukwh, strict=True)]
    costs += _adjusted(tariff, after._replace(month_ukwh=tuple(months)))
    return round_div(total(costs), TO_MICRO)


def tier_blocks(bounds: Sequence[Ints | None], energy: Ints) -> list[Ints]:
    """Return the part of `energy` in each tier, given the upper bounds, of which the last is None."""
    blocks: list[Ints] = []
    lower: Ints | None = None
    for bound in bounds:
        filled = energy if bound is None else np.minimum(energy, bound)
        blocks.append(filled if lower is None else np.maximum(filled - lower, 0))
        lower = bound
    return blocks


def tier_bounds(tariff: Tariff, basis: Basis, tiers: Tiers, billed_ukw: Ints | None = None) -> list[Ints | None]:
    """Return the upper bounds of tiers in the segment [1e-6 kWh]: prorated, by days, or by days and billed kW."""
    return [None if t.bound_u is None else _bound(tariff, basis, t.bound_u, billed_ukw) for t in tiers]


def _blocks(tariff: Tariff, basis: Basis, tiers: Tiers, energy: Ints, billed_ukw: Ints | None = None) -> list[Ints]:
    return tier_blocks(tier_bounds(tariff, basis, tiers, billed_ukw), energy)


def _bound(tariff: Tariff, basis: Basis, bound_u: int, billed_ukw: Ints | None) -> Ints:
    days = np.ones_like(basis.cycle_days)
    numerator, denominator = (basis.segment_days, days) if tariff.tier_daily else month_share(tariff, basis)
    bound = times(numerator, bound_u)
    if tariff.tier_unit in PER_KW_UNITS and billed_ukw is not None:
        bound = times(bound.astype(object), billed_ukw)
        denominator = denominator * _MICRO
    return round_div(bound, denominator)


def export_amount(tariff: Tariff, state: State) -> Ints:
    """Return the credit for exported energy, as a negative amount."""
    terms = [times(e, -price) for e, price in zip(state.exported_ukwh, tariff.export_e9, strict=False)]
    return round_div(total(terms), TO_MICRO)


def demand_amount(tariff: Tariff, basis: Basis, state: State) -> Ints:
    """Return the demand charge: tiers of the peak (kW = kWh x 3600 / window_s) per kW and cycle, prorated."""
    if not tariff.has_demand:
        return zeros(basis)
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
    part, month = month_share(tariff, basis)
    numerator = times(total(terms), part * 3600)
    return round_div(numerator, times(month, tariff.demand_window_s * TO_MICRO)).astype(np.int64)


def demand_ukw(tariff: Tariff, energy: Ints) -> Ints:
    """Return the demand [1e-6 kW] of the energy of a demand interval."""
    return np.asarray(times(energy, 3600) // tariff.demand_window_s)


def billed_ukw(tariff: Tariff, state: State) -> Ints:
    """Return the billed demand [1e-6 kW]: the peak of all hours, at least the minimum of the tariff."""
    return np.maximum(demand_ukw(tariff, state.peak_ukwh[0]), tariff.demand.minimum_u)


def demand_with_minimum(tariff: Tariff, basis: Basis, state: State) -> Ints:
    """Return the demand charge; the part of a minimum demand accrues with time, the excess with the peak."""
    least = tariff.demand.minimum_u * tariff.demand_window_s // 3600
    if not least or not tariff.has_demand:
        return demand_amount(tariff, basis, state)
    none = zeros(basis)
    billed = (np.maximum(state.peak_ukwh[0], least), *state.peak_ukwh[1:])
    base = demand_amount(tariff, basis, State((), (), (none + least, *(none for _ in state.peak_ukwh[1:]))))
    accrued = round_div(times(_counted_ms(basis, state), base), basis.segment_end_ms - basis.segment_start_ms)
    return np.asarray(demand_amount(tariff, basis, State((), (), billed)) - base + accrued.astype(np.int64))


def accrued_amount(tariff: Tariff, basis: Basis, state: State, charges: Sequence[FixedCharge]) -> Ints:
    """Return what charges have accrued over the time with readings, from the start of the segment."""
    start = basis.segment_start_ms
    until, before = (
        fixed_amount(charges, tariff.month_days, basis, at) for at in (start + _counted_ms(basis, state), start)
    )
    return np.asarray(until - before)


def _counted_ms(basis: Basis, state: State) -> Ints:
    return np.minimum(state.time_ms, basis.segment_end_ms - basis.segment_start_ms)


def fixed_amount(charges: Sequence[FixedCharge], month_days: str, basis: Basis, at_ms: NDArray[np.int64]) -> Ints:
    """Return the fixed charges accrued from the start of the cycle to an instant in it, in proportion to time."""
    if not charges:
        return zeros(basis)
    elapsed = np.clip(at_ms - basis.cycle_start_ms, 0, basis.cycle_end_ms - basis.cycle_start_ms)
    # One common denominator: days of the year x days of a month, unless a month is the cycle.
    month, per_month = {"30": (1, 30), "365/12": (12, 365)}.get(month_days, (0, 1))
    weights: list[Ints] = []
    for charge in charges:
        days = {
            "month": basis.year_days * (basis.cycle_days * month if month else 1),
            "day": basis.cycle_days * basis.year_days * per_month,
            "year": basis.cycle_days * per_month,
        }
        weights.append(times(days[charge.per], charge.amount_e9))
    numerator = times(total(weights), elapsed)
    denominator = times(times(basis.cycle_end_ms - basis.cycle_start_ms, basis.year_days), per_month * _E9_TO_MICRO)
    return round_div(numerator, denominator).astype(np.int64)


def tax_amount(tariff: Tariff, **charges: Ints) -> Ints:
    """Return the sum of the taxes on some charges, in the order of the tariff; a tax may be based on earlier ones."""
    lines = dict(charges)
    shape = next(iter(charges.values()))
    added = np.zeros_like(shape)
    for tax in tariff.taxes:
        base = [amount for name, amount in lines.items() if name in tax.base]
        lines[tax.name] = round_div(times(total(base), tax.rate_e12), RATE_SCALE) if base else np.zeros_like(shape)
        added = added + lines[tax.name]
    return added


def zeros(basis: Basis) -> Ints:
    """Return an amount of zero for each reading."""
    return np.zeros(len(basis.cycle_days), dtype=np.int64)
