"""Taxes of a bill, and the rounding of its lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from flink_job.tariffs.charges import TO_MICRO, month_share, tax_amount, tier_blocks
from flink_job.tariffs.exact import RATE_SCALE, Ints, round_div, round_to, times, total
from flink_job.tariffs.model import Cap, Rounding, Tariff, Tax
from flink_job.tariffs.state import Basis

_DECIMALS = 6


def rounded(amount: Ints, rule: Rounding) -> Ints:
    """Round a line by the rule of the tariff."""
    return round_to(amount, 10 ** (_DECIMALS - rule.line_decimals), rule.half_up)


def plain_tax(tariff: Tariff, lines: Mapping[str, Ints]) -> Ints:
    """Return the taxes of constant rates, rounded separately for fixed charges and for the other lines."""
    others = {name: amount for name, amount in lines.items() if name != "fixed"}
    both = tax_amount(tariff, **others) + tax_amount(tariff, fixed=lines["fixed"])
    return rounded(np.asarray(both), tariff.rounding)


def tax_of(tariff: Tariff, basis: Basis, tax: Tax, base: Ints, energy: Ints, earlier_ukwh: int = 0) -> Ints:
    """Return a tax on a base [1e-6 currency], at least its floor for imported energy [1e-6 kWh].

    `earlier_ukwh`: energy of earlier cycles of the year, above which the energy fills bands of a year.
    """
    amount = round_div(times(base, tax.rate_e12), RATE_SCALE)
    if tax.bands:
        amount = amount + _in_bands(tariff, basis, tax, base, energy, earlier_ukwh if tax.by_year else 0)
    if tax.floor_e9:
        amount = np.maximum(amount, round_div(times(energy, tax.floor_e9), TO_MICRO))
    return rounded(amount.astype(np.int64), tariff.rounding)


def _in_bands(tariff: Tariff, basis: Basis, tax: Tax, base: Ints, energy: Ints, earlier_ukwh: int) -> Ints:
    """Return what the bands of a tax charge; without energy, the rate is that of the band of the next kWh."""
    amount = round_div(_per_energy(tariff, basis, tax, energy, earlier_ukwh, "price_e9"), TO_MICRO)
    if not any(band.rate_e12 for band in tax.bands):
        return amount
    shared = np.maximum(energy, 1)
    rated = base.astype(object) * _per_energy(tariff, basis, tax, shared, earlier_ukwh, "rate_e12")
    return np.asarray(amount + round_div(rated, shared.astype(object) * RATE_SCALE))


def _per_energy(tariff: Tariff, basis: Basis, tax: Tax, energy: Ints, earlier_ukwh: int, name: str) -> Ints:
    """Return the sum over bands of the energy in each times its price or rate."""
    below = np.full_like(energy, earlier_ukwh)
    bounds = band_bounds(tariff, basis, tax)
    pairs = zip(tier_blocks(bounds, below + energy), tier_blocks(bounds, below), strict=True)
    blocks = [(high - low).astype(object) for high, low in pairs]
    terms = (block * getattr(band, name) for block, band in zip(blocks, tax.bands, strict=True))
    return np.asarray(sum(terms))


def band_bounds(tariff: Tariff, basis: Basis, tax: Tax) -> list[Ints | None]:
    """Return the upper bounds of the bands of a tax [1e-6 kWh]: in a cycle, or in a year."""
    part, month = month_share(tariff, replace(basis, segment_days=basis.cycle_days))
    bounds = (band.bound_u for band in tax.bands)
    return [
        None if bound is None else np.array(bound) if tax.by_year else round_div(times(part, bound), month)
        for bound in bounds
    ]


def taxes(tariff: Tariff, basis: Basis, lines: Mapping[str, Ints], energy: Ints, exempt: Mapping[str, Ints]) -> Ints:
    """Return the sum of taxes with floors, bands or exemptions, of which none begins or ends within the bill.

    `energy`: imported energy [1e-6 kWh]. `exempt`: fixed charges that are exempt, by name of the tax.
    """
    bases, added = dict(lines), np.zeros_like(energy)
    for tax in tariff.taxes:
        base = [amount for name, amount in bases.items() if name in tax.base]
        taxable = total([*base, -exempt[tax.name]]) if base else np.zeros_like(energy)
        amount = tax_of(tariff, basis, tax, taxable, energy)
        bases[tax.name] = bases.get(tax.name, np.zeros_like(energy)) + amount
        added = added + amount
    return np.asarray(added)


def above_cap(cap: Cap, charged: Ints, energy: Ints) -> Ints:
    """Return the part of charges [1e-6 currency] above the cap for imported energy [1e-6 kWh]."""
    return np.maximum(charged - round_div(times(energy, cap.price_e9), TO_MICRO), 0).astype(np.int64)
