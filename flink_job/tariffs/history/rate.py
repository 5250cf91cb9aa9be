"""Rates the readings of a meter: costs of readings and bills, by billing segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from flink_job.errors import MeteringError
from flink_job.tariffs.bill_lines import LINES
from flink_job.tariffs.demand_charges import peak_ukw
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history.chains import Cut, SoFar, chains, whole
from flink_job.tariffs.history.demand import demand_line, highest_ukwh, measure
from flink_job.tariffs.history.divided import by_reading, with_parts
from flink_job.tariffs.history.export import Settled, settle
from flink_job.tariffs.history.floors import FLAT, Floor, floors_of
from flink_job.tariffs.history.intervals import Intervals
from flink_job.tariffs.history.low_use import at_low_use, low_use
from flink_job.tariffs.history.power import contracted_power, excess_line, power_line_charges
from flink_job.tariffs.history.reactive import reactive_line
from flink_job.tariffs.history.segment_context import CarryOver, SegmentContext
from flink_job.tariffs.history.segments import BillingSegment, BillingTerms, InForce, billing_segments
from flink_job.tariffs.history.settle import accrued_fixed, minimum_line, reduction, tax_line
from flink_job.tariffs.history.workings import Workings
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
    the index of the bill of each reading, `period` the index of its TOU period in `period_names`. `contexts` and
    `floors_ukw` are the readings of each bill, and what it bills of demand beside its own peaks, by demand period.
    """

    intervals: Intervals
    costs: Mapping[str, NDArray[np.int64]]
    segment: NDArray[np.int64]
    period: NDArray[np.int64]
    period_names: Sequence[str]
    bills: Sequence[Bill]
    contexts: Sequence[SegmentContext] = ()
    floors_ukw: Sequence[Mapping[str, Floor]] = ()


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
    contexts: list[SegmentContext] = []
    floors: list[Mapping[str, Floor]] = []
    for workings in rated_segments(in_force, terms, data, series):
        context, amounts = workings.context, workings.amounts
        rows = _rows(context.billing, data)
        for line, amount in amounts.items():
            costs[line][rows] = _shares(amount)
        segment[rows] = len(bills)
        period[rows] = np.array([names.setdefault(n, len(names)) for n in context.tariff.periods])[context.period]
        bills.append(bill_of(context.billing, amounts))
        contexts.append(context)
        floors.append(workings.floors)
    return History(data, costs, segment, period, list(names), bills, contexts, floors)


def rated_segments(
    in_force: InForce, terms: BillingTerms, data: Intervals, series: Mapping[str, PriceSeries] | None = None
) -> Iterator[Workings]:
    """Yield the workings of each billing segment, in order; input and errors are those of `rate_history`."""
    carry_over = CarryOver()
    for chain in chains(billing_segments(in_force, terms, int(data.start_ms[0]), int(data.start_ms[-1]))):
        yield from _rate_chain(chain, terms, data, series or {}, carry_over)


def bill_of(billing: BillingSegment, amounts: Mapping[str, Ints]) -> Bill:
    """Return the bill of a billing segment, given its running amounts."""
    lines = {line: int(amount[-1]) for line, amount in amounts.items()}
    tariff = billing.tariff
    return Bill(tariff.tariff_id, tariff.version, billing.segment.cycle_start, billing.start, billing.end, lines)


def _rows(billing: BillingSegment, data: Intervals) -> slice:
    bounds = (billing.segment.segment_start_ms, billing.segment.segment_end_ms)
    return slice(*np.searchsorted(data.start_ms, bounds))


def _rate_chain(
    chain: list[BillingSegment],
    terms: BillingTerms,
    data: Intervals,
    series: Mapping[str, PriceSeries],
    carry_over: CarryOver,
) -> Iterator[Workings]:
    """Yield the workings of the segments of a chain; updates `carry_over` after the last."""
    so_far = SoFar()
    for number, own in enumerate(chain):
        billing = whole(chain, number)
        context = _context(billing, terms, data.part(_rows(billing, data)), series, chain)
        is_last = number == len(chain) - 1
        carried = carry_over if is_last else carry_over.copy()
        part = context if len(chain) == 1 else _context(own, terms, context.data.part(_rows(own, context.data)), series)
        yield _rate_segment(context, part, Cut.of(chain, number, context), carried, so_far)
        carry_over.charged_in_year = carried.charged_in_year


