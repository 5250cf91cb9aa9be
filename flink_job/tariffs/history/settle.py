"""Minimum charges, taxes and rounding of bill lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import numpy as np

from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.charges import fixed_amount
from flink_job.tariffs.cycle import segment_between
from flink_job.tariffs.exact import Ints, total
from flink_job.tariffs.history.chains import SoFar
from flink_job.tariffs.history.segment_context import CarryOver, SegmentContext
from flink_job.tariffs.model import FixedCharge, Tax
from flink_job.tariffs.state import Basis, days_of_year
from flink_job.tariffs.taxes import above_cap, plain_tax, rounded, tax_of


def accrued_fixed(context: SegmentContext, charges: tuple[FixedCharge, ...]) -> Ints:
    """Return the fixed charges of the segment, accrued in proportion to time."""
    start = np.array([context.billing.segment.segment_start_ms], dtype=np.int64)
    amount = _fixed_until(context, charges, context.at_ms) - _fixed_until(context, charges, start)
    return np.broadcast_to(amount, context.at_ms.shape).astype(np.int64)


def _fixed_until(context: SegmentContext, charges: tuple[FixedCharge, ...], at_ms: Ints) -> Ints:
    """Return the fixed charges from the start of the cycle to an instant in it.

    In a cycle over the turn into or out of a leap year, the days of each year are charged at a 365th or a 366th of a
    yearly amount.
    """
    month_days, basis, segment = context.tariff.month_days, context.basis, context.billing.segment
    start = segment.cycle_start
    end = start + timedelta(days=segment.cycle_days)
    lengths = {days_of_year(start), days_of_year(end - timedelta(days=1))}
    if len(lengths) == 1 or not any(charge.per == "year" for charge in charges):
        return fixed_amount(charges, month_days, basis, at_ms)
    amount = fixed_amount([c for c in charges if c.per != "year"], month_days, basis, at_ms)
    yearly = [c for c in charges if c.per == "year"]
    for year in range(start.year, end.year + 1):
        first, last = max(start, date(year, 1, 1)), min(end, date(year + 1, 1, 1))
        if first < last:
            part = segment_between(
                segment.tariff_id, segment.tariff_version, (first, last), first, last, context.terms.zone
            )
            amount = amount + fixed_amount(yearly, month_days, Basis.of([part], np.zeros(1, dtype=np.int64)), at_ms)
    return np.asarray(amount)


def minimum_line(context: SegmentContext, covered: Ints, carry_over: CarryOver, so_far: SoFar) -> Ints:
    """Return the shortfall of the minimum charge, which accrues with time; a yearly minimum is charged at year end.

    `covered`: running amount of the charges that count towards the minimum; negative amounts count as zero.
    """
    monthly = context.tariff.accruing_minimum
    accrued_before, covered_before = so_far.minimum
    accrued = accrued_before + (accrued_fixed(context, monthly) if monthly else np.zeros_like(covered))
    all_covered = covered_before + covered
    so_far.minimum = int(accrued[-1]), int(all_covered[-1])
    missing_before = max(accrued_before - max(covered_before, 0), 0)
    missing = np.maximum(accrued - np.maximum(all_covered, 0), 0) - missing_before
    counted = max(int(all_covered[-1]), 0) - max(covered_before, 0)
    carry_over.charged_in_year += counted + int(missing[-1])
    if context.billing.closes_year:
        yearly = sum(m.amount_e9 for m in context.tariff.minimum if m.per == "year") // 1_000
        missing[-1] += max(0, yearly - carry_over.charged_in_year)
        carry_over.charged_in_year = 0
    return np.asarray(missing)


def reduction(context: SegmentContext, charges: Mapping[str, Ints], so_far: SoFar) -> Ints:
    """Return the running reduction of charges above the cap of the tariff; updates `so_far`."""
    cap, energy = context.tariff.cap, context.imported()
    if cap is None:
        return np.zeros_like(energy)
    charged_before, energy_before, reduced_before = so_far.capped
    charged, all_energy = charged_before + total([charges[name] for name in cap.charges]), energy_before + energy
    above = above_cap(cap, charged, all_energy)
    so_far.capped = int(charged[-1]), int(all_energy[-1]), int(above[-1])
    return np.asarray(above - reduced_before)


def tax_line(context: SegmentContext, lines: dict[str, Ints], so_far: SoFar, energy_in_year: int) -> Ints:
    """Return the running amount of all taxes.

    Constant rates are rounded separately for fixed charges and for the other lines, as in the stream. A floor applies
    to the whole bill; a tax with a validity applies to the amounts that were added in it.
    """
    if context.tariff.plain_taxes:
        before = {name: np.array([so_far.rounded.get(name, 0)]) for name in lines}
        added = plain_tax(context.tariff, {name: before[name] + amount for name, amount in lines.items()})
        return np.asarray(added - plain_tax(context.tariff, before))
    added = np.zeros(len(context.at_ms), dtype=np.int64)
    for _, _, amount in tax_steps(context, lines, so_far, energy_in_year):
        added = added + amount
    return added


def tax_steps(
    context: SegmentContext, lines: dict[str, Ints], so_far: SoFar, energy_in_year: int
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Yield (base, imported energy [1e-6 kWh], amount) of taxes with floors, bands, exemptions or a validity.

    Base and energy include earlier segments of the cycle, the amount does not; updates `so_far`. `energy_in_year`: that
    of the earlier cycles of the year [1e-6 kWh].
    """
    bases, tariff, basis = dict(lines), context.tariff, context.basis
    none, energy = np.zeros(len(context.at_ms), dtype=np.int64), context.imported()
    for number, tax in enumerate(context.tariff.taxes):
        base = [_within(context, tax, amount) for name, amount in bases.items() if name in tax.base]
        taxable = total([*base, -_exempt(context, tax)]) if base else none
        base_before, energy_before = so_far.taxed.get(number, (0, 0))
        taxable, taxed_energy = taxable + base_before, _within(context, tax, energy) + energy_before
        before = tax_of(tariff, basis, tax, np.array([base_before]), np.array([energy_before]), energy_in_year)
        amount = np.asarray(tax_of(tariff, basis, tax, taxable, taxed_energy, energy_in_year) - before)
        so_far.taxed[number] = int(taxable[-1]), int(taxed_energy[-1])
        bases[tax.name] = bases.get(tax.name, none) + amount
        yield taxable, taxed_energy, amount


def _exempt(context: SegmentContext, tax: Tax) -> Ints:
    """Return the fixed charges that are exempt from the tax."""
    charges = context.tariff.exempt_from(tax)
    if not charges:
        return np.zeros(len(context.at_ms), dtype=np.int64)
    return _within(context, tax, rounded(accrued_fixed(context, charges), context.tariff.rounding))


def _within(context: SegmentContext, tax: Tax, amount: Ints) -> Ints:
    """Return the part of a running amount that was added while the tax was in force."""
    if tax.valid_from is None and tax.valid_to is None:
        return amount
    first = local_midnight_ms(tax.valid_from or date(1970, 1, 1), context.terms.zone)
    last = local_midnight_ms(tax.valid_to or date(9999, 1, 1), context.terms.zone)
    start = np.append(context.data.start_ms, context.billing.segment.segment_end_ms - 1)
    changes = np.diff(amount, prepend=0)
    return np.cumsum(np.where((start >= first) & (start < last), changes, 0))
