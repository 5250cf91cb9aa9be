"""The export credit: priced, banked in kWh (net metering), or credited (net billing, buy-all-sell-all)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flink_job.tariffs.charges import TO_MICRO, balanced, energy_amount
from flink_job.tariffs.exact import Ints, round_div, running_round_div, times
from flink_job.tariffs.history.energy import energy_line, filled
from flink_job.tariffs.history.intervals import with_close
from flink_job.tariffs.history.rollover import rolled_over
from flink_job.tariffs.history.segment_context import CarryOver, SegmentContext
from flink_job.tariffs.state import State


@dataclass(frozen=True)
class Settled:
    """Running amounts [1e-6 currency], shape (n + 1,): energy, the credit (negative), and the payment at year end."""

    energy: Ints
    credit: Ints
    year_end: Ints


def settle(context: SegmentContext, billed_ukw: Ints, carry_over: CarryOver) -> Settled:
    """Compute the energy and export lines by the export rule of the tariff; updates `carry_over`."""
    if context.tariff.export.rule == "net_metering":
        return _net_metering(context, billed_ukw, carry_over)
    energy = energy_line(context, billed_ukw)
    earned = _earned(context, billed_ukw)
    none = np.zeros_like(energy)
    if context.tariff.export.carry_over:
        return _carried_over(context, energy, earned, carry_over)
    if context.tariff.export.capped_at_energy:
        earned = np.minimum(earned, np.maximum(energy, 0))
    return Settled(energy, -earned, none)


def _earned(context: SegmentContext, billed_ukw: Ints) -> Ints:
    """Return the running credit, by export prices or by sell prices of tiers filled in order of time."""
    exported = context.data.export_ukwh
    if context.tariff.sells_by_tier:
        terms = filled(context, exported, billed_ukw, "sell_e9")
    else:
        prices = np.array(context.tariff.export_e9, dtype=np.int64)
        terms = times(exported, prices[context.period])
    # The stream rounds the credit as a negative amount; half to even is symmetric, so the result is equal.
    return running_round_div(np.append(terms, 0), TO_MICRO)


def _carried_over(context: SegmentContext, energy: Ints, earned: Ints, carry_over: CarryOver) -> Settled:
    """Apply the credit of earlier cycles to energy; the rest is paid out at year end.

    Rule of PySAM's metering option 3.
    """
    applied = np.minimum(carry_over.credit, np.maximum(energy, 0))
    year_end = np.zeros_like(energy)
    left = carry_over.credit - int(applied[-1]) + int(earned[-1])
    if context.billing.ends_year(context.tariff.export.year_from):
        year_end[-1], left = -left, 0
    carry_over.credit = left
    return Settled(energy, -applied, year_end)


def _net_metering(context: SegmentContext, billed_ukw: Ints, carry_over: CarryOver) -> Settled:
    """Charge the net energy of each TOU period minus its banked energy; a surplus is banked.

    Rule of PySAM's metering option 0, if periods are not netted with each other and the bank ends with the calendar
    year. Where the year is balanced, the bank is the net energy of its earlier cycles, below 0 if it was charged.
    """
    rule, balances = context.tariff.export, net_balances(context, carry_over)
    adjustment = context.tariff.adjustment_e9[context.month - 1 : context.month]
    tariff = replace(context.tariff, adjustment_e9=adjustment)

    def charge(deficits: list[Ints], billed: Ints) -> Ints:
        charged = State(tuple(deficits), (), (), month_ukwh=(np.asarray(sum(deficits)),))
        return energy_amount(tariff, context.basis, charged, billed)

    netted = balanced(tariff, balances)
    energy = charge([np.maximum(balance, 0) for balance in netted], billed_ukw)
    if rule.by_year:
        energy = energy - charge([np.array([kwh]) for kwh in charged_before(context, carry_over)], billed_ukw[:1])
    surplus = {p: max(0, -int(balance[-1])) for p, balance in enumerate(netted)}
    left = {p: -int(balance[-1]) for p, balance in enumerate(balances)} if rule.by_year else surplus
    year_end = np.zeros_like(energy)
    if context.billing.ends_year(rule.year_from):
        paid = sum(surplus.values()) * rule.year_end_e9
        year_end[-1] = -int(round_div(np.array([paid], object), TO_MICRO)[0])
        left = {}
    carry_over.bank_ukwh, carry_over.bank_segment = left, context.billing
    return Settled(energy.astype(np.int64), np.zeros_like(energy), year_end)


def charged_before(context: SegmentContext, carry_over: CarryOver) -> list[int]:
    """Return the net energy of each TOU period that earlier cycles of a balanced year were charged [1e-6 kWh]."""
    banked = rolled_over(context, carry_over)
    before = [np.array([-banked.get(p, 0)]) for p in range(len(context.tariff.energy))]
    return [max(0, int(balance[0])) for balance in balanced(context.tariff, before)]


def net_balances(context: SegmentContext, carry_over: CarryOver) -> list[Ints]:
    """Return the running net energy of each TOU period minus its banked energy [1e-6 kWh]; below 0 it is a surplus."""
    net = context.data.import_ukwh - context.data.export_ukwh
    banked = rolled_over(context, carry_over)
    periods = range(len(context.tariff.energy))
    return [with_close(np.cumsum(np.where(context.period == p, net, 0))) - banked.get(p, 0) for p in periods]
