"""Projection of the bill of a whole billing cycle from the energy measured so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.calendar import CalendarError
from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.rating import bill
from flink_job.tariffs.state import Basis, State

Floats = NDArray[np.float64]
#: Accumulators that are extrapolated in proportion to time.
_SUMS = ("reactive_uvarh", "capacitive_uvarh", "month_ukwh", "block_ukwh", "dynamic", "above_uvarh", "day_tier_ukwh")


def projected_bills(
    tariff: Tariff, segments: Sequence[Segment], index: NDArray[np.int64], state: State, end_ms: NDArray[np.int64]
) -> Floats:
    """Return the projected bill of the cycle after each reading [currency], shape (n,).

    NaN if the calendar has no holidays for a year of the cycle. Reading i belongs to `segments[index[i]]` and ends at
    `end_ms`; `state` are the accumulators after it. In each TOU period the mean power since the start of the cycle is
    assumed for its remaining hours; in a period that has not occurred yet, the mean power of all hours. Peaks are
    unchanged, and fixed charges accrue to the end.
    """
    basis = Basis.of(list(segments), index, tariff)
    so_far, cycle_total = _period_ms(tariff, segments, index, end_ms)
    projected = State(
        _extrapolated(state.imported_ukwh, so_far, cycle_total),
        _extrapolated(state.exported_ukwh, so_far, cycle_total),
        state.peak_ukwh,
        basis.segment_end_ms - basis.segment_start_ms,
        **{name: _scaled(getattr(state, name), so_far, cycle_total) for name in _SUMS},
        excess=state.excess,
    )
    cost = bill(tariff, basis, projected).cost.astype(float) / 1e6
    return np.where(np.isnan(cycle_total[0]), np.nan, cost)


def _scaled(sums: Sequence[Ints], so_far: Floats, cycle_total: Floats) -> tuple[Ints, ...]:
    """Return sums at the end of the cycle in proportion to its elapsed time."""
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.nan_to_num(cycle_total.sum(axis=0) / so_far.sum(axis=0), nan=1.0, posinf=1.0)
    return tuple(np.rint(measured * factor).astype(np.int64) for measured in sums)


def _extrapolated(energy: Sequence[Ints], so_far: Floats, cycle_total: Floats) -> tuple[Ints, ...]:
    """Return the energy of each TOU period at the end of the cycle [1e-6 kWh], at least the measured energy."""
    elapsed = so_far.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.sum(energy, axis=0) / elapsed
        found = []
        for period, measured in enumerate(energy):
            if period >= len(so_far):
                found.append(measured)
                continue
            power = np.where(so_far[period] > 0, measured / so_far[period], mean)
            projected = np.nan_to_num(power * cycle_total[period], nan=0.0, posinf=0.0)
            found.append(np.maximum(np.rint(projected).astype(np.int64), measured))
    return tuple(found)


def _period_ms(
    tariff: Tariff, segments: Sequence[Segment], index: NDArray[np.int64], end_ms: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return (duration of each TOU period until `end_ms`, its duration in the cycle) [ms], each (periods, n).

    The clock is that of the start of the cycle: a change within it shifts the hours of TOU periods, which changes their
    duration by at most one hour.
    """
    shape = len(tariff.periods), len(index)
    so_far, cycle_total = np.full(shape, np.nan), np.full(shape, np.nan)
    for number in np.unique(index).tolist():
        segment, rows = segments[number], np.flatnonzero(index == number)
        timeline = tariff.calendar.timeline(segment.utc_offset)
        try:
            starts, periods = timeline.spans(segment.cycle_start_ms, segment.cycle_end_ms)
        except CalendarError:
            continue
        bounds = np.append(starts, segment.cycle_end_ms)
        for period in range(len(tariff.periods)):
            passed = np.concatenate(([0], np.cumsum(np.where(periods == period, np.diff(bounds), 0))))
            so_far[period, rows] = np.interp(end_ms[rows], bounds, passed)
            cycle_total[period, rows] = passed[-1]
    return so_far, cycle_total
