"""Division of readings at the borders of TOU periods: their energy is spread evenly over their time."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history.intervals import Intervals, share
from flink_job.tariffs.history.segment_context import Divided, SegmentContext


def with_parts(context: SegmentContext, measured: Intervals) -> SegmentContext:
    """Return the context with its readings divided by TOU period, and netted by the hour if the tariff does so.

    `measured`: the readings before netting. The energy of a reading is the sum of its parts.
    """
    tariff = context.tariff
    by_hour = tariff.is_netted and tariff.export.netting == "hour"
    divided = _divided(context, measured)
    if divided is None:
        return replace(context, data=context.data.netted_by_hour(context.period)) if by_hour else context
    data, period = divided.context.data, divided.context.period
    if by_hour:
        data = data.netted_by_hour(period)
    elif tariff.is_netted:
        data = data.netted()
    divided = replace(divided, context=replace(divided.context, data=data))
    sums = {"import_ukwh": divided.summed(data.import_ukwh), "export_ukwh": divided.summed(data.export_ukwh)}
    return replace(context, data=replace(context.data, **sums), divided=divided)


def by_reading(context: SegmentContext, running: Ints) -> Ints:
    """Return running values after each reading from those of `context.of_periods`."""
    return running if context.divided is None else context.divided.by_reading(running)


def _divided(context: SegmentContext, measured: Intervals) -> Divided | None:
    """Return the parts of the readings; None if no reading is over a border."""
    crossing = _crossing(context, measured)
    if not crossing.any():
        return None
    cut = []
    for at in np.flatnonzero(crossing).tolist():
        start, end = int(measured.start_ms[at]), int(measured.end_ms[at])
        found = [*context.parts_between(start, end), (end, 0)]
        cut += [(at, begin, until, period) for (begin, period), (until, _) in pairwise(found)]
    whole = np.flatnonzero(~crossing)
    columns = (whole, measured.start_ms[whole], measured.end_ms[whole], context.period[whole])
    row, start_ms, end_ms, period = (
        np.append(column, np.array(added, dtype=np.int64))
        for column, added in zip(columns, zip(*cut, strict=True), strict=True)
    )
    order = np.lexsort((start_ms, row))
    row, start_ms, end_ms = row[order], start_ms[order], end_ms[order]
    data = _parts(measured, row, start_ms, end_ms)
    last = np.searchsorted(row, np.arange(len(measured.start_ms)), "right") - 1
    own = replace(context, data=data, demand_ukwh=data.import_ukwh, own_period=period[order])
    return Divided(own, last)


def _crossing(context: SegmentContext, measured: Intervals) -> NDArray[np.bool_]:
    """Return True for readings over a border of TOU periods, each by the version of the tariff at its start."""
    found = np.zeros(len(measured.start_ms), dtype=bool)
    for timeline, inside in context.timelines(measured.start_ms):
        found[inside] = timeline.are_divided(measured.start_ms[inside], measured.end_ms[inside])
    return found


def _parts(measured: Intervals, row: Ints, start_ms: Ints, end_ms: Ints) -> Intervals:
    """Return the parts [start_ms, end_ms) of readings."""
    length, until = np.maximum(measured.interval_ms[row], 1), measured.end_ms[row]

    def part(energy: Ints) -> Ints:
        return np.asarray(share(energy[row], until - start_ms, length) - share(energy[row], until - end_ms, length))

    quantities = (measured.import_ukwh, measured.export_ukwh, measured.reactive_uvarh, measured.capacitive_uvarh)
    return Intervals(start_ms, end_ms - start_ms, *map(part, quantities))
