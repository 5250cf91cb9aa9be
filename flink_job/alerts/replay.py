"""Replay of rules over history, with the alert state machines of the stream."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from flink_job.alerts.clocks import Clock
from flink_job.alerts.no_data import evaluate_no_data, next_deadline_ms, resumed, stopped_reporting
from flink_job.alerts.no_data_state import NoDataState
from flink_job.alerts.rates import Rates
from flink_job.alerts.rows import AlertRow, alert_row
from flink_job.alerts.rules import Rule, RuleSet
from flink_job.alerts.samples import Batch
from flink_job.alerts.state_machine import States, observe, rules_for, series_of
from flink_job.metering.site import Entity


@dataclass
class Replay:
    """The alert state machines of all entities, without Flink.

    `meters` are those with a contract: no-data rules monitor them from the first arrival of any meter.
    """

    rules: RuleSet
    meters: Iterable[Entity] = ()
    states: dict[str, States] = field(default_factory=dict)
    applicable: dict[tuple[str, ...], tuple[Rule, ...]] = field(default_factory=dict)
    rates: dict[tuple[str, str], Rates] = field(default_factory=dict)
    clocks: dict[tuple[str, str], Clock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.no_data = _NoData(self.rules, self.meters)

    def run(self, batches: Iterable[Batch]) -> Iterator[AlertRow]:
        """Yield the rows of the table `alerts` for batches in order of arrival."""
        for batch in batches:
            entity = Entity(batch.entity, batch.site_path, batch.tags)
            yield from self.no_data.arrived(entity, batch)
            rules = self._rules(batch)
            if rules and self._clock_counts(batch):
                states = self.states.setdefault(batch.entity, {})
                for rule, change in observe(rules, states, self._with_rates(rules, batch)):
                    yield alert_row(rule, self.rules.version, entity, change, batch.currency, batch.arrival_ms)

    def _clock_counts(self, batch: Batch) -> bool:
        """False for a sample with a wild time stamp, which the pre-filter of the stream drops."""
        clock = self.clocks.setdefault((series_of(batch), batch.source), Clock())
        return clock.counts(batch.samples[0].at_ms, batch.arrival_ms)

    def _rules(self, batch: Batch) -> tuple[Rule, ...]:
        key = (batch.entity, batch.site_path, batch.tags, batch.source, batch.level, str(batch.window_s))
        if key not in self.applicable:
            self.applicable[key] = rules_for(self.rules, batch)
        return self.applicable[key]

    def _with_rates(self, rules: tuple[Rule, ...], batch: Batch) -> Batch:
        """Add rates of change in order of arrival, as the pre-filter of the stream does."""
        key = (series_of(batch), batch.source)
        if key not in self.rates:
            self.rates[key] = Rates(rules)
        [sample] = batch.samples
        values = dict(sample.values)
        self.rates[key].add_to(values, sample.at_ms, sample.interval_s)
        return msgspec.structs.replace(batch, samples=(msgspec.structs.replace(sample, values=values),))


class _NoData:
    """State machines of no-data rules; their clock is the latest arrival."""

    def __init__(self, rules: RuleSet, meters: Iterable[Entity]) -> None:
        self.rules, self.meters = rules, meters
        self.monitored: dict[Entity, dict[Entity, tuple[Rule, ...]]] = {}
        self.states: dict[Entity, NoDataState] = {}
        self.deadlines: list[tuple[int, Entity]] = []

    def arrived(self, meter: Entity, batch: Batch) -> Iterator[AlertRow]:
        """Yield what is due before the arrival of a batch, and the alerts that it ends."""
        if batch.source != "reading":
            return
        for contracted in self.meters:
            self._watch(contracted, batch.arrival_ms)
        self.meters = ()
        if meter not in self.monitored:
            self.monitored[meter] = self.rules.of_no_data(meter)
        yield from self._evaluate_before(batch.arrival_ms)
        for entity, rules in self.monitored[meter].items():
            state = self.states.setdefault(entity, NoDataState())
            before_ms = state.last_ms
            if before_ms != batch.arrival_ms:
                for rule, change in resumed(rules, entity.name, state, batch.arrival_ms, before_ms):
                    yield alert_row(rule, self.rules.version, entity, change, "", batch.arrival_ms)
                heapq.heappush(self.deadlines, (batch.arrival_ms + _shortest_ms(rules), entity))

    def _watch(self, meter: Entity, now_ms: int) -> None:
        """Wait for the first arrival of what rules monitor through a meter."""
        self.monitored[meter] = self.rules.of_no_data(meter)
        for entity, rules in self.monitored[meter].items():
            if entity not in self.states:
                self.states[entity] = NoDataState(now_ms)
                heapq.heappush(self.deadlines, (now_ms + _shortest_ms(rules), entity))

    def _evaluate_before(self, now_ms: int) -> Iterator[AlertRow]:
        while self.deadlines and self.deadlines[0][0] < now_ms:
            due_ms, entity = heapq.heappop(self.deadlines)
            state = self.states[entity]
            rules = next(found[entity] for found in self.monitored.values() if entity in found)
            if due_ms - state.last_ms < _shortest_ms(rules):
                continue
            stopped_reporting(state, state.last_ms)
            for rule, change in evaluate_no_data(rules, entity.name, state, due_ms):
                yield alert_row(rule, self.rules.version, entity, change, "", due_ms)
            following = next_deadline_ms(rules, state, due_ms)
            if following is not None:
                heapq.heappush(self.deadlines, (following, entity))


def _shortest_ms(rules: tuple[Rule, ...]) -> int:
    return min(rule.levels[0].no_data_ms for rule in rules)
