"""The load of a supply point: the sum of its mains by interval; and its meters' energy in these intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.membership import Membership
from flink_job.tariffs.history import Intervals

Array = NDArray[np.int64]
_QUANTITIES = ("import_ukwh", "export_ukwh", "reactive_uvarh", "capacitive_uvarh")


def within(data: Intervals, from_ms: int, until_ms: int) -> Intervals:
    """Return the intervals that begin in a span [epoch ms]."""
    return data.part(slice(*np.searchsorted(data.start_ms, (from_ms, until_ms))))


def of_members(members: Sequence[Membership], readings: Mapping[str, Intervals]) -> dict[str, Intervals]:
    """Return the readings of each meter while it is one of the members."""
    found: dict[str, list[Intervals]] = {}
    for member in members:
        data = readings.get(member.meter_id)
        if data is not None:
            found.setdefault(member.meter_id, []).append(within(data, member.from_ms, member.until_ms))
    return {meter: _joined(parts).sorted() for meter, parts in found.items()}


def supply_load(meters: Sequence[Intervals]) -> Intervals:
    """Return the sum of meters by interval. One meter is returned as it is.

    If the intervals of several meters differ in length, those that are multiples of the shortest are divided evenly,
    so that the demand of the supply is that of all its meters at one time.
    """
    meters = [data for data in meters if len(data.start_ms)]
    if len(meters) <= 1:
        return meters[0] if meters else _joined([])
    shortest = min(int(data.interval_ms.min()) for data in meters)
    joined = _joined([_divided(data, shortest) for data in meters])
    order = np.lexsort((joined.interval_ms, joined.start_ms))
    joined = joined.part(order)
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = (np.diff(joined.start_ms) != 0) | (np.diff(joined.interval_ms) != 0)
    first = np.flatnonzero(is_first)
    sums = (np.add.reduceat(getattr(joined, name), first) for name in _QUANTITIES)
    return Intervals(joined.start_ms[first], joined.interval_ms[first], *sums)


@dataclass(frozen=True)
class Slots:
    """The intervals by which a supply is shared, without overlaps, in order of time; arrays of shape (n,).

    `start_ms`, `end_ms` [epoch ms]. `energy`: import, export and reactive energy (in both directions) of the supply
    [1e-6 kWh or kvarh], shape (3, n).
    """

    start_ms: Array
    end_ms: Array
    energy: Array

    @staticmethod
    def of(load: Intervals, meters: Sequence[Intervals]) -> Slots:
        """Return the intervals of a load, and those of meters that measured when it was not."""
        starts, ends = _distinct(load.start_ms, load.end_ms)
        outside = []
        for data in meters:
            at = np.searchsorted(starts, data.start_ms, "right") - 1
            is_outside = (at < 0) | (data.start_ms >= ends[np.maximum(at, 0)]) if len(starts) else at < 0
            outside.append(np.stack([data.start_ms[is_outside], data.end_ms[is_outside]]))
        more = np.concatenate([np.empty((2, 0), dtype=np.int64), *outside], axis=1)
        starts, ends = _distinct(np.append(starts, more[0]), np.append(ends, more[1]))
        slots = Slots(starts, ends, np.zeros((3, len(starts)), dtype=np.int64))
        for quantity, values in enumerate(_billed(load)):
            np.add.at(slots.energy[quantity], slots.at(load.start_ms), values)
        return slots

    def at(self, instants_ms: Array) -> Array:
        """Return the index of the slot at each instant [epoch ms]."""
        return np.asarray(np.maximum(np.searchsorted(self.start_ms, instants_ms, "right") - 1, 0))

    def part(self, slots: slice) -> Slots:
        """Return some of the slots."""
        return Slots(self.start_ms[slots], self.end_ms[slots], self.energy[:, slots])

    def of_meter(self, data: Intervals) -> tuple[Array, Array]:
        """Return (energy of a meter in each slot, shape (3, n); whether it has readings in it, shape (n,)).

        A reading that extends over several slots is divided by time.
        """
        energy = np.zeros((3, len(self.start_ms)), dtype=np.int64)
        counts = np.zeros(len(self.start_ms), dtype=np.int64)
        if not len(data.start_ms) or not len(self.start_ms):
            return energy, counts
        first, last = self.at(data.start_ms), self.at(data.end_ms - 1)
        repeats = np.maximum(last - first, 0) + 1
        row = np.repeat(np.arange(len(first)), repeats)
        piece = np.arange(len(row)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        slot = first[row] + piece
        start, end = data.start_ms[row], data.end_ms[row]
        low = np.where(piece == 0, start, np.maximum(self.start_ms[slot], start))
        high = np.where(piece == repeats[row] - 1, end, self.start_ms[np.minimum(slot + 1, len(counts) - 1)])
        for quantity, values in enumerate(_billed(data)):
            np.add.at(
                energy[quantity], slot, _until(values[row], high, start, end) - _until(values[row], low, start, end)
            )
        np.add.at(counts, slot, 1)
        return energy, counts


def _billed(data: Intervals) -> tuple[Array, Array, Array]:
    return data.import_ukwh, data.export_ukwh, data.reactive_uvarh + data.capacitive_uvarh


def _until(values: Array, instant_ms: Array, start_ms: Array, end_ms: Array) -> Array:
    """Return the part of readings until an instant within them, by time, rounded down."""
    length, part = np.maximum(end_ms - start_ms, 1), instant_ms - start_ms
    return np.asarray(values // length * part + values % length * part // length)


def _distinct(start_ms: Array, end_ms: Array) -> tuple[Array, Array]:
    """Return (starts, ends) of intervals in order, one for each start, cut where the next one begins."""
    starts, index = np.unique(start_ms, return_inverse=True)
    ends = np.zeros(len(starts), dtype=np.int64)
    np.maximum.at(ends, index, end_ms)
    ends[:-1] = np.minimum(ends[:-1], starts[1:])
    return starts, ends


def _divided(data: Intervals, length_ms: int) -> Intervals:
    """Return the intervals with those that are multiples of a length divided into intervals of it."""
    pieces = np.where(data.interval_ms % length_ms == 0, data.interval_ms // length_ms, 1)
    if (pieces == 1).all():
        return data
    row = np.repeat(np.arange(len(pieces)), pieces)
    number = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    whole, interval = pieces[row], (data.interval_ms // pieces)[row]

    def divided(values: Array) -> Array:
        value = values[row]
        return np.asarray(value * (number + 1) // whole - value * number // whole)

    return Intervals(
        data.start_ms[row] + number * interval, interval, *(divided(getattr(data, name)) for name in _QUANTITIES)
    )


def _joined(parts: Sequence[Intervals]) -> Intervals:
    names = Intervals.__dataclass_fields__
    empty = np.empty(0, dtype=np.int64)
    return Intervals(*(np.concatenate([empty, *(getattr(part, name) for part in parts)]) for name in names))
