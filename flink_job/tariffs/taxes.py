"""Taxes of a bill, and the rounding of its lines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from flink_job.tariffs.charges import TO_MICRO, tax_amount
from flink_job.tariffs.exact import RATE_SCALE, Ints, round_div, round_to, times, total
from flink_job.tariffs.model import Rounding, Tariff, Tax

_DECIMALS = 6


def rounded(amount: Ints, rule: Rounding) -> Ints:
    """Round a line by the rule of the tariff."""
    return round_to(amount, 10 ** (_DECIMALS - rule.line_decimals), rule.half_up)


def plain_tax(tariff: Tariff, lines: Mapping[str, Ints]) -> Ints:
    """Return the taxes of constant rates, rounded separately for fixed charges and for the other lines."""
    others = {name: amount for name, amount in lines.items() if name != "fixed"}
    both = tax_amount(tariff, **others) + tax_amount(tariff, fixed=lines["fixed"])
    return rounded(np.asarray(both), tariff.rounding)


def tax_with_floor(tax: Tax, base: Ints, energy: Ints, rule: Rounding) -> Ints:
    """Return a tax on a base [1e-6 currency], at least its floor for imported energy [1e-6 kWh]."""
    amount = round_div(times(base, tax.rate_e12), RATE_SCALE)
    if tax.floor_e9:
        amount = np.maximum(amount, round_div(times(energy, tax.floor_e9), TO_MICRO))
    return rounded(amount.astype(np.int64), rule)


def taxes(tariff: Tariff, lines: Mapping[str, Ints], energy: Ints, exempt: Mapping[str, Ints]) -> Ints:
    """Return the sum of taxes with floors or exemptions, of which none begins or ends within the bill.

    `energy`: imported energy [1e-6 kWh]. `exempt`: fixed charges that are exempt, by name of the tax.
    """
    bases, added = dict(lines), np.zeros_like(energy)
    for tax in tariff.taxes:
        base = [amount for name, amount in bases.items() if name in tax.base]
        taxable = total([*base, -exempt[tax.name]]) if base else np.zeros_like(energy)
        amount = tax_with_floor(tax, taxable, energy, tariff.rounding)
        bases[tax.name] = bases.get(tax.name, np.zeros_like(energy)) + amount
        added = added + amount
    return np.asarray(added)
