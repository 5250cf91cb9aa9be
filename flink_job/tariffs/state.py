"""Accumulated state of bills and the amounts computed from it, as arrays with one element per reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.exact import Ints, total

_NO_TIME = np.zeros(1, dtype=np.int64)


class State(NamedTuple):
    """Accumulators of a billing segment, arrays of shape (n,).

    `imported_ukwh[p]`, `exported_ukwh[p]`: energy in TOU period p [1e-6 kWh]. `peak_ukwh[s]`: energy of the demand
    interval with the highest demand [1e-6 kWh]; slot 0 for all hours, slot s for demand period s. `time_ms`: time with
    readings. Only of tariffs that need them: `reactive_uvarh[p]`, `capacitive_uvarh[p]`, reactive energy in and out
    [1e-6 kvarh], and `month_ukwh[m]`, imported energy by month of the year [1e-6 kWh].
    """

    imported_ukwh: tuple[Ints, ...]
    exported_ukwh: tuple[Ints, ...]
    peak_ukwh: tuple[Ints, ...]
    time_ms: Ints = _NO_TIME
    reactive_uvarh: tuple[Ints, ...] = ()
    capacitive_uvarh: tuple[Ints, ...] = ()
    month_ukwh: tuple[Ints, ...] = ()


class Charges(NamedTuple):
    """Amounts of the lines that the stream computes [1e-6 currency]; `export` is a (negative) credit."""

    energy: Ints
    demand: Ints
    fixed: Ints
    minimum: Ints
    export: Ints
    reactive: Ints
    tax: Ints

    @property
    def cost(self) -> Ints:
        """Sum of all lines."""
        return total(list(self))


#: Names of the lines, in the order of Charges.
STREAM_LINES = Charges._fields


@dataclass(frozen=True)
class Basis:
    """The billing segment of each reading, arrays of shape (n,): days, and bounds of cycle and segment [epoch ms]."""

    segment_days: NDArray[np.int64]
    cycle_days: NDArray[np.int64]
    cycle_start_ms: NDArray[np.int64]
    cycle_end_ms: NDArray[np.int64]
    year_days: NDArray[np.int64]
    segment_start_ms: NDArray[np.int64]
    segment_end_ms: NDArray[np.int64]

    @staticmethod
    def of(segments: list[Segment], index: NDArray[np.int64]) -> Basis:
        """Return the basis of readings with segments `segments[index]`."""

        def column(values: list[int]) -> NDArray[np.int64]:
            return np.array(values, dtype=np.int64)[index]

        return Basis(
            column([s.segment_days for s in segments]),
            column([s.cycle_days for s in segments]),
            column([s.cycle_start_ms for s in segments]),
            column([s.cycle_end_ms for s in segments]),
            column([days_of_year(s.cycle_start) for s in segments]),
            column([s.segment_start_ms for s in segments]),
            column([s.segment_end_ms for s in segments]),
        )


def days_of_year(day: date) -> int:
    """Return the number of days in the year of a day."""
    return (date(day.year + 1, 1, 1) - date(day.year, 1, 1)).days
