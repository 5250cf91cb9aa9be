"""Exported energy: priced, banked in kWh (net metering), or credited in money (net billing, buy-all-sell-all)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flink_job.tariffs.charges import TO_MICRO
from flink_job.tariffs.exact import Ints, round_div, running_round_div, times
from flink_job.tariffs.history.energy import energy_line, filled, tiered_amount
from flink_job.tariffs.history.intervals import with_close
from flink_job.tariffs.history.rollover import rolled_over
from flink_job.tariffs.history.scene import Carry, Scene


@dataclass(frozen=True)
class Settled:
    """Running amounts [1e-6 currency], shape (n + 1,): energy, the credit (negative), and what is paid at year end."""

    energy: Ints
    credit: Ints
    year_end: Ints


def settle(scene: Scene, billed_ukw: Ints, carry: Carry) -> Settled:
    """Energy and export lines by the tariff's export rule; `carry` takes up what goes to the next cycle."""
    if scene.tariff.export.rule == "net_metering":
        return _net_metering(scene, billed_ukw, carry)
    energy = energy_line(scene, billed_ukw)
    earned = _earned(scene, billed_ukw)
    none = np.zeros_like(energy)
    if scene.tariff.export.carry_over:
        return _carried_over(scene, energy, earned, carry)
    if scene.tariff.export.capped_at_energy:
        earned = np.minimum(earned, np.maximum(energy, 0))
    return Settled(energy, -earned, none)


def _earned(scene: Scene, billed_ukw: Ints) -> Ints:
    """Credit so far: prices of export, or of the tiers that exported energy fills in order of time."""
    exported = scene.data.export_ukwh
    if any(tier.sell_e9 for tiers in scene.tariff.energy for tier in tiers):
        terms = filled(scene, exported, billed_ukw, "sell_e9")
    else:
        prices = np.array(scene.tariff.export_e9, dtype=np.int64)
        terms = times(exported, prices[scene.period])
    # The credit is rounded as the negative amount that it is in the stream; half to even is symmetric.
    return running_round_div(np.append(terms, 0), TO_MICRO)


def _carried_over(scene: Scene, energy: Ints, earned: Ints, carry: Carry) -> Settled:
    """Credit earned in earlier cycles pays for energy; at the end of the year what is left is paid out.

    Rule of PySAM's metering option 3.
    """
    applied = np.minimum(carry.credit, np.maximum(energy, 0))
    year_end = np.zeros_like(energy)
    left = carry.credit - int(applied[-1]) + int(earned[-1])
    if scene.span.closes_year:
        year_end[-1], left = -left, 0
    carry.credit = left
    return Settled(energy, -applied, year_end)


def _net_metering(scene: Scene, billed_ukw: Ints, carry: Carry) -> Settled:
    """Net energy of each period, less what is banked for it, at the tiers' prices; the surplus is banked.

    Rule of PySAM's metering option 0: no netting between periods; the bank ends with the calendar year.
    """
    net = scene.data.import_ukwh - scene.data.export_ukwh
    banked = rolled_over(scene, carry)
    left: dict[int, int] = {}
    deficits = []
    for p in range(len(scene.tariff.energy)):
        so_far = with_close(np.cumsum(np.where(scene.period == p, net, 0))) - banked.get(p, 0)
        deficits.append(np.maximum(so_far, 0))
        left[p] = max(0, -int(so_far[-1]))
    energy = tiered_amount(scene, tuple(deficits), billed_ukw)
    if scene.tariff.adjustment_e9:
        adjustment = scene.tariff.adjustment_e9[scene.month - 1]
        energy = energy + round_div(times(np.asarray(sum(deficits)), adjustment), TO_MICRO)
    year_end = np.zeros_like(energy)
    if scene.span.closes_year:
        price = scene.tariff.export.year_end_e9
        year_end[-1] = -int(round_div(np.array([sum(left.values()) * price], object), TO_MICRO)[0])
        left = {}
    carry.bank_ukwh, carry.bank_span = left, scene.span
    return Settled(energy.astype(np.int64), np.zeros_like(energy), year_end)
