"""Accumulated state of bills and the amounts computed from it, as arrays with one element per reading."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.exact import Ints, total
from flink_job.tariffs.model import Tariff

_NO_TIME = np.zeros(1, dtype=np.int64)


class State(NamedTuple):
    """Accumulators of a billing segment, arrays of shape (n,).

    `imported_ukwh[p]`, `exported_ukwh[p]`: energy in TOU period p [1e-6 kWh]. `peak_ukwh[s]`: energy of the demand
    interval with the highest demand [1e-6 kWh], or the sum of the highest ones of several days; slot 0 for all hours,
    slot s for demand period s. `time_ms`: time with readings.

    Only of tariffs that need them: `reactive_uvarh[p]`, `capacitive_uvarh[p]`, reactive energy in and out [1e-6 kvarh];
    `month_ukwh[m]`, imported energy by month of the year [1e-6 kWh]; `block_ukwh`, sums over days of the part of the
    day's peak in each tier of each demand slot [1e-6 kWh]; `excess`, of demand above the contracted power, by period
    (see flink_job.tariffs.plan); `dynamic`, the charge at dynamic prices, as quotient and remainder of 1e9 of 1e-15
    currency, and the energy whose price was not known [1e-6 kWh]; `above_uvarh[p]`, reactive energy above the
    free share of its interval [1e-6 kvarh]; `day_tier_ukwh`, sums over days of the imported energy of each TOU period
    in each of its tiers [1e-6 kWh].
    """

    imported_ukwh: tuple[Ints, ...]
    exported_ukwh: tuple[Ints, ...]
    peak_ukwh: tuple[Ints, ...]
    time_ms: Ints = _NO_TIME
    reactive_uvarh: tuple[Ints, ...] = ()
    capacitive_uvarh: tuple[Ints, ...] = ()
    month_ukwh: tuple[Ints, ...] = ()
    block_ukwh: tuple[Ints, ...] = ()
    excess: tuple[Ints, ...] = ()
    dynamic: tuple[Ints, ...] = ()
    above_uvarh: tuple[Ints, ...] = ()
    day_tier_ukwh: tuple[Ints, ...] = ()

    def at(self, index: int) -> State:
        """Return the accumulators of one element, shape (1,); `time_ms` is unchanged."""
        sums = {name: tuple(a[index : index + 1] for a in p) for name, p in self._asdict().items() if type(p) is tuple}
        return self._replace(**sums)  # type: ignore[arg-type]


def nothing(state: State) -> State:
    """Return the state of a bill without readings, of the shape of another one."""
    sums = {n: tuple(map(np.zeros_like, p)) for n, p in state._asdict().items() if isinstance(p, tuple)}
    return state._replace(time_ms=np.zeros_like(state.time_ms), **sums)


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


class YearTurn(NamedTuple):
    """The turns of the year of cycles that are in years of different lengths, arrays of shape (n,).

    `is_over`: True for such a cycle; the others are undefined. `at_ms`: turn of the year [epoch ms]. `days_before`,
    `days_after`: days of the cycle in each year. `year_days`: days of the second year.
    """

    is_over: NDArray[np.bool_]
    at_ms: NDArray[np.int64]
    days_before: NDArray[np.int64]
    days_after: NDArray[np.int64]
    year_days: NDArray[np.int64]

    @staticmethod
    def of(segments: list[Segment], index: NDArray[np.int64]) -> YearTurn | None:
        """Return the turns of the segments `segments[index]`; None if no cycle is over one that matters."""
        rows = [_turn(segment) for segment in segments]
        if not any(row[0] for row in rows):
            return None
        over, *columns = (np.array(column, dtype=np.int64)[index] for column in zip(*rows, strict=True))
        return YearTurn(over.astype(bool), *columns)


def _turn(segment: Segment) -> tuple[int, int, int, int, int]:
    """Return the values of YearTurn; the clock at the turn of the year is that of the start of the cycle."""
    start = segment.cycle_start
    last = start + timedelta(days=segment.cycle_days - 1)
    turn = date(last.year, 1, 1)
    if days_of_year(start) == days_of_year(last) or last.year != start.year + 1:
        return 0, segment.cycle_end_ms, segment.cycle_days, 1, 365
    before = (turn - start).days
    return 1, local_midnight_ms(turn, segment.utc_offset), before, segment.cycle_days - before, days_of_year(last)


@dataclass(frozen=True)
class Basis:
    """The billing segment of each reading, arrays of shape (n,): days, and bounds of cycle and segment [epoch ms].

    `power_u`: contracted power by period [1e-6 kW]. `group_days`: days of the segment in the seasons of each group of
    periods that fill tiers together, if there are several groups. `turn`: of cycles over the turn into or out of a leap
    year, if there are any.
    """

    segment_days: NDArray[np.int64]
    cycle_days: NDArray[np.int64]
    cycle_start_ms: NDArray[np.int64]
    cycle_end_ms: NDArray[np.int64]
    year_days: NDArray[np.int64]
    segment_start_ms: NDArray[np.int64]
    segment_end_ms: NDArray[np.int64]
    power_u: tuple[NDArray[np.int64], ...] = ()
    group_days: tuple[NDArray[np.int64], ...] = ()
    turn: YearTurn | None = None

    @staticmethod
    def of(segments: list[Segment], index: NDArray[np.int64], tariff: Tariff | None = None) -> Basis:
        """Return the basis of readings with segments `segments[index]`, all of one tariff."""

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
            *_of_tariff(segments, index, tariff),
            YearTurn.of(segments, index),
        )

    def of_group(self, group: int) -> Basis:
        """Return the basis of a group of periods that fill tiers together."""
        return replace(self, segment_days=self.group_days[group]) if self.group_days else self


def _of_tariff(
    segments: list[Segment], index: NDArray[np.int64], tariff: Tariff | None
) -> tuple[tuple[NDArray[np.int64], ...], tuple[NDArray[np.int64], ...]]:
    """Return `power_u` and `group_days`."""
    if tariff is None or not (tariff.contracted or tariff.has_shared_seasons):
        return (), ()
    used = np.unique(index)
    columns: list[dict[int, tuple[int, ...]]] = [{}, {}]
    for number in used.tolist():
        segment = segments[number]
        columns[0][number] = segment.power_u if tariff.contracted else ()
        columns[1][number] = season_days(tariff, segment) if tariff.has_shared_seasons else ()
    at = np.searchsorted(used, index)
    power, days = (
        tuple(np.array(c, dtype=np.int64)[at] for c in zip(*column.values(), strict=True)) for column in columns
    )
    return power, days


def season_days(tariff: Tariff, segment: Segment) -> tuple[int, ...]:
    """Return the days of a segment in the seasons of each group of periods that fill tiers together."""
    days = [tariff.calendar.periods_of_season(segment.start + timedelta(days=n)) for n in range(segment.segment_days)]
    return tuple(sum(not periods.isdisjoint(group) for periods in days) for group in tariff.tier_groups())


def days_of_year(day: date) -> int:
    """Return the number of days in the year of a day."""
    return (date(day.year + 1, 1, 1) - date(day.year, 1, 1)).days
