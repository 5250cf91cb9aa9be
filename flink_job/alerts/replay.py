"""Rules over history: what they would have told, with the machines of the stream."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from flink_job.alerts.no_data import NoDataState, evaluate_no_data, heard, next_deadline_ms, stopped_reporting
from flink_job.alerts.rates import Rates
from flink_job.alerts.rows import AlertRow, alert_row
from flink_job.alerts.rules import Rule, RuleSet
from flink_job.alerts.samples import Batch
from flink_job.alerts.state_machine import States, observe, rules_for
from flink_job.metering.site import Entity


@dataclass
class Replay:
    """Machines of every entity. Feed it batches in order of arrival."""

    rules: RuleSet
    states: dict[str, States] = field(default_factory=dict)
    concerned: dict[tuple[str, ...], tuple[Rule, ...]] = field(default_factory=dict)
    rates: dict[tuple[str, str], Rates] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.silences = _Silences(self.rules)

    def run(self, batches: Iterable[Batch]) -> Iterator[AlertRow]:
        """The rows of the table `alerts` that the batches lead to."""
        for batch in batches:
            entity = Entity(batch.entity, batch.site_path, batch.tags)
            yield from self.silences.arrived(entity, batch)
            rules = self._rules(batch)
            if rules:
                states = self.states.setdefault(batch.entity, {})
                for rule, change in observe(rules, states, self._with_rates(rules, batch)):
                    yield alert_row(rule, self.rules.version, entity, change, batch.currency, batch.arrival_ms)

    def _rules(self, batch: Batch) -> tuple[Rule, ...]:
        key = (batch.entity, batch.site_path, batch.tags, batch.source, batch.level, str(batch.window_s))
        if key not in self.concerned:
            self.concerned[key] = rules_for(self.rules, batch)
        return self.concerned[key]

    def _with_rates(self, rules: tuple[Rule, ...], batch: Batch) -> Batch:
        """Rates of change are made where readings come in order, as in the prefilter of the stream."""
        key = (batch.entity, batch.source)
        if key not in self.rates:
            self.rates[key] = Rates(rules)
        [sample] = batch.samples
        values = dict(sample.values)
        self.rates[key].add_to(values, sample.at_ms, sample.interval_s)
        return msgspec.structs.replace(batch, samples=(msgspec.structs.replace(sample, values=values),))


class _Silences:
    """Heartbeats over history: the clock is the newest arrival."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.watched: dict[Entity, dict[Entity, tuple[Rule, ...]]] = {}
        self.states: dict[Entity, NoDataState] = {}
        self.looks: list[tuple[int, Entity]] = []

    def arrived(self, meter: Entity, batch: Batch) -> Iterator[AlertRow]:
        if batch.source != "reading":
            return
        if meter not in self.watched:
            self.watched[meter] = self.rules.of_no_data(meter)
        yield from self._until(batch.arrival_ms)
        for entity, rules in self.watched[meter].items():
            state = self.states.setdefault(entity, NoDataState())
            before_ms = state.heard_ms
            if before_ms != batch.arrival_ms:
                for rule, change in heard(rules, entity.name, state, batch.arrival_ms, before_ms):
                    yield alert_row(rule, self.rules.version, entity, change, "", batch.arrival_ms)
                soonest = min(rule.levels[0].no_data_ms for rule in rules)
                heapq.heappush(self.looks, (batch.arrival_ms + soonest, entity))

    def _until(self, now_ms: int) -> Iterator[AlertRow]:
        while self.looks and self.looks[0][0] < now_ms:
            due_ms, entity = heapq.heappop(self.looks)
            state = self.states[entity]
            rules = next(found[entity] for found in self.watched.values() if entity in found)
            soonest = min(rule.levels[0].no_data_ms for rule in rules)
            if due_ms - state.heard_ms < soonest:
                continue
            stopped_reporting(state, state.heard_ms)
            for rule, change in evaluate_no_data(rules, entity.name, state, due_ms):
                yield alert_row(rule, self.rules.version, entity, change, "", due_ms)
            following = next_deadline_ms(rules, state, due_ms)
            if following is not None:
                heapq.heappush(self.looks, (following, entity))
