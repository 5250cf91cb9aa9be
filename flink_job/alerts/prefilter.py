"""The prefilter before the machines: lets through only what may matter to them, so that nothing happening costs nothing.

A sample passes when it breaches (or lies between limit and clear_at) for some rule, or comes soon enough after one that
did: until the entity has been seen quiet, in event time and without gaps, for as long as its rules remember. Samples
that overtook an older breach go along with it. The machines' outcome is the same as if everything passed.

A prefilter lives in the memory of a worker, not in Flink's state. After a start it does not know what came before: it then
offers the samples of its first while as `uncertain`, for an operator with state to drop where the entity was quiet
(flink_job/dataflow/sql/alerts/alert_samples.sql): `hot` tells that operator when an entity begins and ends to matter.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import NamedTuple

from flink_job.alerts.state_machine import is_quiet
from flink_job.alerts.rates import Rates
from flink_job.alerts.rules import CLOCK_TOLERANCE_MS, Entity, Rule
from flink_job.alerts.samples import Batch, Sample, encode_batch
from flink_job.metering.units import MEASURED_CHANNELS

#: Quiet samples that a prefilter remembers, for breaches that come later but are older.
REMEMBERED = 16


#: A sample as the prefilter keeps it: the fields of Sample.
_Seen = tuple[int, int, int, int, dict[str, float], bool]


class PrefilterOutput(NamedTuple):
    """What leaves the prefilter. `batch` is empty where only `hot` is told; `certain` is false after a start."""

    batch: str
    certain: bool
    hot: int | None


class Prefilter:
    """The prefilter of one entity. `signals` are the names of the values that its rules need."""

    def __init__(
        self, entity: Entity, rules: tuple[Rule, ...], source: str = "reading", level: str = "meter", window_s: int = 0
    ) -> None:
        self.entity, self.rules = entity, rules
        self.source, self.level, self.window_s = source, level, window_s
        self.signals = tuple(sorted({rule.signal for rule in rules}))
        self.has_channels = any(signal in MEASURED_CHANNELS for signal in self.signals)
        self.rates = Rates(rules)
        self.bands = {series: _band(rules, series) for series in {rule.series for rule in rules}}
        self.memory_ms = max(rule.memory_ms for rule in rules)
        self.newest_ms = -1
        self.recent: deque[_Seen] = deque(maxlen=REMEMBERED)
        self.newest: tuple[_Seen, ...] = ()
        self.certain = False
        self.cooled = False
        self.live_left_ms: float = 0.0
        self.late_left_ms: float = 0.0
        self.late_ms = -1

    def observe(
        self,
        at_ms: int,
        interval_s: int,
        revision: int,
        cost_u: int,
        arrival_ms: int,
        currency: str,
        values: dict[str, float],
    ) -> PrefilterOutput | None:
        """What of a sample goes on; None for nothing. `values` are changed: rates are added."""
        if at_ms > arrival_ms + CLOCK_TOLERANCE_MS:
            return None
        if at_ms > self.newest_ms >= 0 and self.live_left_ms <= 0 and self.cooled and not self.rates.rules:
            # The way of nearly every reading.
            bands = self.bands
            for series, value in values.items():
                low, high = bands[series]
                if not low < value < high:
                    break
            else:
                seen = (at_ms, interval_s, revision, cost_u, values, False)
                self.newest_ms, self.newest = at_ms, (seen,)
                self.recent.append(seen)
                return None
        if self.newest_ms < 0:
            # Unknown until now: remember as if it had just breached.
            self.live_left_ms = self._memory(interval_s)
        self.rates.add_to(values, at_ms, interval_s)
        quiet = True
        for series, value in values.items():
            low, high = self.bands.get(series, (-inf, inf))
            if not low < value < high and not is_quiet(self.rules, series, value, at_ms):
                quiet = False
        late = at_ms <= self.newest_ms
        seen = (at_ms, interval_s, revision, cost_u, values, False)
        if quiet and not late and self.live_left_ms <= 0:
            self.newest_ms, self.newest = at_ms, (seen,)
            self.recent.append(seen)
            return self._cool()
        return self._pass(seen, quiet, late, arrival_ms, currency)

    def _pass(self, sample: _Seen, quiet: bool, late: bool, arrival_ms: int, currency: str) -> PrefilterOutput | None:
        if quiet and late and self.late_left_ms <= 0 and self.live_left_ms <= 0:
            self.recent.append(sample)
            return self._cool()
        samples: tuple[_Seen, ...] = (sample,)
        certain = self.certain or not quiet
        if not quiet:
            samples = (*self._context(late), sample)
        self.certain = certain
        self._count(sample, quiet, late)
        self.cooled = False
        sent: _Seen = (*sample[:5], True)
        self.recent.append(sent)
        if not late:
            self.newest = (sent,)
        batch = Batch(
            self.entity.name, self.entity.site_path, self.entity.tags,
            self.source, self.level, self.window_s, arrival_ms, currency, tuple(Sample(*seen) for seen in samples),
        )  # fmt: skip
        return PrefilterOutput(encode_batch(batch), certain, None if quiet else 1)

    def _context(self, late: bool) -> tuple[_Seen, ...]:
        """What goes along with a breach, in order of arrival: the newest sample, or with a late breach all of them.

        A sample that is quiet to one rule may have passed for another, whose machine alone kept it.
        """
        context = tuple(self.recent)
        if self.newest and self.newest[0] not in context:
            context = (*self.newest, *context)
        if not late:
            context = self.newest
        marked = {id(seen): (*seen[:5], True) for seen in context if not seen[5]}
        if marked:
            self.recent = deque((marked.get(id(seen), seen) for seen in self.recent), REMEMBERED)
            self.newest = tuple(marked.get(id(seen), seen) for seen in self.newest)
        return context

    def _count(self, sample: _Seen, quiet: bool, late: bool) -> None:
        """How long it must still be seen quiet; a gap begins the count anew, on either side of the newest sample."""
        at_ms, interval_s = sample[:2]
        memory_ms = self._memory(interval_s)
        if late:
            advance = at_ms - self.late_ms
            steady = 0 < advance <= self._gap(interval_s)
            self.late_left_ms = self.late_left_ms - advance if quiet and steady else memory_ms
            self.late_ms = at_ms
            if not quiet:
                # It may begin an episode that only newer samples end.
                self.live_left_ms = max(self.live_left_ms, memory_ms)
            return
        advance = at_ms - self.newest_ms if self.newest_ms >= 0 else 0
        steady = advance <= self._gap(interval_s)
        self.live_left_ms = self.live_left_ms - advance if quiet and steady else memory_ms
        self.newest_ms = at_ms

    def _cool(self) -> PrefilterOutput | None:
        """Tell once that the entity matters no longer."""
        if self.cooled or self.late_left_ms > 0:
            return None
        self.cooled = self.certain = True
        return PrefilterOutput("", True, 0)

    def _memory(self, interval_s: int) -> int:
        return self.memory_ms + 2 * self._gap(interval_s)

    def _gap(self, interval_s: int) -> int:
        return min(rule.gap_ms(interval_s) for rule in self.rules)


def _band(rules: tuple[Rule, ...], series: str) -> tuple[float, float]:
    """An open band in which every rule is clear; empty where a rule has none."""
    low, high = -inf, inf
    for rule in rules:
        if rule.series == series and rule.clear is not None:
            if rule.clear.outside:
                return inf, -inf
            low, high = max(low, rule.clear.low), min(high, rule.clear.high)
    return low, high
