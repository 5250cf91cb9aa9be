"""Interval data of one meter, sorted by time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.exact import Ints, round_to
from flink_job.tariffs.model import Rounding

HOUR_MS = 3_600_000
_DECIMALS = 6


@dataclass(frozen=True)
class Intervals:
    """Arrays of shape (n,) with one element per interval, sorted by `start_ms` (start of the interval, epoch ms).

    Energies in 1e-6 kWh, reactive energies in 1e-6 kvarh: `reactive_uvarh` inductive, `capacitive_uvarh` capacitive.
    """

    start_ms: NDArray[np.int64]
    interval_ms: NDArray[np.int64]
    import_ukwh: NDArray[np.int64]
    export_ukwh: NDArray[np.int64]
    reactive_uvarh: NDArray[np.int64]
    capacitive_uvarh: NDArray[np.int64]

    @staticmethod
    def of(start_ms: Ints, interval_ms: Ints, import_ukwh: Ints, export_ukwh: Ints | None = None) -> Intervals:
        """Create intervals without reactive energy from arrays in any order."""
        zeros = np.zeros(len(start_ms), dtype=np.int64)
        columns = (start_ms, interval_ms, import_ukwh, zeros if export_ukwh is None else export_ukwh, zeros, zeros)
        return Intervals(*columns).sorted()

    def sorted(self) -> Intervals:
        """Return the intervals sorted by time."""
        if np.all(np.diff(self.start_ms) >= 0):
            return self
        return self.part(np.argsort(self.start_ms, kind="stable"))

    def part(self, rows: slice | Ints) -> Intervals:
        """Return the intervals of some rows."""
        return Intervals(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @property
    def end_ms(self) -> NDArray[np.int64]:
        """End of each interval [epoch ms]."""
        return np.asarray(self.start_ms + self.interval_ms)

    def netted(self) -> Intervals:
        """Return the intervals with import and export netted within each interval."""
        net = self.import_ukwh - self.export_ukwh
        return replace(self, import_ukwh=np.maximum(net, 0), export_ukwh=np.maximum(-net, 0))

    def netted_by_hour(self, period: NDArray[np.int64]) -> Intervals:
        """Return the intervals with import and export netted within each clock hour and TOU period.

        The energies of an interval are its changes of the hour's net: they may be negative, but their sums are exact.
        """
        hour = self.start_ms // HOUR_MS * HOUR_MS + period
        so_far = running_by(hour, self.import_ukwh - self.export_ukwh)
        before = previous_by(hour, so_far)
        return replace(
            self,
            import_ukwh=np.maximum(so_far, 0) - np.maximum(before, 0),
            export_ukwh=np.maximum(-so_far, 0) - np.maximum(-before, 0),
        )

    def rounded(self, rule: Rounding) -> Intervals:
        """Return the intervals with energies rounded by the rule of the tariff."""
        unit = 10 ** (_DECIMALS - rule.energy_decimals)
        return replace(
            self,
            import_ukwh=round_to(self.import_ukwh, unit, rule.half_up),
            export_ukwh=round_to(self.export_ukwh, unit, rule.half_up),
        )


def share(energy: Ints, part_ms: Ints, interval_ms: Ints) -> Ints:
    """Return energy x part / interval, rounded down, without a product that could exceed 64 bits."""
    return np.asarray(energy // interval_ms * part_ms + energy % interval_ms * part_ms // interval_ms)


def starts_of(keys: Ints) -> NDArray[np.int64]:
    """Return, for each element of a sorted array, the index of the first equal element."""
    new = np.ones(len(keys), dtype=bool)
    new[1:] = keys[1:] != keys[:-1]
    return np.asarray(np.maximum.accumulate(np.where(new, np.arange(len(keys)), 0)), dtype=np.int64)


def running_within(values: Ints, first: NDArray[np.int64]) -> Ints:
    """Return running totals that restart with each group; `first` is the result of `starts_of`."""
    if not len(values):
        return values
    totals = np.cumsum(values)
    return np.asarray(totals - (totals - values)[first])


def running_by(keys: Ints, values: Ints) -> Ints:
    """Return running totals by key; keys that are not sorted belong to overlapping readings."""
    order, first = _grouped(keys)
    totals = np.empty_like(values)
    totals[order] = running_within(values[order], first)
    return totals


def highest_by(keys: Ints, values: Ints) -> Ints:
    """Return running maxima by key, of at least one value."""
    order, first = _grouped(keys)
    highest = np.empty_like(values)
    parts = np.split(values[order], np.unique(first)[1:])
    highest[order] = np.concatenate([np.maximum.accumulate(part) for part in parts])
    return highest


def previous_by(keys: Ints, values: Ints) -> Ints:
    """Return for each value the previous one with the same key, 0 if there is none."""
    order, first = _grouped(keys)
    previous = np.empty_like(values)
    previous[order] = np.where(first == np.arange(len(first)), 0, np.roll(values[order], 1))
    return previous


def _grouped(keys: Ints) -> tuple[Any, NDArray[np.int64]]:
    """Return (index that sorts the keys, keeping the order within a key; `starts_of` the sorted keys)."""
    if np.all(np.diff(keys) >= 0):
        return slice(None), starts_of(keys)
    order = np.argsort(keys, kind="stable")
    return order, starts_of(keys[order])


def with_close(values: Ints) -> Ints:
    """Append the value at the close of the segment: the last running value, 0 without intervals."""
    return np.append(values, values[-1] if len(values) else 0)
