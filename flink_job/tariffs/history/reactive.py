"""The reactive line: kvarh beyond a share of the kWh of their period, at a price by the period's cos phi."""

from __future__ import annotations

import numpy as np

from flink_job.tariffs.charges import TO_MICRO
from flink_job.tariffs.exact import Ints, round_div, total
from flink_job.tariffs.history.intervals import with_close
from flink_job.tariffs.history.scene import Scene
from flink_job.tariffs.model import Reactive

_E9 = 1_000_000_000


def reactive_line(scene: Scene) -> Ints:
    """What reactive energy costs so far: a function of the sums by period, so of no order."""
    rule = scene.tariff.reactive
    if rule is None:
        return np.zeros(len(scene.at_ms), dtype=np.int64)
    amounts = [np.zeros(len(scene.at_ms), dtype=object)]
    for index, name in enumerate(scene.tariff.periods):
        inside = scene.period == index
        if rule.periods is None or name in rule.periods:
            amounts.append(_inductive(rule, *_sums(scene, inside, scene.data.reactive_uvarh)))
        if name in rule.capacitive_periods:
            amounts.append(_capacitive(rule, *_sums(scene, inside, scene.data.capacitive_uvarh)))
    return round_div(total(amounts), TO_MICRO).astype(np.int64)


def _sums(scene: Scene, inside: Ints, reactive: Ints) -> tuple[Ints, Ints]:
    """(active, reactive) energy of a period so far."""
    active = np.cumsum(np.where(inside, scene.data.import_ukwh, 0)).astype(object)
    return with_close(active), with_close(np.cumsum(np.where(inside, reactive, 0)).astype(object))


def _inductive(rule: Reactive, active: Ints, reactive: Ints) -> Ints:
    """Beyond the free share, at the price of the lowest band that the period's cos phi lies in [1e-15 currency]."""
    charged = np.maximum(reactive - active * rule.free_e9 // _E9, 0)
    price = np.zeros(len(active), dtype=object)
    for cos_e9, band_price in reversed(rule.bands):
        price = np.where(_below(active, reactive, cos_e9), band_price, price)
    return np.asarray(charged * price)


def _capacitive(rule: Reactive, active: Ints, reactive: Ints) -> Ints:
    """All of it, where the period's cos phi is too low."""
    return np.where(_below(active, reactive, rule.capacitive_cos_e9), reactive * rule.capacitive_price_e9, 0)


def _below(active: Ints, reactive: Ints, cos_e9: int) -> Ints:
    """active / sqrt(active^2 + reactive^2) < cos, without a root."""
    return np.asarray(active**2 * _E9**2 < (active**2 + reactive**2) * cos_e9**2, dtype=bool)
