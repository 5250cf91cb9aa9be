"""The intermediate values of which the lines of a billing segment are made, for explanations of costs and bills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history.chains import Cut, SoFar
from flink_job.tariffs.history.demand import Peaks
from flink_job.tariffs.history.export import Settled
from flink_job.tariffs.history.floors import Floor
from flink_job.tariffs.history.low_use import at_low_use, low_use
from flink_job.tariffs.history.segment_context import CarryOver, SegmentContext


@dataclass(frozen=True)
class Workings:
    """The workings of a billing segment.

    `chain` has the readings of the whole chain of segments, `context` those of the segment, which `cut` cuts out.
    `carry_over` and `so_far` are as they were before the segment. Arrays of `highest` and `billed_ukw` have the shape
    of the chain, (n + 1,), those of `settled` that of its readings by TOU period, if some are divided. `lines` and
    `amounts` have the shape of the segment: running lines [1e-6 currency] before and after rounding, the latter with
    taxes. `reduced`: running reduction by a cap.
    """

    chain: SegmentContext
    context: SegmentContext
    cut: Cut
    carry_over: CarryOver
    so_far: SoFar
    peaks: Peaks
    highest: Mapping[str, Ints]
    floors: Mapping[str, Floor]
    power: Mapping[str, int]
    billed_ukw: Ints
    settled: Settled
    lines: Mapping[str, Ints]
    amounts: Mapping[str, Ints]
    reduced: Ints

    def at_prices_of(self, at: int) -> Workings:
        """Return the workings with the prices that hold after reading `at` of the chain."""
        rule = self.chain.tariff.low_use
        if rule is None or not low_use(self.chain, rule, self.highest)[at]:
            return self
        return replace(self, chain=at_low_use(self.chain))

    def by_part(self, at: int) -> tuple[Workings, int]:
        """Return the workings with the parts of readings by TOU period as readings, and the index for reading `at`."""
        divided = self.chain.divided
        if divided is None:
            return self, at
        index = int(divided.last[at]) if at < len(divided.last) else len(divided.context.data.start_ms)
        return replace(self, chain=divided.context, billed_ukw=divided.by_part(self.billed_ukw)), index
