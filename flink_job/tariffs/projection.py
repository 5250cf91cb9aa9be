"""The bill of a whole cycle, projected from the part of it that has been measured."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.calendar import CalendarError, Timeline
from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.rating import bill
from flink_job.tariffs.state import Basis, State

Floats = NDArray[np.float64]


def projected_bills(
    tariff: Tariff, segments: Sequence[Segment], index: NDArray[np.int64], state: State, end_ms: NDArray[np.int64]
) -> Floats:
    """Bill at the end of the cycle [currency], arrays of shape (n,); NaN where the calendar lacks a year of the cycle.

    Reading i belongs to `segments[index[i]]`, `state` holds the accumulators after it, and it ends at `end_ms`. In each
    TOU period the mean power since the cycle's start continues for the rest of that period's hours; in a period that
    has not occurred yet, the mean power of all hours. Peaks stay as they are, and fixed charges accrue to the end.
    """
    basis = Basis.of(list(segments), index)
    so_far, whole = _period_ms(tariff, segments, index, end_ms)
    projected = State(
        _continued(state.imported_ukwh, so_far, whole), _continued(state.exported_ukwh, so_far, whole), state.peak_ukwh
    )
    cost = bill(tariff, basis, projected, basis.cycle_end_ms).cost.astype(float) / 1e6
    return np.where(np.isnan(whole[0]), np.nan, cost)


def _continued(energy: Sequence[Ints], so_far: Floats, whole: Floats) -> tuple[Ints, ...]:
    """Energy by TOU period at the end of the cycle [1e-6 kWh], at least what has been measured."""
    elapsed = so_far.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.sum(energy, axis=0) / elapsed
        found = []
        for period, measured in enumerate(energy):
            if period >= len(so_far):
                found.append(measured)
                continue
            power = np.where(so_far[period] > 0, measured / so_far[period], mean)
            projected = np.nan_to_num(power * whole[period], nan=0.0, posinf=0.0)
            found.append(np.maximum(np.rint(projected).astype(np.int64), measured))
    return tuple(found)


def _period_ms(
    tariff: Tariff, segments: Sequence[Segment], index: NDArray[np.int64], end_ms: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """(time of each TOU period until `end_ms`, its time in the whole cycle) [ms], both of shape (periods, n)."""
    shape = len(tariff.periods), len(index)
    so_far, whole = np.full(shape, np.nan), np.full(shape, np.nan)
    timelines: dict[tzinfo, Timeline] = {}
    for number in np.unique(index).tolist():
        segment, rows = segments[number], np.flatnonzero(index == number)
        zone = _zone_of(segment)
        timeline = timelines.setdefault(zone, Timeline(tariff.calendar, zone))
        try:
            starts, periods = timeline.spans(segment.cycle_start_ms, segment.cycle_end_ms)
        except CalendarError:
            continue
        bounds = np.append(starts, segment.cycle_end_ms)
        for period in range(len(tariff.periods)):
            passed = np.concatenate(([0], np.cumsum(np.where(periods == period, np.diff(bounds), 0))))
            so_far[period, rows] = np.interp(end_ms[rows], bounds, passed)
            whole[period, rows] = passed[-1]
    return so_far, whole


def _zone_of(segment: Segment) -> tzinfo:
    """The meter's offset at the start of the cycle. A clock change within the cycle moves a period's hours within days,
    and so changes how long a period lasts by an hour at most.
    """
    midnight = datetime.combine(segment.cycle_start, datetime.min.time(), UTC)
    return timezone(timedelta(milliseconds=midnight.timestamp() * 1000 - segment.cycle_start_ms))
