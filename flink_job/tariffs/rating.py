"""The cost of a billing cycle and of each of its readings: integers of 1e-6 currency ("micro").

Let B(state) be the bill of a cycle as a function of its accumulated state. A reading costs B(after) - B(before), each
rounded to a micro, so the costs of a cycle's readings add up to B(final), in any order of arrival. Charges that accrue
with time accrue with the time that has readings, which is part of the state.

All functions take arrays with one element per reading; `Basis` has the billing segment of each.
"""

from __future__ import annotations

import numpy as np

from flink_job.tariffs.charges import (
    accrued_amount,
    billed_ukw,
    demand_with_minimum,
    energy_amount,
    energy_in_order,
    export_amount,
    zeros,
)
from flink_job.tariffs.exact import Ints, total
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.reactive import reactive_amount
from flink_job.tariffs.state import Basis, Charges, State
from flink_job.tariffs.taxes import plain_tax, rounded, taxes


def marginal(tariff: Tariff, basis: Basis, before: State, after: State) -> Charges:
    """Return the cost of each reading by charge, given the accumulators before and after it."""
    low, high = (
        _charges(tariff, basis, state, energy)
        for state, energy in zip((before, after), _energy_pair(tariff, basis, before, after), strict=True)
    )
    return Charges(*(b - a for a, b in zip(low, high, strict=True)))


def bill(tariff: Tariff, basis: Basis, state: State) -> Charges:
    """Return the bill of a billing segment."""
    return _charges(tariff, basis, state, energy_amount(tariff, basis, state, billed_ukw(tariff, state)))


def _energy_pair(tariff: Tariff, basis: Basis, before: State, after: State) -> tuple[Ints, Ints]:
    if tariff.depends_on_order:
        return zeros(basis), energy_in_order(tariff, basis, before, after)
    low, high = (energy_amount(tariff, basis, state, billed_ukw(tariff, state)) for state in (before, after))
    return low, high


def _charges(tariff: Tariff, basis: Basis, state: State, energy: Ints) -> Charges:
    """Return the lines of a bill, given the charge for imported energy."""
    credit = export_amount(tariff, state)
    if tariff.export.capped_at_energy:
        credit = -np.minimum(-credit, np.maximum(energy, 0))
    demand = demand_with_minimum(tariff, basis, state)
    fixed = accrued_amount(tariff, basis, state, tariff.fixed)
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


def _minimum(tariff: Tariff, basis: Basis, state: State, covered: Ints) -> Ints:
    """Return the shortfall of the minimum charge, which accrues with time; a yearly minimum is left to settlement."""
    charges = tariff.accruing_minimum
    if not charges or tariff.depends_on_order:
        return np.zeros_like(covered)
    return np.asarray(np.maximum(accrued_amount(tariff, basis, state, charges) - np.maximum(covered, 0), 0))


def _taxes(tariff: Tariff, basis: Basis, state: State, lines: dict[str, Ints]) -> Ints:
    if tariff.plain_taxes:
        return plain_tax(tariff, lines)
    exempt = {
        tax.name: rounded(accrued_amount(tariff, basis, state, tariff.exempt_from(tax)), tariff.rounding)
        for tax in tariff.taxes
    }
    return taxes(tariff, lines, total(list(state.imported_ukwh)), exempt)
