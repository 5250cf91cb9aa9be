"""The contracted power that would have been cheapest: the cost of every candidate by period, and the best of them.

Before rounding, the cost of contracted power is a sum over periods: the price of the power, which rises with it, and
the charge for demand above it, which falls. Each is computed for every candidate by the pricing functions, from the
demand intervals of each bill. The best combination is found exactly, also if powers must not fall from a period to the
next; it is then rated as a whole, and so are its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flink_job.billing.contract_power_costs import TAX_FACTOR, PeriodCosts, demands_of, period_costs
from flink_job.billing.explain import Metered
from flink_job.errors import MeteringError
from flink_job.tariffs.bill_lines import LINES
from flink_job.tariffs.history import rate_history
from flink_job.tariffs.history.segments import InForce, TariffInForce
from flink_job.tariffs.history.workings import Workings

_SIX = 6
#: Cost of a candidate that is not allowed.
_NEVER = 10**60
#: More candidates need a larger step.
MAX_CANDIDATES = 20_000
Kw = Mapping[str, int]
"""Contracted power by period [1e-6 kW]."""


class ContractError(MeteringError, ValueError):
    """A meter whose contracted power cannot be optimised."""


@dataclass(frozen=True)
class Optimum:
    """The result: present and best power, the bills of both, and the costs of all candidates by period.

    `present_total`, `best_total`: sums of the bills [1e-6 currency]. `is_proven`: no combination is cheaper, up to the
    rounding of bill lines.
    """

    candidates_u: NDArray[np.int64]
    costs: Mapping[str, PeriodCosts]
    present_costs: Mapping[str, PeriodCosts]
    present_u: Kw
    best_u: Kw
    present_total: int
    best_total: int
    days: int
    currency: str
    is_ascending: bool
    is_proven: bool

    @property
    def saving(self) -> int:
        """The present total minus the best one [1e-6 currency]."""
        return self.present_total - self.best_total


def optimise(
    metered: Metered,
    step_u: int,
    least_u: int = 0,
    is_ascending: bool | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Optimum:
    """Return the cheapest contracted power in steps of `step_u` from `least_u` on [1e-6 kW].

    `is_ascending`: powers must not fall from a period to the next (None: if there are six, as in Spain). Raises
    ContractError, or an error of rating.
    """
    bills = list(metered.workings())
    periods = _periods(bills)
    rule = len(periods) == _SIX if is_ascending is None else is_ascending
    candidates = _candidates(bills, step_u, max(least_u, 0))
    present: Kw = _present(bills, periods)
    costs: dict[str, PeriodCosts] = {}
    present_costs: dict[str, PeriodCosts] = {}
    for done, name in enumerate(periods, start=1):
        costs[name] = period_costs(bills, name, candidates)
        present_costs[name] = period_costs(bills, name, np.array([present[name]], dtype=np.int64))
        progress(done)
    allowed = [c.is_allowed for c in costs.values()]
    chosen = cheapest([(c.taxed, c.is_allowed) for c in costs.values()], rule)
    totals = _Totals(metered)
    found = totals.improved(periods, candidates, chosen, allowed, rule)
    best: Kw = {name: int(candidates[index]) for name, index in zip(periods, found, strict=True)}
    present_total, best_total = totals.of(present), totals.of(best)
    if present_total <= best_total and not (rule and _falls(present, periods)):
        best, best_total = present, present_total
    first, last = bills[0].context.billing, bills[-1].context.billing
    optimum = Optimum(
        candidates,
        costs,
        present_costs,
        present,
        best,
        present_total,
        best_total,
        (last.end - first.start).days,
        last.tariff.currency,
        rule,
        True,
    )
    return replace(optimum, is_proven=_is_proven(optimum, bills, found))


def _present(bills: Sequence[Workings], periods: Sequence[str]) -> Kw:
    """Return the contracted power of all bills. Raises ContractError if it changes among them."""
    powers = [{name: workings.power[name] for name in periods} for workings in bills]
    for workings, power in zip(bills, powers, strict=True):
        if power != powers[-1]:
            raise ContractError(
                f"the contracted power changes on or after {workings.context.billing.end}; "
                "give readings of a time with one, or --contracted-kw"
            )
    return powers[-1]


def _is_proven(optimum: Optimum, bills: Sequence[Workings], found: Sequence[int]) -> bool:
    """Return True if the best bills are the present ones plus the difference of the sums that were minimised.

    Minimum bills and tax floors only add to these sums; if they add nothing, or the same, the minimum is that of the
    bills. The difference may be as large as the roundings of the lines. A demand of at least a share of the contracted
    power, or a cap on charges with demand, is in no sum, so nothing is proven.
    """
    tariffs = [workings.context.tariff for workings in bills]
    if any(tariff.demand.minimum_share_e9 or tariff.cap is not None for tariff in tariffs):
        return False
    unit = max(int(10 ** (6 - w.context.tariff.rounding.line_decimals)) for w in bills)
    summed = 0
    for name, index in zip(optimum.costs, found, strict=True):
        summed += int(optimum.present_costs[name].taxed[0]) - int(optimum.costs[name].taxed[index])
    rest = abs(optimum.saving - summed // TAX_FACTOR) if optimum.best_u != optimum.present_u else 0
    return rest <= len(bills) * len(LINES) * unit


def _falls(power: Kw, periods: Sequence[str]) -> bool:
    return any(power[a] > power[b] for a, b in pairwise(periods))


def _periods(bills: Sequence[Workings]) -> list[str]:
    """Return the periods of contracted power, equal in all versions. Raises ContractError."""
    found: list[str] | None = None
    for workings in bills:
        contracted, tariff = workings.context.tariff.contracted, workings.context.tariff
        if contracted is None:
            raise ContractError(
                f"tariff {tariff.tariff_id} {tariff.version} has no contracted_power: nothing to optimise"
            )
        names = list(contracted.price_e9)
        if found is not None and set(names) != set(found):
            raise ContractError(
                f"tariff {tariff.tariff_id}: its versions have other periods of contracted power ({', '.join(found)}; "
                f"{', '.join(names)}); give readings of one of them"
            )
        found = names
    assert found is not None
    return found


def _candidates(bills: Sequence[Workings], step_u: int, least_u: int) -> NDArray[np.int64]:
    """Return the candidates: multiples of the step up to the first that no demand exceeds. Raises ContractError."""
    highest = max((int(d.max()) for w in bills for d in demands_of(w).values() if len(d)), default=0)
    first, last = -(-max(least_u, step_u) // step_u), -(-max(highest, least_u, step_u) // step_u)
    if last - first >= MAX_CANDIDATES:
        raise ContractError(
            f"--step-kw: {last - first + 1:,} candidates up to {highest / 1e6:,.6g} kW; at most {MAX_CANDIDATES:,}: "
            f"give {highest / 1e6 / MAX_CANDIDATES:.2g} or more"
        )
    return np.arange(first, last + 1, dtype=np.int64) * step_u


def cheapest(costs: Sequence[tuple[NDArray[np.object_], NDArray[np.bool_]]], is_ascending: bool) -> list[int]:
    """Return the indices of the candidates, one for each period, with the lowest sum of costs.

    With `is_ascending` an index is not below that of the period before. Of equal sums, the lower candidates.
    """
    if not is_ascending:
        return [min((i for i in range(len(c)) if ok[i]), key=c.__getitem__) for c, ok in costs]
    back: list[list[int]] = []
    sums: list[int] = []
    for cost, allowed in costs:
        at, here, from_where = 0, [], []
        for i in range(len(cost)):
            if sums and sums[i] < sums[at]:
                at = i
            before = sums[at] if sums else 0
            here.append(before + int(cost[i]) if allowed[i] else _NEVER)
            from_where.append(at)
        sums = here
        back.append(from_where)
    index = min(range(len(sums)), key=sums.__getitem__)
    chosen = [index]
    for from_where in reversed(back[1:]):
        index = from_where[index]
        chosen.append(index)
    return chosen[::-1]


class _Totals:
    """Sums of the bills of a meter by contracted power, each rated once."""

    def __init__(self, metered: Metered) -> None:
        self.metered = metered
        self.known: dict[tuple[tuple[str, int], ...], int] = {}

    def of(self, power: Kw) -> int:
        """Sum of the bills at a contracted power [1e-6 currency]."""
        key = tuple(sorted(power.items()))
        if key not in self.known:
            metered = self.metered
            in_force = with_power(metered.in_force, power)
            bills = rate_history(in_force, metered.terms, metered.data, metered.series).bills
            self.known[key] = sum(bill.total for bill in bills)
        return self.known[key]

    def improved(
        self,
        periods: Sequence[str],
        candidates: NDArray[np.int64],
        chosen: Sequence[int],
        allowed: Sequence[NDArray[np.bool_]],
        is_ascending: bool,
    ) -> list[int]:
        """Return the indices after a search among the neighbours: rounding and minimums can make one cheaper."""
        here = list(chosen)

        def total(indices: Sequence[int]) -> int:
            return self.of({name: int(candidates[i]) for name, i in zip(periods, indices, strict=True)})

        for number in range(len(periods)):
            for move in (-1, 1):
                there = [*here[:number], here[number] + move, *here[number + 1 :]]
                inside = 0 <= there[number] < len(candidates) and allowed[number][there[number]]
                if inside and not (is_ascending and there != sorted(there)) and total(there) < total(here):
                    here = there
        return here


def with_power(in_force: InForce, power: Kw) -> InForce:
    """Return the lookup of the tariff in force with another contracted power."""

    def found(day: date) -> TariffInForce:
        return replace(in_force(day), contracted_u=power)

    return found
