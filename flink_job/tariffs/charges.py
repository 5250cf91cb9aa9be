"""The charges of a bill as functions of its state, in exact integers of 1e-6 currency ("micro").

All functions take arrays with one element per reading; `Basis` has the billing segment of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.exact import RATE_SCALE, Ints, round_div, times, total
from flink_job.tariffs.model import PER_KW_UNITS, Tariff, Tiers
from flink_job.tariffs.state import Basis, State
from flink_job.tariffs.updates import BASE

#: micro-kWh x 1e-9 currency/kWh is 1e-15 currency; a micro is 1e-6.
TO_MICRO = 1_000_000_000
#: 1e-9 currency per micro.
_E9_TO_MICRO = 1_000
_MICRO = 1_000_000


class Accruing(Protocol):
    """A charge that accrues with time: an amount per day, month or year [1e-9 currency], of all bills or of each."""

    @property
    def amount_e9(self) -> int | Ints:
        """The amount, or an array of shape (n,)."""

    @property
    def per(self) -> str:
        """The unit of time, as in FixedCharge."""


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
        if tariff.tiers_each_day:
            prices = [tier.price_e9 for tiers in tariff.energy for tier in tiers]
            terms = [times(energy, price) for energy, price in zip(state.day_tier_ukwh, prices, strict=True)]
        if not tariff.has_tiers:
            return round_div(total([*terms, *_adjusted(tariff, state)]), TO_MICRO)
        return _with_adjustments(tariff, state, round_div(total(terms), TO_MICRO))
    amounts = [
        energy_shared(tariff, basis.of_group(number), state, group, billed_ukw)
        for number, group in enumerate(tariff.tier_groups())
        if max(group) < len(state.imported_ukwh)
    ]
    return _with_adjustments(tariff, state, np.asarray(total(amounts)))


def _adjusted(tariff: Tariff, state: State) -> list[Ints]:
    """Return the terms of the monthly adjustments and of dynamic prices [1e-15 currency]."""
    terms = [times(e, price) for e, price in zip(state.month_ukwh, tariff.adjustment_e9, strict=False)]
    if state.dynamic:
        quotient, remainder, _ = state.dynamic
        terms.append(total([times(quotient, BASE), remainder]))
    return terms


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


def energy_in_order(tariff: Tariff, basis: Basis, before: State, after: State, billed_ukw: Ints) -> Ints:
    """Return what readings add to the charge with tiers filled in order of arrival: its provisional price."""
    filled = _in_order(tariff, basis, before.imported_ukwh, after.imported_ukwh, billed_ukw, sells=False)
    added = after._replace(
        month_ukwh=tuple(high - low for low, high in zip(before.month_ukwh, after.month_ukwh, strict=True)),
        dynamic=tuple(high - low for low, high in zip(before.dynamic, after.dynamic, strict=True)),
    )
    return round_div(total([*filled, *_adjusted(tariff, added)]), TO_MICRO)


def sold_in_order(tariff: Tariff, basis: Basis, before: State, after: State, billed_ukw: Ints) -> Ints:
    """Return what readings add to the credit (negative) at the sell prices of tiers, filled in order of arrival."""
    filled = _in_order(tariff, basis, before.exported_ukwh, after.exported_ukwh, billed_ukw, sells=True)
    return round_div(-total(filled), TO_MICRO)


def _in_order(
    tariff: Tariff, basis: Basis, before: Sequence[Ints], after: Sequence[Ints], billed_ukw: Ints, *, sells: bool
) -> list[Ints]:
    """Return the terms [1e-15 currency] of energy added to tiers: each group of periods fills its tiers together."""
    terms: list[Ints] = []
    for number, group in enumerate(tariff.tier_groups()):
        if max(group) >= len(before):
            continue
        low, own = total([before[p] for p in group]), basis.of_group(number)
        for period in group:
            tiers = tariff.energy[period]
            high: Ints = low + after[period] - before[period]
            start, end = (_blocks(tariff, own, tiers, energy, billed_ukw) for energy in (low, high))
            prices = [tier.sell_e9 if sells else tier.price_e9 for tier in tiers]
            terms += [times(e - s, price) for price, s, e in zip(prices, start, end, strict=True)]
    return terms


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


def net_of_exports(tariff: Tariff, state: State) -> State:
    """Return the state with what is charged of the energy of each period under net metering: its net import."""
    pairs = zip(state.imported_ukwh, state.exported_ukwh, strict=True)
    charged = tuple(each.clip(0) for each in balanced(tariff, [imported - exported for imported, exported in pairs]))
    return state._replace(imported_ukwh=charged, month_ukwh=(total(charged),))


def balanced(tariff: Tariff, balances: Sequence[Ints]) -> list[Ints]:
    """Return the net energy of each TOU period, below 0 for a surplus, netted across periods if the tariff does so."""
    if not tariff.export.across_periods:
        return list(balances)
    netted = list(balances)
    moved: Ints = np.minimum(*(total([(sign * each).clip(0) for each in balances]) for sign in (1, -1)))
    for sign in (1, -1):
        left = moved
        for period in tariff.listed or range(len(netted)):
            part = np.minimum((sign * netted[period]).clip(0), left)
            netted[period], left = netted[period] - sign * part, left - part
    return netted


def export_amount(tariff: Tariff, state: State) -> Ints:
    """Return the credit for exported energy, as a negative amount."""
    terms = [times(e, -price) for e, price in zip(state.exported_ukwh, tariff.export_e9, strict=False)]
    return round_div(total(terms), TO_MICRO)


def accrued_amount(tariff: Tariff, basis: Basis, state: State, charges: Sequence[Accruing]) -> Ints:
    """Return what charges have accrued over the time with readings, from the start of the segment."""
    start = basis.segment_start_ms
    until, before = (
        _fixed_until(charges, tariff.month_days, basis, at) for at in (start + counted_ms(basis, state), start)
    )
    return np.asarray(until - before)


def _fixed_until(charges: Sequence[Accruing], month_days: str, basis: Basis, at_ms: NDArray[np.int64]) -> Ints:
    """Return the fixed charges accrued until an instant, yearly ones by the days of each year of the cycle."""
    whole, turn = fixed_amount(charges, month_days, basis, at_ms), basis.turn
    yearly = [charge for charge in charges if charge.per == "year"]
    if turn is None or not yearly:
        return whole
    others = fixed_amount([charge for charge in charges if charge.per != "year"], month_days, basis, at_ms)
    first = replace(basis, cycle_end_ms=turn.at_ms, cycle_days=turn.days_before)
    end_ms = np.maximum(basis.cycle_end_ms, turn.at_ms + 1)
    second = replace(
        basis, cycle_start_ms=turn.at_ms, cycle_end_ms=end_ms, cycle_days=turn.days_after, year_days=turn.year_days
    )
    parts = [fixed_amount(yearly, month_days, part, at_ms) for part in (first, second)]
    return np.where(turn.is_over, others + parts[0] + parts[1], whole)


def counted_ms(basis: Basis, state: State) -> Ints:
    """Return the time with readings [ms], at most that of the segment."""
    return np.minimum(state.time_ms, basis.segment_end_ms - basis.segment_start_ms)


def fixed_amount(charges: Sequence[Accruing], month_days: str, basis: Basis, at_ms: NDArray[np.int64]) -> Ints:
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
        weights.append(times(days[charge.per], np.asarray(charge.amount_e9)))
    numerator = times(total(weights), elapsed)
    denominator = times(times(basis.cycle_end_ms - basis.cycle_start_ms, basis.year_days), per_month * _E9_TO_MICRO)
    return round_div(numerator, denominator).astype(np.int64)


def tax_amount(tariff: Tariff, **charges: Ints) -> Ints:
    """Return the sum of the taxes on some charges, in the order of the tariff; a tax may be based on earlier ones."""
    added = np.zeros_like(next(iter(charges.values())))
    for _, amount in tax_steps(tariff, **charges):
        added = added + amount
    return added


def tax_steps(tariff: Tariff, **charges: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield (base, amount) of each tax on some charges, in the order of the tariff."""
    lines = dict(charges)
    none = np.zeros_like(next(iter(charges.values())))
    for tax in tariff.taxes:
        base = [amount for name, amount in lines.items() if name in tax.base]
        taxable = total(base) if base else none
        lines[tax.name] = round_div(times(taxable, tax.rate_e12), RATE_SCALE)
        yield taxable, lines[tax.name]


def zeros(basis: Basis) -> Ints:
    """Return an amount of zero for each reading."""
    return np.zeros(len(basis.cycle_days), dtype=np.int64)
