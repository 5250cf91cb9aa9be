"""The reactive charge: kvarh above a share of the kWh of their TOU period, priced by the cos phi of the period."""

from __future__ import annotations

import numpy as np

from flink_job.tariffs.charges import TO_MICRO
from flink_job.tariffs.exact import Ints, round_div, total
from flink_job.tariffs.history.intervals import with_close
from flink_job.tariffs.history.segment_context import SegmentContext
from flink_job.tariffs.model import Reactive

_E9 = 1_000_000_000


def reactive_line(context: SegmentContext) -> Ints:
    """Return the running reactive charge: a function of sums by TOU period, so independent of order."""
    rule = context.tariff.reactive
    if rule is None:
        return np.zeros(len(context.at_ms), dtype=np.int64)
    amounts = [np.zeros(len(context.at_ms), dtype=object)]
    for index, name in enumerate(context.tariff.periods):
        inside = context.period == index
        if rule.periods is None or name in rule.periods:
            amounts.append(_inductive(rule, *_sums(context, inside, context.data.reactive_uvarh)))
        if name in rule.capacitive_periods:
            amounts.append(_capacitive(rule, *_sums(context, inside, context.data.capacitive_uvarh)))
    return round_div(total(amounts), TO_MICRO).astype(np.int64)


def _sums(context: SegmentContext, inside: Ints, reactive: Ints) -> tuple[Ints, Ints]:
    """Return the running (active, reactive) energy of a TOU period."""
    active = np.cumsum(np.where(inside, context.data.import_ukwh, 0)).astype(object)
    return with_close(active), with_close(np.cumsum(np.where(inside, reactive, 0)).astype(object))


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
