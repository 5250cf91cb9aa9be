"""Contracted power: its price per kW and year, and the charge for demand above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from flink_job.errors import MeteringError
from flink_job.tariffs.calendar import Calendar
from flink_job.tariffs.demand_charges import demand_ukw, maximeter, power_charges, root_of_squares
from flink_job.tariffs.exact import Ints, total
from flink_job.tariffs.history.demand import Peaks
from flink_job.tariffs.history.intervals import previous_by
from flink_job.tariffs.history.segment_context import SegmentContext
from flink_job.tariffs.model import Contracted, FixedCharge, Tariff


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


def power_line_charges(context: SegmentContext, power: dict[str, int]) -> tuple[FixedCharge, ...]:
    """Return the charges of contracted power, as fixed charges per year."""
    contracted = context.tariff.contracted
    if contracted is None:
        return ()
    powers = [np.array([power[period]], dtype=np.int64) for period in contracted.price_e9]
    charges = zip(contracted.price_e9, power_charges(contracted, powers), strict=True)
    return tuple(FixedCharge(f"power {period}", int(charge.amount_e9[0]), charge.per) for period, charge in charges)


def excess_line(context: SegmentContext, peaks: Peaks, power: dict[str, int]) -> Ints:
    """Return the running charge for demand above the contracted power."""
    contracted, above = context.tariff.contracted, power_above(context, peaks, power)
    if contracted is None or not above:
        return np.zeros(len(context.at_ms), dtype=np.int64)
    amounts = [excess_amount(context, contracted, peaks, name, demand) for name, demand in above.items()]
    return peaks.by_reading(total(amounts).astype(np.int64))


def power_above(context: SegmentContext, peaks: Peaks, power: Mapping[str, int]) -> dict[str, Ints]:
    """Return the demand above the contracted power of each period [1e-6 kW], 0 in other periods, after each part."""
    contracted = context.tariff.contracted
    if contracted is None or contracted.excess_rule is None or not len(peaks.window_ukwh):
        return {}
    period, names = power_periods(context, peaks)
    demand = demand_ukw(context.tariff, peaks.window_ukwh)
    return {
        name: np.where(period == names.index(name), np.maximum(demand - power[name], 0), 0)
        for name in contracted.excess_e9
    }


def power_periods(context: SegmentContext, peaks: Peaks) -> tuple[NDArray[np.int64], Sequence[str]]:
    """Return the period of contracted power of each part of a reading, as an index of the names that follow."""
    return context.periods_at(_calendar, peaks.instant), _calendar(context.tariff).periods


def excess_amount(context: SegmentContext, contracted: Contracted, peaks: Peaks, name: str, above: Ints) -> Ints:
    """Return the running charge for the demand above the contracted power of a period, after each part."""
    price = contracted.excess_e9[name]
    if contracted.excess_rule == "root_of_squares":
        return _running_root(price, above, peaks)
    return maximeter(price, np.maximum.accumulate(above), context.basis.segment_days)


def _calendar(tariff: Tariff) -> Calendar:
    return (tariff.contracted.calendar if tariff.contracted is not None else None) or tariff.calendar


def _running_root(price_e9: int, above: Ints, peaks: Peaks) -> Ints:
    """Return the running root of squares over demand intervals, including the current one so far."""
    squares = above.astype(object) ** 2
    sums = np.cumsum(squares - previous_by(peaks.window_start, squares))
    changes = np.flatnonzero(np.append(True, sums[1:] != sums[:-1]))
    amounts = root_of_squares(price_e9, sums[changes])
    return np.asarray(amounts[np.searchsorted(changes, np.arange(len(sums)), "right") - 1])
