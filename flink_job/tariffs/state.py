"""The state of a bill and the amounts made of it, as arrays with an element for each reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.exact import Ints, total


class State(NamedTuple):
    """Accumulators of a cycle segment, arrays of shape (n,).

    `imported_ukwh[p]`, `exported_ukwh[p]`: energy in TOU period p [1e-6 kWh]. `peak_ukwh[s]`: energy of the demand
    interval with the highest demand [1e-6 kWh]; slot 0 over all hours, slot s over demand period s.
    """

    imported_ukwh: tuple[Ints, ...]
    exported_ukwh: tuple[Ints, ...]
    peak_ukwh: tuple[Ints, ...]


class Charges(NamedTuple):
    """Amounts by kind [1e-6 currency]; `export` is a credit, so zero or negative where prices are positive."""

    energy: Ints
    demand: Ints
    fixed: Ints
    export: Ints
    tax: Ints

    @property
    def cost(self) -> Ints:
        return total([self.energy, self.demand, self.fixed, self.export, self.tax])


@dataclass(frozen=True)
class Basis:
    """The cycle segment of each reading, arrays of shape (n,): days, and the cycle's bounds in epoch ms."""

    segment_days: NDArray[np.int64]
    cycle_days: NDArray[np.int64]
    cycle_start_ms: NDArray[np.int64]
    cycle_end_ms: NDArray[np.int64]
    year_days: NDArray[np.int64]

    @staticmethod
    def of(segments: list[Segment], index: NDArray[np.int64]) -> Basis:
        """The basis of readings whose segment is `segments[index]`."""

        def column(values: list[int]) -> NDArray[np.int64]:
            return np.array(values, dtype=np.int64)[index]

        return Basis(
            column([s.segment_days for s in segments]),
            column([s.cycle_days for s in segments]),
            column([s.cycle_start_ms for s in segments]),
            column([s.cycle_end_ms for s in segments]),
            column([days_of_year(s.cycle_start) for s in segments]),
        )


def days_of_year(day: date) -> int:
    return (date(day.year + 1, 1, 1) - date(day.year, 1, 1)).days
