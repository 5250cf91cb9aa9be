"""Pre-filter: forwards only samples that can change an alert, so that quiet meters cost almost nothing.

A sample is forwarded if it breaches a rule (or is between its limit and `clear_at`), or follows such a sample closely
enough: until the entity has been clear, in event time and without gaps, for as long as its rules look back. Samples
that arrived before an older breach are forwarded with it. The alerts are the same as without the pre-filter.

A pre-filter is held in the memory of a Python worker, not in Flink state. After a start it has no history: it forwards
the first samples of an entity as uncertain, and a stateful operator drops them if the entity had no alert state
(flink_job/dataflow/sql/alerts/alert_samples.sql). `active` marks when an entity gains or loses alert state.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import NamedTuple

from flink_job.alerts.clocks import CLOCK_AHEAD, CLOCK_TOLERANCE_MS, Clock, clock_ahead_s
from flink_job.alerts.rates import Rates
from flink_job.alerts.rules import Rule
from flink_job.alerts.samples import Batch, Sample, encode_batch
from flink_job.alerts.state_machine import is_clear_or_inactive
from flink_job.metering.site import Entity
from flink_job.metering.units import MEASURED_CHANNELS

#: Clear samples that a pre-filter remembers, to forward them with a breach that arrives later but is older.
REMEMBERED = 16

#: The fields of a Sample; plain tuples are cheaper, and nearly all of them are never forwarded.
_SampleFields = tuple[int, int, int, int, dict[str, float], bool]


class PrefilterOutput(NamedTuple):
    """The output of a pre-filter.

    `batch`: samples as JSON (see flink_job.alerts.samples), empty if only `active` changes. `certain`: False for
    samples of an entity whose history is unknown since a start. `active`: 1 if the entity has alert state from here
    on, 0 if it has settled, None if that does not change.
    """

    batch: str
    certain: bool
    active: int | None


class Prefilter:
    """The pre-filter of one entity and its rules. `signals` are the names of the values that the rules need."""

    def __init__(
        self, entity: Entity, rules: tuple[Rule, ...], source: str = "reading", level: str = "meter", window_s: int = 0
    ) -> None:
        self.entity, self.rules = entity, rules
        self.source, self.level, self.window_s = source, level, window_s
        self.signals = tuple(sorted({rule.signal for rule in rules}))
        self.has_channels = any(signal in MEASURED_CHANNELS for signal in self.signals)
        self.has_clock_rule = self.checks_clock = CLOCK_AHEAD in self.signals
        self.rates = Rates(rules)
        self.clock = Clock()
        self.clear_bands = {series: _clear_band(rules, series) for series in {rule.series for rule in rules}}
        self.memory_ms = max(rule.memory_ms for rule in rules)
        self.newest_ms = -1
        self.recent: deque[_SampleFields] = deque(maxlen=REMEMBERED)
        self.newest: tuple[_SampleFields, ...] = ()
        self.certain = False
        self.settled = False
        #: Event time for which the entity must still be clear, after the newest sample and after the newest late one.
        self.unsettled_ms: float = 0.0
        self.unsettled_late_ms: float = 0.0
        self.newest_late_ms = -1

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
        """Return the samples to forward, or None.

        `values` is modified: rates of change and the distance of the clock are added.
        """
        if self.checks_clock or at_ms > arrival_ms + CLOCK_TOLERANCE_MS:
            is_counted = self.clock.counts(at_ms, arrival_ms)
            self.checks_clock = self.has_clock_rule or self.clock.is_ahead
            if not is_counted:
                return None
            if self.has_clock_rule:
                values[CLOCK_AHEAD] = clock_ahead_s(at_ms, interval_s, arrival_ms)
        if at_ms > self.newest_ms >= 0 and self.unsettled_ms <= 0 and self.settled and not self.rates.rules:
            # The fast path, for nearly every reading.
            bands = self.clear_bands
            for series, value in values.items():
                low, high = bands[series]
                if not low < value < high:
                    break
            else:
                sample = (at_ms, interval_s, revision, cost_u, values, False)
                self.newest_ms, self.newest = at_ms, (sample,)
                self.recent.append(sample)
                return None
        if self.newest_ms < 0:
            # No history: behave as if the entity had just breached.
            self.unsettled_ms = self._memory(interval_s)
        self.rates.add_to(values, at_ms, interval_s)
        is_clear = self._is_clear(values, at_ms)
        is_late = at_ms <= self.newest_ms
        sample = (at_ms, interval_s, revision, cost_u, values, False)
        if is_clear and not is_late and self.unsettled_ms <= 0:
            self.newest_ms, self.newest = at_ms, (sample,)
            self.recent.append(sample)
            return self._settle()
        return self._forward(sample, is_clear, is_late, arrival_ms, currency)

    def observe_partial(
        self, at_ms: int, interval_s: int, cost_u: int, arrival_ms: int, currency: str, values: dict[str, float]
    ) -> PrefilterOutput | None:
        """Return a window whose readings are not all known if it breaches for certain, or None."""
        if not any(rule.is_certain(values[rule.series]) for rule in self.rules if rule.series in values):
            return None
        self.certain, self.settled = True, False
        self.unsettled_ms = max(self.unsettled_ms, self._memory(interval_s))
        known = [Sample(*fields) for fields in self._context(False)]
        partial = Sample(at_ms, interval_s, 0, cost_u, values, is_partial=True)
        return PrefilterOutput(self._batch(arrival_ms, currency, *known, partial), True, 1)

    def _is_clear(self, values: dict[str, float], at_ms: int) -> bool:
        for series, value in values.items():
            low, high = self.clear_bands.get(series, (-inf, inf))
            if not low < value < high and not is_clear_or_inactive(self.rules, series, value, at_ms):
                return False
        return True

    def _forward(
        self, sample: _SampleFields, is_clear: bool, is_late: bool, arrival_ms: int, currency: str
    ) -> PrefilterOutput | None:
        if is_clear and is_late and self.unsettled_late_ms <= 0 and self.unsettled_ms <= 0:
            self.recent.append(sample)
            if sample[0] == self.newest_ms:
                self.newest = (sample,)
            return self._settle()
        samples: tuple[_SampleFields, ...] = (sample,)
        certain = self.certain or not is_clear
        if not is_clear:
            samples = (*self._context(is_late), sample)
        self.certain = certain
        self._count_down(sample, is_clear, is_late)
        self.settled = False
        forwarded: _SampleFields = (*sample[:5], True)
        self.recent.append(forwarded)
        if sample[0] == self.newest_ms:
            self.newest = (forwarded,)
        batch = self._batch(arrival_ms, currency, *(Sample(*fields) for fields in samples))
        return PrefilterOutput(batch, certain, None if is_clear else 1)

    def _batch(self, arrival_ms: int, currency: str, *samples: Sample) -> str:
        entity, path, tags = self.entity
        return encode_batch(
            Batch(entity, path, tags, self.source, self.level, self.window_s, arrival_ms, currency, samples)
        )

    def _context(self, is_late: bool) -> tuple[_SampleFields, ...]:
        """Samples to forward before a breach, in order of arrival: the newest, or all recent ones if it is late.

        A sample that is clear for one rule may have been forwarded for another, whose state machine alone stored it.
        """
        context = tuple(self.recent)
        if self.newest and self.newest[0] not in context:
            context = (*self.newest, *context)
        if not is_late:
            context = self.newest
        marked = {id(sample): (*sample[:5], True) for sample in context if not sample[5]}
        if marked:
            self.recent = deque((marked.get(id(sample), sample) for sample in self.recent), REMEMBERED)
            self.newest = tuple(marked.get(id(sample), sample) for sample in self.newest)
        return context

    def _count_down(self, sample: _SampleFields, is_clear: bool, is_late: bool) -> None:
        """Update how long the entity must still be clear; a breach or a gap restarts the count."""
        at_ms, interval_s = sample[:2]
        memory_ms = self._memory(interval_s)
        if is_late:
            advance = at_ms - self.newest_late_ms
            is_steady = 0 < advance <= self._gap(interval_s)
            self.unsettled_late_ms = self.unsettled_late_ms - advance if is_clear and is_steady else memory_ms
            self.newest_late_ms = at_ms
            if not is_clear:
                # It may begin an episode that only newer samples end.
                self.unsettled_ms = max(self.unsettled_ms, memory_ms)
            return
        advance = at_ms - self.newest_ms if self.newest_ms >= 0 else 0
        is_steady = advance <= self._gap(interval_s)
        self.unsettled_ms = self.unsettled_ms - advance if is_clear and is_steady else memory_ms
        self.newest_ms = at_ms

    def _settle(self) -> PrefilterOutput | None:
        """Report once that the entity has no alert state any more."""
        if self.settled or self.unsettled_late_ms > 0:
            return None
        self.settled = self.certain = True
        return PrefilterOutput("", True, 0)

    def _memory(self, interval_s: int) -> int:
        return self.memory_ms + 2 * self._gap(interval_s)

    def _gap(self, interval_s: int) -> int:
        return min(rule.gap_ms(interval_s) for rule in self.rules)


def _clear_band(rules: tuple[Rule, ...], series: str) -> tuple[float, float]:
    """An open interval (low, high) in which every rule on the series is clear; (inf, -inf) if there is none."""
    low, high = -inf, inf
    for rule in rules:
        if rule.series == series and rule.clear is not None:
            if rule.clear.outside:
                return inf, -inf
            low, high = max(low, rule.clear.low), min(high, rule.clear.high)
    return low, high
