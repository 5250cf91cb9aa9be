"""A meter's readings to costs and bills, cycle by cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.calendar import Calendar, Timeline
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history.demand import demand_line, floor_ukw, measure, peak_ukw
from flink_job.tariffs.history.export import settle
from flink_job.tariffs.history.intervals import Intervals
from flink_job.tariffs.history.power import contracted_power, excess_line, power_charges
from flink_job.tariffs.history.reactive import reactive_line
from flink_job.tariffs.history.scene import Carry, Scene
from flink_job.tariffs.history.segments import InForce, Span, Terms, spans
from flink_job.tariffs.history.settle import accrued_fixed, minimum_line, rounded, tax_line
from flink_job.tariffs.prices import PriceSeries

LINES = ("energy", "demand", "fixed", "minimum", "export", "reactive", "tax")


class MissingSeriesError(LookupError):
    """A tariff with a dynamic price whose series is not given."""


@dataclass(frozen=True)
class Bill:
    """The bill of one segment: local days [start, end), amounts by line [1e-6 currency]."""

    tariff_id: str
    version: str
    cycle_start: date
    start: date
    end: date
    lines: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.lines.values())


@dataclass(frozen=True)
class History:
    """What each reading costs by line [1e-6 currency], shape (n,), in order of `intervals`; and the bills.

    The costs of a segment's readings add up to its bill. A segment without readings has a bill alone. `segment` is the
    index of a reading's bill, `period` that of its TOU period in `period_names`.
    """

    intervals: Intervals
    costs: Mapping[str, NDArray[np.int64]]
    segment: NDArray[np.int64]
    period: NDArray[np.int64]
    period_names: Sequence[str]
    bills: Sequence[Bill]


def rate_history(
    in_force: InForce, terms: Terms, data: Intervals, series: Mapping[str, PriceSeries] | None = None
) -> History:
    """Rate one meter's intervals (n >= 1) by what is in force on their local days.

    Raises CycleError, CalendarError, MissingSeriesError, PriceError or ContractedPowerError.
    """
    data = data.sorted()
    costs = {line: np.zeros(len(data.start_ms), dtype=np.int64) for line in LINES}
    segment = np.zeros(len(data.start_ms), dtype=np.int64)
    period = np.zeros(len(data.start_ms), dtype=np.int64)
    names: dict[str, int] = {}
    bills: list[Bill] = []
    carry = Carry()
    for span in spans(in_force, terms, int(data.start_ms[0]), int(data.start_ms[-1])):
        bounds = (span.segment.segment_start_ms, span.segment.segment_end_ms)
        rows = slice(*np.searchsorted(data.start_ms, bounds))
        scene = _scene(span, terms, data.part(rows), series or {})
        amounts = _rate_segment(scene, carry)
        for line, amount in amounts.items():
            costs[line][rows] = _shares(amount)
        segment[rows] = len(bills)
        period[rows] = np.array([names.setdefault(n, len(names)) for n in scene.tariff.periods])[scene.period]
        lines = {line: int(amount[-1]) for line, amount in amounts.items()}
        bills.append(
            Bill(span.tariff.tariff_id, span.tariff.version, span.segment.cycle_start, span.start, span.end, lines)
        )
    return History(data, costs, segment, period, list(names), bills)


def _rate_segment(scene: Scene, carry: Carry) -> dict[str, Ints]:
    """Running amounts by line, shape (n + 1,)."""
    tariff = scene.tariff
    peaks = measure(scene)
    floor = floor_ukw(scene, carry)
    highest = peak_ukw(scene, peaks)
    power = contracted_power(scene)
    settled = settle(scene, np.maximum(highest, floor), carry)
    demand = demand_line(scene, peaks, floor) + excess_line(scene, peaks, power)
    fixed = accrued_fixed(scene, (*tariff.fixed, *power_charges(scene, power)))
    minimum = minimum_line(scene, settled.energy + settled.credit + demand + fixed, carry)
    credit = settled.credit + settled.year_end
    within = tariff.export.within_energy
    lines = {
        "energy": settled.energy + credit if within else settled.energy,
        "demand": demand,
        "fixed": fixed,
        "minimum": minimum,
        "export": np.zeros_like(credit) if within else credit,
        "reactive": reactive_line(scene),
    }
    lines = {name: rounded(scene, amount) for name, amount in lines.items()}
    lines["tax"] = tax_line(scene, lines)
    if scene.span.closes:
        carry.peaks_ukw.append((scene.month, int(highest[-1])))
    return lines


def _scene(span: Span, terms: Terms, data: Intervals, series: Mapping[str, PriceSeries]) -> Scene:
    tariff = span.tariff
    if tariff.dynamic is not None and tariff.dynamic.series not in series:
        raise MissingSeriesError(
            f"tariff {tariff.tariff_id} needs the price series {tariff.dynamic.series!r}: "
            f"give it with --prices {tariff.dynamic.series}=FILE"
        )
    if tariff.demand.flat_by_month:
        tariff = replace(tariff, flat_demand=tariff.demand.flat_by_month[span.segment.cycle_start.month - 1])
    data = data.rounded(tariff.rounding)
    if tariff.export.rule in ("net_metering", "net_billing"):
        data = data.netted(tariff.export.netting)
    return Scene(span, tariff, terms, data, series, _timelines())


def _shares(running: Ints) -> Ints:
    """What each reading adds; the last one also what the close of the segment adds."""
    if len(running) == 1:
        return running[:0]
    shares = np.diff(running[:-1], prepend=0)
    shares[-1] += running[-1] - running[-2]
    return shares


@cache
def _timelines() -> Callable[[Calendar, ZoneInfo], Timeline]:
    """Timelines by calendar and zone: compiled once, for all meters."""
    known: dict[tuple[int, str], Timeline] = {}

    def timeline(calendar: Calendar, zone: ZoneInfo) -> Timeline:
        key = (id(calendar), zone.key)
        if key not in known:
            known[key] = Timeline(calendar, zone)
        return known[key]

    return timeline
