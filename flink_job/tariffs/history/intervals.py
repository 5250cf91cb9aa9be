"""Interval data of one meter, in order of time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.exact import Ints, round_div
from flink_job.tariffs.model import Rounding

HOUR_MS = 3_600_000
_DECIMALS = 6


@dataclass(frozen=True)
class Intervals:
    """Arrays of shape (n,), sorted by `start_ms` (epoch ms, interval-beginning), one element an interval.

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
        """Intervals in any order, without reactive energy."""
        zeros = np.zeros(len(start_ms), dtype=np.int64)
        columns = (start_ms, interval_ms, import_ukwh, zeros if export_ukwh is None else export_ukwh, zeros, zeros)
        return Intervals(*columns).sorted()

    def sorted(self) -> Intervals:
        """In order of time."""
        if np.all(np.diff(self.start_ms) >= 0):
            return self
        return self.part(np.argsort(self.start_ms, kind="stable"))

    def part(self, rows: slice | Ints) -> Intervals:
        """Some of the intervals."""
        return Intervals(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @property
    def end_ms(self) -> NDArray[np.int64]:
        return np.asarray(self.start_ms + self.interval_ms)

    def netted(self, netting: str) -> Intervals:
        """Import and export deducted from each other within each interval, or each clock hour.

        Within an hour an interval holds what it changes: its energies may be negative, their sums are right.
        """
        net = self.import_ukwh - self.export_ukwh
        if netting == "interval":
            return replace(self, import_ukwh=np.maximum(net, 0), export_ukwh=np.maximum(-net, 0))
        first = starts_of(self.start_ms // HOUR_MS)
        so_far = running_within(net, first)
        before = np.where(first == np.arange(len(net)), 0, np.roll(so_far, 1))
        return replace(
            self,
            import_ukwh=np.maximum(so_far, 0) - np.maximum(before, 0),
            export_ukwh=np.maximum(-so_far, 0) - np.maximum(-before, 0),
        )

    def rounded(self, rule: Rounding) -> Intervals:
        """Energies rounded as the tariff asks."""
        unit = 10 ** (_DECIMALS - rule.energy_decimals)
        return replace(
            self,
            import_ukwh=round_to(self.import_ukwh, unit, rule.half_up),
            export_ukwh=round_to(self.export_ukwh, unit, rule.half_up),
        )


def round_to(values: Ints, unit: int, half_up: bool) -> Ints:
    """Values rounded to a multiple of `unit`, half to even or (half_up) away from zero."""
    if unit == 1:
        return values
    if half_up:
        return np.asarray(np.sign(values) * ((np.abs(values) * 2 + unit) // (2 * unit)) * unit)
    return np.asarray(round_div(values, unit) * unit)


def starts_of(keys: Ints) -> NDArray[np.int64]:
    """For each element of a sorted array, the index of the first that equals it."""
    new = np.ones(len(keys), dtype=bool)
    new[1:] = keys[1:] != keys[:-1]
    return np.asarray(np.maximum.accumulate(np.where(new, np.arange(len(keys)), 0)), dtype=np.int64)


def running_within(values: Ints, first: NDArray[np.int64]) -> Ints:
    """Running totals that begin anew at each group; `first` as from `starts_of`."""
    if not len(values):
        return values
    totals = np.cumsum(values)
    return np.asarray(totals - (totals - values)[first])


def with_close(values: Ints) -> Ints:
    """Running values, and the last once more: what holds when the cycle closes (0 where there is no interval)."""
    return np.append(values, values[-1] if len(values) else 0)
