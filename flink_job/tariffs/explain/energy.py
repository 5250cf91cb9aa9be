"""The terms of the energy and export lines at a state of the bill."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from flink_job.tariffs.charges import balanced, tier_blocks, tier_bounds
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.explain.terms import SERIES, Term, Terms, e9, micro
from flink_job.tariffs.history.energy import day_tiers, dynamic_prices, filled_tiers
from flink_job.tariffs.history.export import charged_before, net_balances
from flink_job.tariffs.history.workings import Workings
from flink_job.tariffs.model import Tariff

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_KWH = "kWh"


def energy_terms(workings: Workings, at: int) -> Terms:
    """Return the terms of imported energy after reading `at` of the chain (n: at its close)."""
    context, tariff = workings.chain, workings.chain.tariff
    if tariff.export.rule == "net_metering":
        return _net_terms(workings, at)
    imported = context.data.import_ukwh[: at + 1]
    if not tariff.has_tiers:
        found = _by_period(workings, at)
    elif tariff.tier_rule == "chronological":
        found = _in_order(workings, at, context.data.import_ukwh, "price_e9")
    elif tariff.tiers_each_day:
        found = _each_day(workings, at)
    else:
        found = _tiered(workings, at, _sums(workings, at, imported), "")
    return {**found, **_adjustments(workings, at, imported), **_dynamic(workings, at, imported)}


def export_terms(workings: Workings, at: int) -> Terms:
    """Return the terms of the export credit after reading `at` of the chain."""
    tariff, settled = workings.chain.tariff, workings.settled
    exported = workings.chain.data.export_ukwh
    found: dict[str, Term] = {}
    credit = micro(int(settled.credit[at]))
    if tariff.export.carry_over:
        note = f"{_money(workings.carry_over.credit)} of earlier cycles, up to the energy charge"
        found["carried"] = Term("credit of earlier cycles", credit, note=note)
    elif tariff.export.rule != "net_metering":
        if any(tier.sell_e9 for tiers in tariff.energy for tier in tiers):
            found |= _in_order(workings, at, exported, "sell_e9", -1)
        else:
            sums = _sums(workings, at, exported[: at + 1])
            for p, kwh in enumerate(sums):
                if kwh:
                    label = f"export {tariff.periods[p]}"
                    found[f"export {p}"] = Term.product(label, micro(kwh), _KWH, -e9(tariff.export_e9[p]))
        if tariff.export.capped_at_energy:
            capped = credit - sum((term.amount for term in found.values()), Fraction(0))
            if abs(capped) > Fraction(1, 1_000_000):
                found["cap"] = Term("no credit beyond the energy charge", capped)
    if paid := int(settled.year_end[at]):
        found["year end"] = Term("surplus at the end of the year", micro(paid))
    return found


def _money(amount: int) -> str:
    return f"{amount / 1e6:,.2f}"


def _sums(workings: Workings, at: int, energy: Ints) -> list[int]:
    """Return the energy of readings up to `at` by TOU period [1e-6 kWh]."""
    period = workings.chain.period[: at + 1]
    return [int(energy[period == p].sum()) for p in range(len(workings.chain.tariff.energy))]


def _by_period(workings: Workings, at: int) -> dict[str, Term]:
    tariff = workings.chain.tariff
    sums = _sums(workings, at, workings.chain.data.import_ukwh[: at + 1])
    return {
        f"{p} 0": Term.product(tariff.periods[p], micro(kwh), _KWH, e9(tariff.energy[p][0].price_e9))
        for p, kwh in enumerate(sums)
    }


def _each_day(workings: Workings, at: int) -> dict[str, Term]:
    """Return the energy of all days in each tier of each TOU period."""
    tariff, running, found = workings.chain.tariff, iter(day_tiers(workings.chain)), {}
    for p, tiers in enumerate(tariff.energy):
        for number, tier in enumerate(tiers):
            label = f"{tariff.periods[p]}, tier {number + 1} of each day"
            found[f"{p} {number}"] = Term.product(label, micro(int(next(running)[at])), _KWH, e9(tier.price_e9))
    return found


def _tiered(workings: Workings, at: int, sums: list[int], note: str) -> dict[str, Term]:
    """Return the terms of tiers that do not depend on order; periods share the energy of a tier by their energy."""
    context, tariff = workings.chain, workings.chain.tariff
    found = {}
    for number, group in enumerate(tariff.tier_groups()):
        pooled = sum(sums[p] for p in group)
        billed = workings.billed_ukw[at : at + 1]
        bounds = tier_bounds(tariff, context.basis.of_group(number), tariff.energy[group[0]], billed)
        blocks = tier_blocks(bounds, np.array([pooled], dtype=object))
        for tier, block in enumerate(blocks):
            for p in group:
                quantity = micro(block[0]) * Fraction(sums[p], pooled or 1)
                label = _tier_label(tariff, p, tier, bounds)
                price = e9(tariff.energy[p][tier].price_e9)
                found[f"{p} {tier}"] = Term.product(label, quantity, _KWH, price, note=note)
    return found


def _in_order(workings: Workings, at: int, energy: Ints, price: str, sign: int = 1) -> dict[str, Term]:
    """Return the terms of tiers that fill in order of time."""
    context, tariff = workings.chain, workings.chain.tariff
    period, found = context.period[: at + 1], {}
    for group, tier, block in filled_tiers(context, energy, workings.billed_ukw):
        for p in group:
            quantity = micro(int(block[: at + 1][period == p].sum()))
            label = f"{'export ' if sign < 0 else ''}{tariff.periods[p]}, tier {tier + 1}, in order of time"
            each = e9(sign * getattr(tariff.energy[p][tier], price))
            found[f"{price} {p} {tier}"] = Term.product(label, quantity, _KWH, each)
    return found


def _tier_label(tariff: Tariff, period: int, tier: int, bounds: list[Ints | None]) -> str:
    name, bound = tariff.periods[period], bounds[tier]
    if len(bounds) == 1:
        return name
    limits = f"above {_shown(bounds[tier - 1])}" if bound is None else f"up to {_shown(bound)}"
    return f"{name}, tier {tier + 1} ({limits} kWh)"


def _shown(bound: Ints | None) -> str:
    return "" if bound is None else f"{int(bound[0]) / 1e6:,.6f}".rstrip("0").rstrip(".")


def _adjustments(workings: Workings, at: int, energy: Ints) -> dict[str, Term]:
    prices, found = workings.chain.tariff.adjustment_e9, {}
    month = workings.chain.interval_month[: at + 1] if prices else np.zeros(0, dtype=np.int64)
    for m in np.unique(month).tolist():
        quantity = micro(int(energy[month == m].sum()))
        found[f"month {m}"] = Term.product(f"adjustment {_MONTHS[m]}", quantity, _KWH, e9(prices[m]))
    return found


def _dynamic(workings: Workings, at: int, energy: Ints) -> dict[str, Term]:
    """Return one term by TOU period of the dynamic price: the sum over intervals, at their mean price."""
    context, rule = workings.chain, workings.chain.tariff.dynamic
    if rule is None:
        return {}
    prices = dynamic_prices(context, rule)[: at + 1]
    amount = micro(0)
    kwh = int(energy.sum())
    amount = Fraction(int((energy.astype(object) * prices).sum()), 10**15) if len(energy) else amount
    mean = amount / micro(kwh) if kwh else Fraction(0)
    note = f"{len(energy):,} intervals, each at its own price; the price shown is their mean"
    return {"series": Term(f"{SERIES} {rule.series}", amount, micro(kwh), _KWH, mean, note=note)}


def _net_terms(workings: Workings, at: int) -> Terms:
    """Return the terms of the net energy by period: import minus export minus the bank."""
    context, tariff = workings.chain, workings.chain.tariff
    balances = net_balances(context, workings.carry_over)
    sums = [max(int(balance[0]), 0) for balance in balanced(tariff, [each[at : at + 1] for each in balances])]
    if tariff.export.by_year:
        return _of_year(workings, sums)
    found = _tiered(workings, at, sums, "import minus export minus banked energy")
    if tariff.adjustment_e9:
        price = e9(tariff.adjustment_e9[context.month - 1])
        label = f"adjustment {_MONTHS[context.month - 1]}"
        found["month"] = Term.product(label, micro(sum(sums)), _KWH, price)
    return found


def _of_year(workings: Workings, charged: list[int]) -> Terms:
    """Return the terms of the net energy of the year so far, less what earlier cycles of it were charged."""
    tariff, before = workings.chain.tariff, charged_before(workings.chain, workings.carry_over)
    found = {}
    for p, (kwh, earlier) in enumerate(zip(charged, before, strict=True)):
        note = f"net energy of the year {kwh / 1e6:,.6f} kWh, of which earlier cycles were charged {earlier / 1e6:,.6f}"
        price = e9(tariff.energy[p][0].price_e9)
        found[f"{p} 0"] = Term.product(tariff.periods[p], micro(kwh - earlier), _KWH, price, note=note)
    return found
