"""The reactive charge: kvarh above a share of the kWh, priced by the cos phi."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from flink_job.tariffs.charges import TO_MICRO
from flink_job.tariffs.exact import Ints, round_div, total
from flink_job.tariffs.model import Reactive, Tariff
from flink_job.tariffs.state import State

_E9 = 1_000_000_000


class Charged(NamedTuple):
    """Reactive energy that is charged [1e-6 kvarh] and its price [1e-9], of a TOU period or of several together.

    `active`, `reactive`: all energy in them [1e-6 kWh, 1e-6 kvarh].
    """

    name: str
    is_capacitive: bool
    charged: Ints
    price_e9: Ints
    active: Ints
    reactive: Ints


def reactive_amount(tariff: Tariff, state: State) -> Ints:
    """Return the reactive charge: a function of sums by TOU period, so independent of order."""
    none = np.zeros_like(state.imported_ukwh[0])
    if tariff.reactive is None:
        return none
    amounts = [each.charged * each.price_e9 for each in charged_parts(tariff, tariff.reactive, state)]
    return round_div(total([none.astype(object), *amounts]), TO_MICRO).astype(np.int64)


def charged_parts(tariff: Tariff, rule: Reactive, state: State) -> Iterator[Charged]:
    """Yield the reactive energy that is charged, by TOU period or for several periods together."""
    inside = [p for p, name in enumerate(tariff.periods) if rule.periods is None or name in rule.periods]
    for group in [inside] if rule.over == "periods" else [[p] for p in inside]:
        active, reactive = (_sum(sums, group) for sums in (state.imported_ukwh, state.reactive_uvarh))
        charged, price = inductive(rule, active, reactive)
        if rule.over == "interval":
            charged = _sum(state.above_uvarh, group)
        yield Charged(" and ".join(tariff.periods[p] for p in group), False, charged, price, active, reactive)
    for p, name in enumerate(tariff.periods):
        if name in rule.capacitive_periods:
            active, leading = (_sum(sums, [p]) for sums in (state.imported_ukwh, state.capacitive_uvarh))
            yield Charged(name, True, *capacitive(rule, active, leading), active, leading)


def _sum(energies: tuple[Ints, ...], periods: list[int]) -> Ints:
    return np.asarray(sum(energies[p].astype(object) for p in periods))


def inductive(rule: Reactive, active: Ints, reactive: Ints) -> tuple[Ints, Ints]:
    """Return the energy above the free share [1e-6 kvarh] and its price by the lowest band of the cos phi [1e-9]."""
    price = np.zeros(len(active), dtype=object)
    for cos_e9, band_price in reversed(rule.bands):
        price = np.where(_below(active, reactive, cos_e9), band_price, price)
    return above_free_share(rule, active, reactive), price


def above_free_share(rule: Reactive, active: Ints, reactive: Ints) -> Ints:
    """Return the energy above the free share, which is rounded down [1e-6 kvarh]."""
    return np.asarray(np.maximum(reactive - active.astype(object) * rule.free_e9 // _E9, 0))


def capacitive(rule: Reactive, active: Ints, reactive: Ints) -> tuple[Ints, Ints]:
    """Return all capacitive energy [1e-6 kvarh] and its price [1e-9], 0 unless the cos phi of the period is too low."""
    below = _below(active, reactive, rule.capacitive_cos_e9)
    return reactive, np.where(below, rule.capacitive_price_e9, 0).astype(object)


def _below(active: Ints, reactive: Ints, cos_e9: int) -> Ints:
    """Return active / sqrt(active^2 + reactive^2) < cos, computed without a root."""
    return np.asarray(active**2 * _E9**2 < (active**2 + reactive**2) * cos_e9**2, dtype=bool)
