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
            amounts.append(_inductive(rule, active, state.reactive_uvarh[index].astype(object)))
        if name in rule.capacitive_periods:
            amounts.append(_capacitive(rule, active, state.capacitive_uvarh[index].astype(object)))
    return round_div(total(amounts), TO_MICRO).astype(np.int64)


def _inductive(rule: Reactive, active: Ints, reactive: Ints) -> Ints:
    """Return the charge above the free share, at the price of the lowest band of the cos phi [1e-15 currency]."""
    charged = np.maximum(reactive - active * rule.free_e9 // _E9, 0)
    price = np.zeros(len(active), dtype=object)
    for cos_e9, band_price in reversed(rule.bands):
        price = np.where(_below(active, reactive, cos_e9), band_price, price)
    return np.asarray(charged * price)


def _capacitive(rule: Reactive, active: Ints, reactive: Ints) -> Ints:
    """Return the charge for all capacitive energy if the cos phi of the period is too low [1e-15 currency]."""
    return np.where(_below(active, reactive, rule.capacitive_cos_e9), reactive * rule.capacitive_price_e9, 0)


def _below(active: Ints, reactive: Ints, cos_e9: int) -> Ints:
    """Return active / sqrt(active^2 + reactive^2) < cos, computed without a root."""
    return np.asarray(active**2 * _E9**2 < (active**2 + reactive**2) * cos_e9**2, dtype=bool)
