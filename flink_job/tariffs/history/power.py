"""Contracted power: its price per kW and year, and the charge for demand above it."""

from __future__ import annotations

from math import isqrt

import numpy as np

from flink_job.errors import MeteringError
from flink_job.tariffs.calendar import Calendar
from flink_job.tariffs.charges import demand_ukw
from flink_job.tariffs.exact import Ints, round_div, total
from flink_job.tariffs.history.demand import Peaks
from flink_job.tariffs.history.intervals import previous_by
from flink_job.tariffs.history.segment_context import SegmentContext
from flink_job.tariffs.model import Contracted, FixedCharge, Tariff

_MICRO = 1_000_000
_E9 = 1_000_000_000
#: Number of days that the excess price of the maximeter rule is defined for.
_MAXIMETER_DAYS = 30


class ContractedPowerError(MeteringError, ValueError):
    """A tariff with contracted power whose value in kW is missing."""


def contracted_power(context: SegmentContext) -> dict[str, int]:
    """Return the contracted power by period [1e-6 kW]. Raises ContractedPowerError."""
    contracted = context.tariff.contracted
    if contracted is None:
        return {}
    power = {**contracted.power_u, **context.billing.contracted_u}
    if missing := [period for period in contracted.price_e9 if period not in power]:
        raise ContractedPowerError(
            f"tariff {context.tariff.tariff_id}: no contracted power for {', '.join(missing)}: set it in the contract, "
            "in contracted_power/kw of the tariff, or with --contracted-kw"
        )
    return power


def power_charges(context: SegmentContext, power: dict[str, int]) -> tuple[FixedCharge, ...]:
    """Return the charges of contracted power, as fixed charges per year."""
    contracted = context.tariff.contracted
    if contracted is None:
        return ()
    return tuple(
        FixedCharge(f"power {period}", int(round_div(np.array([price * power[period]], object), _MICRO)[0]), "year")
        for period, price in contracted.price_e9.items()
    )


def excess_line(context: SegmentContext, peaks: Peaks, power: dict[str, int]) -> Ints:
    """Return the running charge for demand above the contracted power."""
    contracted = context.tariff.contracted
    if contracted is None or contracted.excess_rule is None or not len(peaks.window_ukwh):
        return np.zeros(len(context.at_ms), dtype=np.int64)
    calendar = _calendar(context.tariff)
    period = context.periods_at(_calendar, peaks.start)
    demand = demand_ukw(context.tariff, peaks.window_ukwh)
    amounts = []
    for name, price in contracted.excess_e9.items():
        above = np.maximum(demand - power[name], 0)
        above = np.where(period == calendar.periods.index(name), above, 0)
        rule = _root_of_squares if contracted.excess_rule == "root_of_squares" else _maximeter
        amounts.append(rule(context, contracted, above, peaks, price))
    return peaks.by_reading(total(amounts).astype(np.int64))


def _calendar(tariff: Tariff) -> Calendar:
    return (tariff.contracted.calendar if tariff.contracted is not None else None) or tariff.calendar


def _root_of_squares(context: SegmentContext, contracted: Contracted, above: Ints, peaks: Peaks, price_e9: int) -> Ints:
    """Return price x sqrt(sum of squares over the demand intervals of the cycle), including the current one so far.

    Spain, Circular 3/2020 of the CNMC, article 9.4.b.1, meters of types 1 to 3 (K is included in the price).
    """
    squares = above.astype(object) ** 2
    sums = np.cumsum(squares - previous_by(peaks.window_start, squares))
    changes = np.flatnonzero(np.append(True, sums[1:] != sums[:-1]))
    roots = np.array([isqrt(price_e9**2 * int(sums[i])) for i in changes], dtype=object)
    amounts = round_div(roots, _E9)
    return np.asarray(amounts[np.searchsorted(changes, np.arange(len(sums)), "right") - 1])


def _maximeter(context: SegmentContext, contracted: Contracted, above: Ints, peaks: Peaks, price_e9: int) -> Ints:
    """Return 2 x price x (peak - contracted power) x days / 30.

    Spain, Circular 3/2020 of the CNMC, article 9.4.b.2, meters of types 4 and 5.
    """
    highest = np.maximum.accumulate(above).astype(object)
    days = context.billing.segment.segment_days
    return round_div(highest * (2 * price_e9 * days), _MAXIMETER_DAYS * _E9)
