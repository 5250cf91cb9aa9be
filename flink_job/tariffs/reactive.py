"""The reactive charge: kvarh above a share of the kWh of their TOU period, priced by the cos phi of the period."""

from __future__ import annotations

import numpy as np

from flink_job.tariffs.charges import TO_MICRO
from flink_job.tariffs.exact import Ints, round_div, total
from flink_job.tariffs.model import Reactive, Tariff
from flink_job.tariffs.state import State

_E9 = 1_000_000_000


def reactive_amount(tariff: Tariff, state: State) -> Ints:
    """Return the reactive charge: a function of sums by TOU period, so independent of order."""
    rule = tariff.reactive
    if rule is None:
        return np.zeros_like(state.imported_ukwh[0])
    amounts = [np.zeros_like(state.imported_ukwh[0], dtype=object)]
    for index, name in enumerate(tariff.periods):
        active = state.imported_ukwh[index].astype(object)
        if rule.periods is None or name in rule.periods:
            charged, price = inductive(rule, active, state.reactive_uvarh[index].astype(object))
            amounts.append(charged * price)
        if name in rule.capacitive_periods:
            charged, price = capacitive(rule, active, state.capacitive_uvarh[index].astype(object))
            amounts.append(charged * price)
    return round_div(total(amounts), TO_MICRO).astype(np.int64)


def inductive(rule: Reactive, active: Ints, reactive: Ints) -> tuple[Ints, Ints]:
    """Return the energy above the free share [1e-6 kvarh] and its price by the lowest band of the cos phi [1e-9]."""
    charged = np.maximum(reactive - active * rule.free_e9 // _E9, 0)
    price = np.zeros(len(active), dtype=object)
    for cos_e9, band_price in reversed(rule.bands):
        price = np.where(_below(active, reactive, cos_e9), band_price, price)
    return charged, price


def capacitive(rule: Reactive, active: Ints, reactive: Ints) -> tuple[Ints, Ints]:
    """Return all capacitive energy [1e-6 kvarh] and its price [1e-9], 0 unless the cos phi of the period is too low."""
    below = _below(active, reactive, rule.capacitive_cos_e9)
    return reactive, np.where(below, rule.capacitive_price_e9, 0).astype(object)


def _below(active: Ints, reactive: Ints, cos_e9: int) -> Ints:
    """Return active / sqrt(active^2 + reactive^2) < cos, computed without a root."""
    return np.asarray(active**2 * _E9**2 < (active**2 + reactive**2) * cos_e9**2, dtype=bool)
