"""Billing cycles with several versions of a tariff: a version continues the tiers, peaks and minimum of earlier ones.

A version charges what its readings add to the bill of the whole cycle, B(end) - B(start) under its own prices, so
cutting a version in two equal ones changes no line. Demand is charged by days instead: the cycle's peak at the prices
of each version, in proportion to its days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from flink_job.tariffs.exact import Ints, round_div, times
from flink_job.tariffs.history.segment_context import SegmentContext
from flink_job.tariffs.history.segments import BillingSegment
from flink_job.tariffs.model import Rounding, Tariff
from flink_job.tariffs.taxes import rounded


def chains(segments: Iterable[BillingSegment]) -> Iterator[list[BillingSegment]]:
    """Yield the consecutive segments of a billing cycle whose versions continue each other."""
    chain: list[BillingSegment] = []
    for segment in segments:
        if chain and not _continues(chain[-1], segment):
            yield chain
            chain = []
        chain.append(segment)
    if chain:
        yield chain


def _continues(before: BillingSegment, after: BillingSegment) -> bool:
    """Return True if tiers and peaks carry over: in one cycle, between versions of a tariff with equal TOU periods."""
    return (
        not before.closes
        and before.end == after.start
        and before.segment.cycle_start == after.segment.cycle_start
        and before.tariff.tariff_id == after.tariff.tariff_id
        and _period_names(before.tariff) == _period_names(after.tariff)
    )


def _period_names(tariff: Tariff) -> tuple[frozenset[str], ...]:
    contracted = tariff.contracted.calendar if tariff.contracted is not None else None
    calendars = (tariff.calendar, tariff.demand.calendar or tariff.calendar, contracted or tariff.calendar)
    return tuple(frozenset(calendar.periods) for calendar in calendars)


def whole(chain: list[BillingSegment], number: int) -> BillingSegment:
    """Return one segment with the days of a chain, priced by the version of its segment `number`."""
    first, last, own = chain[0], chain[-1], chain[number]
    if len(chain) == 1:
        return own
    days = sum(part.segment.segment_days for part in chain)
    segment = own.segment._replace(
        segment_days=days,
        segment_start_ms=first.segment.segment_start_ms,
        segment_end_ms=last.segment.segment_end_ms,
    )
    return replace(last, segment=segment, tariff=own.tariff, contracted_u=own.contracted_u, start=first.start)


@dataclass
class SoFar:
    """Amounts of the earlier versions of a cycle [1e-6 currency]: lines before and after rounding, and bases of taxes.

    `minimum`: (accrued minimum, charges that count towards it). `taxed`: (base, energy) by number of the tax.
    `capped`: (charges under a cap, their energy [1e-6 kWh], reduction).
    """

    lines: dict[str, int] = field(default_factory=dict)
    rounded: dict[str, int] = field(default_factory=dict)
    minimum: tuple[int, int] = (0, 0)
    taxed: dict[int, tuple[int, int]] = field(default_factory=dict)
    capped: tuple[int, int, int] = (0, 0, 0)

    def copy(self) -> SoFar:
        """Return a copy."""
        return SoFar(dict(self.lines), dict(self.rounded), self.minimum, dict(self.taxed), self.capped)

    def round(self, name: str, amount: Ints, rule: Rounding) -> Ints:
        """Round a line of the whole cycle by the rule of the tariff, and return what the segment adds to it."""
        before = np.array([self.lines.get(name, 0)])
        self.lines[name] = int(before[0] + amount[-1])
        return np.asarray(rounded(before + amount, rule) - rounded(before, rule))

    def add(self, amounts: Mapping[str, Ints]) -> None:
        """Add the lines of a segment, which later segments continue."""
        for name, amount in amounts.items():
            self.rounded[name] = self.rounded.get(name, 0) + int(amount[-1])


@dataclass(frozen=True)
class Cut:
    """The part of a chain that one of its segments is: cuts the segment's amounts out of those of the whole chain.

    `rows`: the readings of the segment, of all readings of the chain. `days`: days of the chain until the start and
    until the end of the segment.
    """

    rows: slice
    is_last: bool
    days: tuple[int, int]
    chain_days: int

    @staticmethod
    def of(chain: list[BillingSegment], number: int, context: SegmentContext) -> Cut:
        """Return the cut of a segment; `context` has the readings of the chain."""
        segment = chain[number].segment
        start = np.searchsorted(context.data.start_ms, (segment.segment_start_ms, segment.segment_end_ms))
        before = sum(part.segment.segment_days for part in chain[:number])
        total = sum(part.segment.segment_days for part in chain)
        is_last = number == len(chain) - 1
        days = (before, before + segment.segment_days)
        return Cut(slice(int(start[0]), int(start[1])), is_last, days, total)

    def added(self, running: Ints) -> Ints:
        """Return what the readings of the segment add to a running amount of the chain, shape (rows + 1,)."""
        opening = running[self.rows.start - 1] if self.rows.start else 0
        return np.asarray(self._part(running, running[self.rows.stop - 1] if self.rows.stop else 0) - opening)

    def by_days(self, running: Ints) -> Ints:
        """Return the segment's share of a running amount of the chain, in proportion to its days; shape (rows + 1,)."""
        if self.days == (0, self.chain_days):
            return running
        own = self._part(running, running[-1])
        own[-1] = running[-1]
        until_end, until_start = (round_div(times(own, days), self.chain_days) for days in reversed(self.days))
        return np.asarray(until_end - until_start)

    def _part(self, running: Ints, close: int) -> Ints:
        """Return the running amounts of the segment's readings, and the amount at its close."""
        return np.append(running[self.rows], running[-1] if self.is_last else close)