def _rate_segment(
    chain: SegmentContext, context: SegmentContext, cut: Cut, carry_over: CarryOver, so_far: SoFar
) -> Workings:
    """Return the workings of a segment; updates `carry_over` and `so_far`. `chain` has the readings of its chain."""
    tariff, before = context.tariff, (carry_over.copy(), so_far.copy())
    peaks = measure(chain)
    highest = highest_ukwh(chain, peaks)
    power = contracted_power(chain)
    floors = floors_of(chain, carry_over, power)
    billed_ukw = floors[FLAT].billed_ukw(tariff, highest[FLAT])
    priced, settled = _settled(chain, billed_ukw, carry_over)
    charged, demand = settled.energy, demand_line(chain, peaks, highest, floors)
    if tariff.low_use is not None:
        low, other = low_use(chain, tariff.low_use, highest), at_low_use(chain)
        charged = np.where(low, _settled(other, billed_ukw, carry_over)[1].energy, charged)
        demand = np.where(low, demand_line(other, peaks, highest, floors), demand)
    energy, credit = cut.added(charged), cut.added(settled.credit)
    demand = cut.added(demand) if tariff.demand.daily else cut.by_days(demand)
    demand = demand + cut.added(excess_line(chain, peaks, power))
    reduced = reduction(context, {"energy": energy, "demand": demand}, so_far)
    if tariff.cap is not None:
        energy, demand = (energy - reduced, demand) if tariff.cap.charges[0] == "energy" else (energy, demand - reduced)
    fixed = accrued_fixed(context, (*tariff.fixed, *power_line_charges(context, power)))
    minimum = minimum_line(context, energy + credit + demand + fixed, carry_over, so_far)
    credit = credit + cut.added(settled.year_end)
    within = tariff.export.within_energy
    lines = {
        "energy": energy + credit if within else energy,
        "demand": demand,
        "fixed": fixed,
        "minimum": minimum,
        "export": np.zeros_like(credit) if within else credit,
        "reactive": cut.added(by_reading(chain, reactive_line(chain.of_periods))),
    }
    amounts = {name: so_far.round(name, amount, tariff.rounding) for name, amount in lines.items()}
    amounts["tax"] = tax_line(context, amounts, so_far, carry_over.energy_in_year)
    so_far.add(amounts)
    imported = int(chain.imported()[-1])
    carry_over.raise_peaks({name: int(peak_ukw(tariff, energy)[-1]) for name, energy in highest.items()})
    if cut.is_last:
        carry_over.energy_in_year = 0 if context.billing.closes_year else carry_over.energy_in_year + imported
    if context.billing.closes:
        carry_over.close_cycle(context.billing.segment.cycle_start)
    return Workings(
        chain, context, cut, *before, peaks, highest, floors, power, billed_ukw, priced, lines, amounts, reduced
    )


def _settled(chain: SegmentContext, billed_ukw: Ints, carry_over: CarryOver) -> tuple[Settled, Settled]:
    """Return the energy and export lines after each part of the readings in one TOU period, and after each reading."""
    if chain.divided is None:
        settled = settle(chain, billed_ukw, carry_over)
        return settled, settled
    by_part = settle(chain.divided.context, chain.divided.by_part(billed_ukw), carry_over)
    lines = (by_part.energy, by_part.credit, by_part.year_end)
    return by_part, Settled(*map(chain.divided.by_reading, lines))


def _context(
    billing: BillingSegment,
    terms: BillingTerms,
    data: Intervals,
    series: Mapping[str, PriceSeries],
    parts: Sequence[BillingSegment] = (),
) -> SegmentContext:
    tariff = billing.tariff
    if tariff.dynamic is not None and tariff.dynamic.series not in series:
        raise MissingSeriesError(
            f"tariff {tariff.tariff_id} requires the price series {tariff.dynamic.series!r}: "
            f"give it with --prices {tariff.dynamic.series}=FILE"
        )
    tariff = tariff.of_cycle(billing.segment.cycle_start.month)
    data = data.rounded(tariff.rounding)
    netted = data.netted() if tariff.is_netted else data
    context = SegmentContext(billing, tariff, terms, netted, netted.import_ukwh, series, parts)
    return with_parts(context, data)


def _shares(running: Ints) -> Ints:
    """Return the increase of a running amount by each reading; the last one includes the close of the segment."""
    if len(running) == 1:
        return running[:0]
    shares = np.diff(running[:-1], prepend=0)
    shares[-1] += running[-1] - running[-2]
    return shares
