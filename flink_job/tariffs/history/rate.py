"""Rates the readings of a meter: costs of readings and bills, by billing segment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

import numpy as np
from numpy.typing import NDArray

from flink_job.errors import MeteringError
from flink_job.metering.zones import Zone
from flink_job.tariffs.bill_lines import LINES
from flink_job.tariffs.calendar import Calendar, Timeline
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history.demand import demand_line, floor_ukw, measure, peak_ukw
from flink_job.tariffs.history.export import settle
from flink_job.tariffs.history.intervals import Intervals
from flink_job.tariffs.history.power import contracted_power, excess_line, power_charges
from flink_job.tariffs.history.reactive import reactive_line
from flink_job.tariffs.history.segment_context import CarryOver, SegmentContext
from flink_job.tariffs.history.segments import BillingSegment, BillingTerms, InForce, billing_segments
from flink_job.tariffs.history.settle import accrued_fixed, minimum_line, rounded, tax_line
from flink_job.tariffs.prices import PriceSeries


class MissingSeriesError(MeteringError, LookupError):
    """A tariff with a dynamic price whose price series is missing."""


@dataclass(frozen=True)
class Bill:
    """The bill of a billing segment: local days [start, end), amounts by line [1e-6 currency]."""

    tariff_id: str
    version: str
    cycle_start: date
    start: date
    end: date
    lines: Mapping[str, int]

    @property
    def total(self) -> int:
        """Sum of all lines [1e-6 currency]."""
        return sum(self.lines.values())


@dataclass(frozen=True)
class History:
    """The costs of readings by line [1e-6 currency], shape (n,), in order of `intervals`; and the bills.

    The costs of the readings of a segment add up to its bill; a segment without readings has only a bill. `segment` is
    the index of the bill of each reading, `period` the index of its TOU period in `period_names`.
    """

    intervals: Intervals
    costs: Mapping[str, NDArray[np.int64]]
    segment: NDArray[np.int64]
    period: NDArray[np.int64]
    period_names: Sequence[str]
    bills: Sequence[Bill]


def rate_history(
    in_force: InForce, terms: BillingTerms, data: Intervals, series: Mapping[str, PriceSeries] | None = None
) -> History:
    """Rate the intervals (n >= 1) of a meter by the tariff in force on their local days.

    Raises CycleError, CalendarError, MissingSeriesError, PriceError or ContractedPowerError.
    """
    data = data.sorted()
    costs = {line: np.zeros(len(data.start_ms), dtype=np.int64) for line in LINES}
    segment = np.zeros(len(data.start_ms), dtype=np.int64)
    period = np.zeros(len(data.start_ms), dtype=np.int64)
    names: dict[str, int] = {}
    bills: list[Bill] = []
    carry_over = CarryOver()
    for billing in billing_segments(in_force, terms, int(data.start_ms[0]), int(data.start_ms[-1])):
        bounds = (billing.segment.segment_start_ms, billing.segment.segment_end_ms)
        rows = slice(*np.searchsorted(data.start_ms, bounds))
        context = _context(billing, terms, data.part(rows), series or {})
        amounts = _rate_segment(context, carry_over)
        for line, amount in amounts.items():
            costs[line][rows] = _shares(amount)
        segment[rows] = len(bills)
        period[rows] = np.array([names.setdefault(n, len(names)) for n in context.tariff.periods])[context.period]
        lines = {line: int(amount[-1]) for line, amount in amounts.items()}
        bills.append(
            Bill(
                billing.tariff.tariff_id,
                billing.tariff.version,
                billing.segment.cycle_start,
                billing.start,
                billing.end,
                lines,
            )
        )
    return History(data, costs, segment, period, list(names), bills)


def _rate_segment(context: SegmentContext, carry_over: CarryOver) -> dict[str, Ints]:
    """Return the running amounts of each line, shape (n + 1,)."""
    tariff = context.tariff
    peaks = measure(context)
    floor = floor_ukw(context, carry_over)
    highest = peak_ukw(context, peaks)
    power = contracted_power(context)
    settled = settle(context, np.maximum(highest, floor), carry_over)
    demand = demand_line(context, peaks, floor) + excess_line(context, peaks, power)
    fixed = accrued_fixed(context, (*tariff.fixed, *power_charges(context, power)))
    minimum = minimum_line(context, settled.energy + settled.credit + demand + fixed, carry_over)
    credit = settled.credit + settled.year_end
    within = tariff.export.within_energy
    lines = {
        "energy": settled.energy + credit if within else settled.energy,
        "demand": demand,
        "fixed": fixed,
        "minimum": minimum,
        "export": np.zeros_like(credit) if within else credit,
        "reactive": reactive_line(context),
    }
    lines = {name: rounded(context, amount) for name, amount in lines.items()}
    lines["tax"] = tax_line(context, lines)
    if context.billing.closes:
        carry_over.peaks_ukw.append((context.month, int(highest[-1])))
    return lines


def _context(
    billing: BillingSegment, terms: BillingTerms, data: Intervals, series: Mapping[str, PriceSeries]
) -> SegmentContext:
    tariff = billing.tariff
    if tariff.dynamic is not None and tariff.dynamic.series not in series:
        raise MissingSeriesError(
            f"tariff {tariff.tariff_id} requires the price series {tariff.dynamic.series!r}: "
            f"give it with --prices {tariff.dynamic.series}=FILE"
        )
    if tariff.demand.flat_by_month:
        tariff = replace(tariff, flat_demand=tariff.demand.flat_by_month[billing.segment.cycle_start.month - 1])
    data = data.rounded(tariff.rounding)
    if tariff.export.rule in ("net_metering", "net_billing"):
        data = data.netted(tariff.export.netting)
    return SegmentContext(billing, tariff, terms, data, series, _timelines())


def _shares(running: Ints) -> Ints:
    """Return the increase of a running amount by each reading; the last one includes the close of the segment."""
    if len(running) == 1:
        return running[:0]
    shares = np.diff(running[:-1], prepend=0)
    shares[-1] += running[-1] - running[-2]
    return shares


@cache
def _timelines() -> Callable[[Calendar, Zone], Timeline]:
    """Return a function that compiles the timeline of a calendar and zone once, for all meters."""
    known: dict[tuple[int, str], Timeline] = {}

    def timeline(calendar: Calendar, zone: Zone) -> Timeline:
        key = (id(calendar), zone.key)
        if key not in known:
            known[key] = Timeline(calendar, zone)
        return known[key]

    return timeline
