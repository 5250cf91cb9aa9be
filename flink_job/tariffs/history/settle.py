"""From lines to a bill: minimum charges, taxes, rounding."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from flink_job.metering.contract import local_midnight_ms
from flink_job.tariffs.charges import TO_MICRO, fixed_amount, tax_amount
from flink_job.tariffs.exact import RATE_SCALE, Ints, round_div, times, total
from flink_job.tariffs.history.intervals import round_to
from flink_job.tariffs.history.scene import Carry, Scene
from flink_job.tariffs.model import FixedCharge, Tax

_DECIMALS = 6


def accrued_fixed(scene: Scene, charges: tuple[FixedCharge, ...]) -> Ints:
    """Fixed charges of the segment so far, in proportion to time."""
    tariff = replace(scene.tariff, fixed=charges)
    start = np.array([scene.span.segment.segment_start_ms], dtype=np.int64)
    amount = fixed_amount(tariff, scene.basis, scene.at_ms) - fixed_amount(tariff, scene.basis, start)
    return np.broadcast_to(amount, scene.at_ms.shape).astype(np.int64)


def minimum_line(scene: Scene, covered: Ints, carry: Carry) -> Ints:
    """What is missing to the minimum so far, which grows with time; a yearly minimum is settled as the year closes.

    `covered`: charges that count towards it, as a whole not below zero.
    """
    monthly = tuple(m for m in scene.tariff.minimum if m.per != "year")
    covered = np.maximum(covered, 0)
    missing = np.maximum(accrued_fixed(scene, monthly) - covered, 0) if monthly else np.zeros_like(covered)
    carry.charged_in_year += int(covered[-1] + missing[-1])
    if scene.span.closes_year:
        yearly = sum(m.amount_e9 for m in scene.tariff.minimum if m.per == "year") // 1_000
        missing[-1] += max(0, yearly - carry.charged_in_year)
        carry.charged_in_year = 0
    return missing


def tax_line(scene: Scene, lines: dict[str, Ints]) -> Ints:
    """All taxes on the lines so far.

    Plain rates are rounded for fixed charges and for the others apart, as in the stream, where fixed charges of an
    interval are known before its energy. A floor needs the whole bill; a validity counts what falls into it.
    """
    if scene.tariff.plain_taxes:
        fixed = lines["fixed"]
        others = {name: amount for name, amount in lines.items() if name != "fixed"}
        both = np.asarray(tax_amount(scene.tariff, **others) + tax_amount(scene.tariff, fixed=fixed))
        return rounded(scene, both)
    bases = dict(lines)
    added = np.zeros(len(scene.at_ms), dtype=np.int64)
    energy = scene.imported()
    for tax in scene.tariff.taxes:
        exempt = _exempt(scene, tax)
        base = [_within(scene, tax, amount) for name, amount in bases.items() if name in tax.base]
        amount = round_div(times(total([*base, -exempt]), tax.rate_e12), RATE_SCALE) if base else np.zeros_like(added)
        if tax.floor_e9:
            amount = np.maximum(amount, round_div(times(_within(scene, tax, energy), tax.floor_e9), TO_MICRO))
        amount = rounded(scene, amount.astype(np.int64))
        bases[tax.name] = bases.get(tax.name, np.zeros_like(added)) + amount
        added = added + amount
    return added


def _exempt(scene: Scene, tax: Tax) -> Ints:
    """Fixed charges that the tax leaves out."""
    charges = tuple(c for c in scene.tariff.fixed if tax.name in c.exempt_from and "fixed" in tax.base)
    if not charges:
        return np.zeros(len(scene.at_ms), dtype=np.int64)
    return _within(scene, tax, rounded(scene, accrued_fixed(scene, charges)))


def _within(scene: Scene, tax: Tax, amount: Ints) -> Ints:
    """The part of a running amount that was added while the tax was in force."""
    if tax.valid_from is None and tax.valid_to is None:
        return amount
    first = local_midnight_ms(tax.valid_from or date(1970, 1, 1), scene.terms.zone)
    last = local_midnight_ms(tax.valid_to or date(9999, 1, 1), scene.terms.zone)
    start = np.append(scene.data.start_ms, scene.span.segment.segment_end_ms - 1)
    changes = np.diff(amount, prepend=0)
    return np.cumsum(np.where((start >= first) & (start < last), changes, 0))


def rounded(scene: Scene, amount: Ints) -> Ints:
    """A line as the tariff rounds it."""
    rule = scene.tariff.rounding
    return round_to(amount, 10 ** (_DECIMALS - rule.line_decimals), rule.half_up)
