"""Readings as NumPy columns, and their conversion to sorted intervals of each meter without duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flink_job.billing.overlaps import without_replaced
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history import Intervals

QUANTITIES = ("import_ukwh", "export_ukwh", "reactive_uvarh", "capacitive_uvarh")


@dataclass(frozen=True)
class ReadingColumns:
    """Readings in any order, as arrays of shape (n,).

    `meter` contains indexes of `meters`. Quantities are in 1e-6 kWh or 1e-6 kvarh; -1 marks an absent quantity.
    `revision` is the highest revision of the quantities, None for 0.
    """

    meters: Sequence[str]
    meter: NDArray[np.int64]
    start_ms: NDArray[np.int64]
    interval_ms: NDArray[np.int64]
    quantities: dict[str, NDArray[np.int64]]
    revision: NDArray[np.int64] | None = None

    @staticmethod
    def concatenated(parts: Sequence[ReadingColumns]) -> ReadingColumns:
        """Concatenate the readings of several files; a meter may occur in more than one."""
        names = sorted({name for part in parts for name in part.meters})
        index = {name: i for i, name in enumerate(names)}
        codes = [np.array([index[name] for name in part.meters], dtype=np.int64)[part.meter] for part in parts]
        return ReadingColumns(
            names,
            np.concatenate(codes),
            np.concatenate([part.start_ms for part in parts]),
            np.concatenate([part.interval_ms for part in parts]),
            {name: np.concatenate([part.quantities[name] for part in parts]) for name in QUANTITIES},
            np.concatenate([part.revisions for part in parts]),
        )

    @property
    def revisions(self) -> NDArray[np.int64]:
        """Highest revision of each reading."""
        return np.zeros(len(self.meter), dtype=np.int64) if self.revision is None else self.revision

    def by_meter(self) -> tuple[dict[str, Intervals], int]:
        """Return (intervals by meter, number of duplicates).

        If records of an interval differ, the larger quantity counts, as in the stream. A reading within a longer one
        that has a higher revision is a duplicate. Raises OverlapError if it has not.
        """
        order = np.lexsort((self.start_ms, self.meter))
        meter, start = self.meter[order], self.start_ms[order]
        new = np.append(True, (meter[1:] != meter[:-1]) | (start[1:] != start[:-1]))[: len(order)]
        firsts = np.flatnonzero(new)
        if not len(firsts):
            return {}, 0
        quantities = {
            name: np.maximum(np.maximum.reduceat(values[order], firsts), 0) for name, values in self.quantities.items()
        }
        columns = [start[firsts], np.maximum.reduceat(self.interval_ms[order], firsts), *quantities.values()]
        bounds = np.flatnonzero(np.append(True, np.diff(meter[firsts]) != 0))
        ends = np.append(bounds[1:], len(firsts))
        revision = np.maximum.reduceat(self.revisions[order], firsts)
        found: dict[str, Intervals] = {}
        for a, b in zip(bounds, ends, strict=True):
            name = self.meters[int(meter[firsts][a])]
            found[name] = without_replaced(name, Intervals(*(column[a:b] for column in columns)), revision[a:b])
        replaced = len(firsts) - sum(len(data.start_ms) for data in found.values())
        return found, self._repeats(order, firsts) + replaced

    def _repeats(self, order: NDArray[np.int64], firsts: NDArray[np.int64]) -> int:
        """Return the number of records after the first of each interval and quantity."""
        present = [(values >= 0)[order].astype(np.int64) for values in self.quantities.values()]
        return sum(int(np.maximum(np.add.reduceat(one, firsts) - 1, 0).sum()) for one in present)


def signed(meters: Sequence[str], meter: Ints, start_ms: Ints, interval_s: Ints, ukwh: Ints) -> ReadingColumns:
    """Convert signed energy [1e-6 kWh] to columns of readings; negative energy is export."""
    absent = np.full(len(ukwh), -1, dtype=np.int64)
    return ReadingColumns(
        meters,
        meter,
        start_ms,
        interval_s * 1000,
        {
            "import_ukwh": np.where(ukwh >= 0, ukwh, -1),
            "export_ukwh": np.where(ukwh < 0, -ukwh, -1),
            "reactive_uvarh": absent,
            "capacitive_uvarh": absent,
        },
    )
