"""The cost of a billing cycle and of each of its readings: integers of 1e-6 currency ("micro").

Let B(state) be the bill of a cycle as a function of its accumulated state. A reading costs B(after) - B(before), each
rounded to a micro, so the costs of a cycle's readings add up to B(final), in any order of arrival. Charges that accrue
with time accrue with the time that has readings, which is part of the state.

All functions take arrays with one element per reading; `Basis` has the billing segment of each.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from flink_job.tariffs.charges import (
    Accruing,
    accrued_amount,
    energy_amount,
    energy_in_order,
    export_amount,
    net_of_exports,
    sold_in_order,
    zeros,
)
from flink_job.tariffs.demand_charges import (
    billed_ukw,
    demand_with_minimum,
    excess_amount,
    is_low_use,
    peak_ukw,
    power_charges,
)
from flink_job.tariffs.exact import Ints, total
from flink_job.tariffs.model import Cap, LowUse, Tariff
from flink_job.tariffs.reactive import reactive_amount
from flink_job.tariffs.state import Basis, Charges, State, nothing
from flink_job.tariffs.taxes import above_cap, plain_tax, rounded, taxes


def marginal(tariff: Tariff, basis: Basis, before: State, after: State) -> Charges:
    """Return the cost of each reading by charge, given the accumulators before and after it."""
    (energy_before, energy_after), (credit_before, credit_after) = (
        _energy_pair(tariff, basis, before, after),
        _credit_pair(tariff, basis, before, after),
    )
    low = _charges(tariff, basis, before, energy_before, credit_before)
    high = _charges(tariff, basis, after, energy_after, credit_after)
    return Charges(*(b - a for a, b in zip(low, high, strict=True)))


def bill(tariff: Tariff, basis: Basis, state: State) -> Charges:
    """Return the bill of a billing segment; tiers that depend on the order of readings fill in that of the periods."""
    credit = _credit_pair(tariff, basis, nothing(state), state)[1]
    return _charges(tariff, basis, state, _energy(tariff, basis, state), credit)


def _energy(tariff: Tariff, basis: Basis, state: State) -> Ints:
    """Return the charge for imported energy, of tariffs in which it does not depend on the order of readings."""
    if tariff.low_use is not None:
        low, high = (_energy(t, basis, state) for t in (tariff.at_low_use(), replace(tariff, low_use=None)))
        return np.where(_is_low(tariff.low_use, tariff, state), low, high)
    charged = net_of_exports(tariff, state) if tariff.export.rule == "net_metering" else state
    return energy_amount(tariff, basis, charged, billed_ukw(tariff, basis, state))


def _energy_pair(tariff: Tariff, basis: Basis, before: State, after: State) -> tuple[Ints, Ints]:
    """Return the charge for imported energy before and after each reading."""
    if tariff.depends_on_order and tariff.export.rule != "net_metering":
        return zeros(basis), energy_in_order(tariff, basis, before, after, billed_ukw(tariff, basis, after))
    return _energy(tariff, basis, before), _energy(tariff, basis, after)


def _credit_pair(tariff: Tariff, basis: Basis, before: State, after: State) -> tuple[Ints, Ints]:
    """Return the credit (negative) before and after each reading.

    What is banked or carried over credits later cycles, in settlement.
    """
    if tariff.export.rule == "net_metering" or tariff.export.carry_over:
        return zeros(basis), zeros(basis)
    if tariff.sells_by_tier:
        return zeros(basis), sold_in_order(tariff, basis, before, after, billed_ukw(tariff, basis, after))
    return export_amount(tariff, before), export_amount(tariff, after)


def _charges(tariff: Tariff, basis: Basis, state: State, energy: Ints, credit: Ints) -> Charges:
    """Return the lines of a bill, given the charge for imported energy and the credit for exported energy."""
    if tariff.export.capped_at_energy:
        credit = -np.minimum(-credit, np.maximum(energy, 0))
    demand = demand_with_minimum(tariff, basis, state)
    if tariff.low_use is not None:
        low = demand_with_minimum(tariff.at_low_use(), basis, state)
        demand = np.where(_is_low(tariff.low_use, tariff, state), low, demand)
    demand = demand + excess_amount(tariff, basis, state)
    if tariff.cap is not None:
        energy, demand = _capped(tariff.cap, state, energy, demand)
    fixed = accrued_amount(tariff, basis, state, _fixed(tariff, basis))
    within = tariff.export.within_energy
    lines = {
        "energy": energy + credit if within else energy,
        "demand": demand,
        "fixed": fixed,
        "minimum": _minimum(tariff, basis, state, energy + credit + demand + fixed),
        "export": np.zeros_like(credit) if within else credit,
        "reactive": reactive_amount(tariff, state),
    }
    lines = {name: rounded(amount, tariff.rounding) for name, amount in lines.items()}
    return Charges(**lines, tax=_taxes(tariff, basis, state, lines))


def _is_low(rule: LowUse, tariff: Tariff, state: State) -> Ints:
    return is_low_use(rule.hours, total(list(state.imported_ukwh)), peak_ukw(tariff, state.peak_ukwh[0]))


def _capped(cap: Cap, state: State, energy: Ints, demand: Ints) -> tuple[Ints, Ints]:
    """Return the charges for energy and demand, reduced where they are above the cap."""
    charges = {"energy": energy, "demand": demand}
    above = above_cap(cap, total([charges[name] for name in cap.charges]), total(list(state.imported_ukwh)))
    charges[cap.charges[0]] = charges[cap.charges[0]] - above
    return charges["energy"], charges["demand"]


def _fixed(tariff: Tariff, basis: Basis) -> list[Accruing]:
    """Return the fixed charges and those of the contracted power, where it is known."""
    if tariff.contracted is None or not basis.power_u:
        return list(tariff.fixed)
    return [*tariff.fixed, *power_charges(tariff.contracted, basis.power_u)]


def _minimum(tariff: Tariff, basis: Basis, state: State, covered: Ints) -> Ints:
    """Return the shortfall of the minimum charge, which accrues with time; a yearly minimum is left to settlement."""
    charges = tariff.accruing_minimum
    if not charges or tariff.depends_on_order or tariff.sells_by_tier:
        return np.zeros_like(covered)
    return np.asarray(np.maximum(accrued_amount(tariff, basis, state, charges) - np.maximum(covered, 0), 0))


def _taxes(tariff: Tariff, basis: Basis, state: State, lines: dict[str, Ints]) -> Ints:
    if tariff.plain_taxes:
        return plain_tax(tariff, lines)
    exempt = {
        tax.name: rounded(accrued_amount(tariff, basis, state, tariff.exempt_from(tax)), tariff.rounding)
        for tax in tariff.taxes
    }
    return taxes(tariff, basis, lines, total(list(state.imported_ukwh)), exempt)
