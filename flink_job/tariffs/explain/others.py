"""The terms of fixed charges, the minimum, reactive energy and taxes at a state of the bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np

from flink_job.tariffs.charges import tax_steps, tier_blocks
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.explain.terms import Term, e9, micro
from flink_job.tariffs.history.power import power_line_charges
from flink_job.tariffs.history.reactive import reactive_state
from flink_job.tariffs.history.settle import accrued_fixed
from flink_job.tariffs.history.settle import tax_steps as running_tax_steps
from flink_job.tariffs.history.workings import Workings
from flink_job.tariffs.model import FixedCharge, Tax
from flink_job.tariffs.reactive import charged_parts
from flink_job.tariffs.taxes import band_bounds

_RATE = 10**12
_DAYS_A_MONTH = {"30": Fraction(30), "365/12": Fraction(365, 12)}


def fixed_terms(workings: Workings, at: int) -> dict[str, Term]:
    """Return a term for each fixed charge and each period of contracted power, after reading `at` of the segment."""
    context = workings.context
    segment = context.billing.segment
    of_power = power_line_charges(context, dict(workings.power))
    elapsed = int(context.at_ms[at]) - segment.segment_start_ms
    days = Fraction(elapsed * segment.cycle_days, segment.cycle_end_ms - segment.cycle_start_ms)
    found = {}
    for number, charge in enumerate((*context.tariff.fixed, *of_power)):
        amount = micro(int(accrued_fixed(context, (charge,))[at]))
        per_days = _days(workings, charge)
        note = f"{e9(charge.amount_e9)!s} a {charge.per}"
        if charge in of_power:
            period = charge.name.removeprefix("power ")
            assert context.tariff.contracted is not None
            price = float(e9(context.tariff.contracted.price_e9[period]))
            note = f"{workings.power[period] / 1e6:,.6g} kW contracted x {price:,.9g} a kW and year"
        factor_note = "" if per_days == 1 else f"1/{_plain(per_days)}: a {charge.per} has {_plain(per_days)} days"
        others = (days, "days", e9(charge.amount_e9), 1 / per_days, factor_note, note if charge in of_power else "")
        found[f"{number}"] = Term(charge.name, amount, *others, per=charge.per)
    return found


def _plain(days: Fraction) -> str:
    return f"{float(days):.6g}"


def _days(workings: Workings, charge: FixedCharge) -> Fraction:
    """Return the number of days that the amount of a charge is for."""
    if charge.per == "day":
        return Fraction(1)
    if charge.per == "year":
        return Fraction(int(workings.context.basis.year_days[0]))
    cycle_days = Fraction(workings.context.billing.segment.cycle_days)
    return _DAYS_A_MONTH.get(workings.context.tariff.month_days, cycle_days)


def minimum_terms(workings: Workings, at: int) -> dict[str, Term]:
    """Return the shortfall of the minimum charge."""
    amount = int(workings.lines["minimum"][at])
    if not amount:
        return {}
    least = accrued_fixed(workings.context, workings.context.tariff.accruing_minimum)
    covered = sum(int(workings.lines[name][at]) for name in ("energy", "demand", "fixed", "export"))
    note = f"minimum accrued {int(least[at]) / 1e6:,.6f}, covered by the other charges {covered / 1e6:,.6f}"
    return {"": Term("shortfall of the minimum", micro(amount), note=note)}


def reactive_terms(workings: Workings, at: int) -> dict[str, Term]:
    """Return a term for each TOU period with a reactive charge, after reading `at` of the chain."""
    context, rule = workings.chain, workings.chain.tariff.reactive
    found: dict[str, Term] = {}
    if rule is None:
        return found
    running = reactive_state(context, rule)
    free = {"interval": "kWh of each interval", "periods": "kWh together"}.get(rule.over, "kWh")
    for each in charged_parts(context.tariff, rule, running.at(at)):
        cos, price = _cos(each.active, each.reactive), e9(int(each.price_e9[0]))
        if each.is_capacitive:
            label, note = f"{each.name}, capacitive", cos
        else:
            label = f"{each.name}, above {float(e9(rule.free_e9)):.6g} of the {free}"
            kvarh, kwh = (int(quantity[0]) / 1e6 for quantity in (each.reactive, each.active))
            note = f"of {kvarh:,.6f} kvarh with {kwh:,.6f} kWh, {cos}"
        found[label] = Term.product(label, micro(int(each.charged[0])), "kvarh", price, note=note)
    return found


def _cos(active: Ints, reactive: Ints) -> str:
    """Return the power factor of a period as text."""
    kwh, kvarh = float(active[0]), float(reactive[0])
    return f"cos phi {kwh / (kwh**2 + kvarh**2) ** 0.5:.4f}" if kwh or kvarh else "no energy"


def tax_terms(workings: Workings, at: int | None) -> dict[str, Term]:
    """Return a term for each tax: base x rate, after reading `at` of the segment (None: before the segment)."""
    tariff = workings.context.tariff
    if not tariff.plain_taxes:
        return {} if at is None else _running_taxes(workings, at)
    lines = _lines(workings, at)
    fixed = lines.pop("fixed")
    found: dict[str, Term] = {}
    for tax, *parts in zip(tariff.taxes, tax_steps(tariff, **lines), tax_steps(tariff, fixed=fixed), strict=True):
        base, amount = (micro(sum(int(part[i][0]) for part in parts)) for i in (0, 1))
        found[f"{len(found)}"] = Term(tax.name, amount, base, "", Fraction(tax.rate_e12, _RATE), note=_base(tax.base))
    return found


def _lines(workings: Workings, at: int | None) -> dict[str, Ints]:
    """Return the rounded lines of the cycle so far."""
    before = workings.so_far.rounded
    return {
        name: np.array([before.get(name, 0) + (0 if at is None else int(workings.amounts[name][at]))])
        for name in workings.lines
    }


def _base(names: frozenset[str]) -> str:
    return f"on {', '.join(sorted(names))}"


def _running_taxes(workings: Workings, at: int) -> dict[str, Term]:
    lines: Mapping[str, Ints] = {name: workings.amounts[name] for name in workings.lines}
    steps = running_tax_steps(workings.context, dict(lines), workings.so_far.copy(), workings.carry_over.energy_in_year)
    found: dict[str, Term] = {}
    for tax, (base, energy, amount) in zip(workings.context.tariff.taxes, steps, strict=True):
        note = _base(tax.base)
        if tax.floor_e9:
            note += f"; at least {float(e9(tax.floor_e9)):.9g} x {int(energy[at]) / 1e6:,.6f} kWh"
        if tax.bands:
            note += _band_text(workings, tax, int(energy[at]))
        before = workings.so_far.taxed.get(len(found), (0, 0))[0]
        base_micro = micro(int(base[at]) - before)
        rate = Fraction(tax.rate_e12, _RATE)
        term = Term(tax.name, micro(int(amount[at])), base_micro, "", rate, note=note)
        found[f"{len(found)}"] = replace(term, quantity=None, price=None) if tax.bands else term
    return found


def _band_text(workings: Workings, tax: Tax, energy_ukwh: int) -> str:
    """Return the energy in each band of a tax with what it charges, as text."""
    earlier = workings.carry_over.energy_in_year if tax.by_year else 0
    bounds = band_bounds(workings.context.tariff, workings.context.basis, tax)
    high, low = (tier_blocks(bounds, np.array([energy])) for energy in (earlier + energy_ukwh, earlier))
    parts = []
    for band, upper, lower in zip(tax.bands, high, low, strict=True):
        kwh, rate = int(upper[0] - lower[0]) / 1e6, float(Fraction(band.rate_e12, _RATE))
        charges = (f"{rate:.9g} of their base" if rate else "", f"{float(e9(band.price_e9)):.9g}")
        parts.append(f"{kwh:,.6f} kWh at {' and '.join(text for text in charges if text not in ('', '0')) or '0'}")
    return f"; {', '.join(parts)}{' beyond those of the year so far' if earlier else ''}"


def cap_terms(workings: Workings, at: int, line: str) -> dict[str, Term]:
    """Return the reduction of a line by the cap, after reading `at` of the segment."""
    cap = workings.context.tariff.cap
    if cap is None or cap.charges[0] != line or not workings.reduced[at]:
        return {}
    note = f"{' and '.join(cap.charges)} of the cycle are at most {float(e9(cap.price_e9)):.9g} per imported kWh"
    return {"cap": Term("reduction to the cap", micro(-int(workings.reduced[at])), note=note)}
