"""The costs of candidates for the contracted power of a period, by the pricing functions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.demand_charges import demand_ukw, maximeter, power_charges, root_of_squares
from flink_job.tariffs.exact import round_div
from flink_job.tariffs.history.power import power_periods
from flink_job.tariffs.history.settle import accrued_fixed
from flink_job.tariffs.history.workings import Workings
from flink_job.tariffs.model import Contracted, FixedCharge, Tariff

#: 1e12 currency per year, in 1e-9: its accrual has 18 digits.
_WHOLE_E9 = 10**21
_RATE = 10**12
#: Scale of tax factors.
TAX_FACTOR = 10**15


@dataclass(frozen=True)
class PeriodCosts:
    """Costs of all candidates of a period [1e-6 currency], without taxes and with them; arrays of shape (k,)."""

    highest_ukw: int
    power: NDArray[np.object_]
    excess: NDArray[np.object_]
    taxed: NDArray[np.object_]
    is_allowed: NDArray[np.bool_]


def demands_of(workings: Workings, stop: int | None = None) -> dict[str, NDArray[np.int64]]:
    """Return the demands by period of contracted power [1e-6 kW]: one for each demand interval of the chain.

    `stop`: number of parts of readings to include, None for all.
    """
    context, peaks = workings.chain, workings.peaks
    contracted = context.tariff.contracted
    assert contracted is not None
    period, names = power_periods(context, peaks)
    demand = demand_ukw(context.tariff, peaks.window_ukwh)[:stop].astype(np.int64)
    start = peaks.window_start[:stop]
    order = np.argsort(start, kind="stable")
    is_last = np.append(start[order][1:] != start[order][:-1], True)[: len(order)]
    final = order[is_last]
    return {name: demand[final][period[:stop][final] == names.index(name)] for name in contracted.price_e9}


def period_costs(bills: Sequence[Workings], name: str, candidates: NDArray[np.int64]) -> PeriodCosts:
    """Return the cost of each candidate of a period, summed over the bills."""
    power = np.zeros(len(candidates), dtype=object)
    excess, taxed = power.copy(), power.copy()
    highest, needed = 0, 0
    for workings in bills:
        tariff = workings.context.tariff
        contracted = tariff.contracted
        assert contracted is not None
        demands = demands_of(workings)[name]
        most = int(demands.max()) if len(demands) else 0
        highest = max(highest, most)
        if contracted.excess_rule is None or name not in contracted.excess_e9:
            needed = max(needed, most)  # nothing may be above it
        of_power = _power_amounts(workings, contracted, name, candidates)
        above = _excess_amounts(workings, contracted, name, candidates)
        on_power, on_excess = _tax_factors(tariff, workings)
        power, excess = power + of_power, excess + above
        taxed = taxed + of_power * on_power + above * on_excess
    return PeriodCosts(highest, power, excess, taxed, candidates >= needed)


def _power_amounts(
    workings: Workings, contracted: Contracted, name: str, candidates: NDArray[np.int64]
) -> NDArray[np.object_]:
    """Return the charge of each candidate over the segment: it accrues as a fixed charge per year."""
    number = list(contracted.price_e9).index(name)
    by_year = power_charges(contracted, [candidates] * len(contracted.price_e9))[number].amount_e9.astype(object)
    # The accrual is linear in the amount: one share, of 18 digits, serves all candidates.
    share = int(accrued_fixed(workings.context, (FixedCharge("", _WHOLE_E9, "year"),))[-1])
    return np.asarray(round_div(by_year * share, _WHOLE_E9))


def _excess_amounts(
    workings: Workings, contracted: Contracted, name: str, candidates: NDArray[np.int64]
) -> NDArray[np.object_]:
    """Return the charge for demand above each candidate, which the segment adds to that of its chain."""
    if contracted.excess_rule is None or name not in contracted.excess_e9:
        return np.zeros(len(candidates), dtype=object)
    rows, last = workings.cut.rows, workings.peaks.last
    ends = (rows.stop if not workings.cut.is_last else len(last), rows.start)
    amounts = [_excess_until(workings, contracted, name, candidates, end) for end in ends]
    return np.asarray(amounts[0] - amounts[1])


def _excess_until(
    workings: Workings, contracted: Contracted, name: str, candidates: NDArray[np.int64], readings: int
) -> NDArray[np.object_]:
    """Return the charge for demand above each candidate after a number of readings of the chain."""
    if not readings:
        return np.zeros(len(candidates), dtype=object)
    demands = np.sort(demands_of(workings, int(workings.peaks.last[readings - 1]) + 1)[name])
    price = contracted.excess_e9[name]
    if contracted.excess_rule != "root_of_squares":
        above = np.maximum((int(demands[-1]) if len(demands) else 0) - candidates, 0)
        return np.asarray(maximeter(price, above, workings.chain.basis.segment_days)).astype(object)
    squares = _sums_of_squares([int(d) for d in demands], [int(c) for c in candidates])
    return np.asarray(root_of_squares(price, np.array(squares, dtype=object))).astype(object)


def _sums_of_squares(demands: Sequence[int], candidates: Sequence[int]) -> list[int]:
    """Return the sum of (demand - candidate) squared over the (sorted) demands above each candidate."""
    sums = [0, *accumulate(demands)]
    squares = [0, *accumulate(d * d for d in demands)]
    found = []
    for candidate in candidates:
        below = bisect_right(demands, candidate)
        count, linear, square = len(demands) - below, sums[-1] - sums[below], squares[-1] - squares[below]
        found.append(square - 2 * candidate * linear + count * candidate**2)
    return found


def _tax_factors(tariff: Tariff, workings: Workings) -> tuple[int, int]:
    """Return 1 plus the taxes on contracted power and on excess [1e-15], of those in force when the segment begins."""
    day = workings.context.billing.start
    found = []
    for line in ("fixed", "demand"):
        amounts = {line: Fraction(1)}
        for tax in tariff.taxes:
            if tax.applies_on(day):
                base = sum((amount for name, amount in amounts.items() if name in tax.base), Fraction(0))
                amounts[tax.name] = amounts.get(tax.name, Fraction(0)) + base * Fraction(tax.rate_e12, _RATE)
        found.append(sum(amounts.values(), Fraction(0)))
    power, excess = (round(factor * TAX_FACTOR) for factor in found)
    return power, excess
