"""Keyed functions of alerts: they see only what the gates let through, and the silences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_type_hints

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from flink_job.alerts.changes import Change
from flink_job.alerts.no_data import NoDataState, evaluate_no_data, heard, next_deadline_ms, stopped_reporting
from flink_job.alerts.rows import AlertRow, alert_row
from flink_job.alerts.rules import Rule, RuleSet
from flink_job.alerts.samples import Batch, decode_batch
from flink_job.alerts.state_machine import drop_removed, has_open_alert, observe, pack_states, rules_for, unpack_states
from flink_job.config import Settings
from flink_job.metering.site import Entity
from flink_job.registries import rule_registry
from udfs.keyed_state import keyed_state

_TYPES = {int: Types.LONG(), float: Types.DOUBLE(), bool: Types.BOOLEAN(), str: Types.STRING()}
#: Rows of both functions.
ALERT_ROW = Types.ROW_NAMED(list(AlertRow._fields), [_TYPES[kind] for kind in get_type_hints(AlertRow).values()])
#: Entities whose rules are remembered.
MAX_REMEMBERED = 10_000
#: The end of a bounded input, not a time.
END_MS = (1 << 63) - 1


class AlertStates(KeyedProcessFunction):  # type: ignore[misc]
    """(entity, batch) to alert rows; the machines are those of flink_job.alerts.state_machine."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        self.registry = rule_registry(self.settings.tariffs, self.settings.job.silence_s)
        self.concerned: dict[tuple[Any, ...], tuple[Rule, ...]] = {}
        self.generation = -1
        self.state = keyed_state(runtime_context, "states", self.settings.job.state_days)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        rules = self.registry.refresh().rules
        batch = decode_batch(value[1])
        _, states = unpack_states(self.state.value())
        entity = Entity(batch.entity, batch.site_path, batch.tags)
        told = list(drop_removed(rules, states, entity))
        told += observe(self._rules(rules, batch), states, batch)
        yield from _rows(told, rules.version_of(entity), entity, batch.currency, batch.arrival_ms)
        self._keep(states, entity, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """Look whether the rules of open alerts are still there."""
        rules = self.registry.refresh().rules
        entity, states = unpack_states(self.state.value())
        if entity is None:
            return
        yield from _rows(drop_removed(rules, states, entity), rules.version_of(entity), entity, "", timestamp)
        self._keep(states, entity, ctx)

    def _rules(self, rules: RuleSet, batch: Batch) -> tuple[Rule, ...]:
        """The rules that concern a batch, remembered for the entities that have something to tell."""
        if self.registry.generation != self.generation or len(self.concerned) > MAX_REMEMBERED:
            self.generation = self.registry.generation
            self.concerned.clear()
        key = (batch.entity, batch.site_path, batch.tags, batch.source, batch.level, batch.window_s)
        if key not in self.concerned:
            self.concerned[key] = rules_for(rules, batch)
        return self.concerned[key]

    def _keep(self, states: Any, entity: Entity, ctx: Any) -> None:
        if not states:
            self.state.clear()
            return
        self.state.update(pack_states(entity, states))
        if has_open_alert(states):
            step_ms = int(self.settings.tariffs.rules_refresh_s * 1000)
            # One timer a step, however many rows come in it.
            now_ms = ctx.timer_service().current_processing_time()
            ctx.timer_service().register_processing_time_timer((now_ms // step_ms + 2) * step_ms)


class NoData(KeyedProcessFunction):  # type: ignore[misc]
    """(entity, site_path, tags, heard, at_ms, before_ms) to alert rows, in time of arrival."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        self.registry = rule_registry(self.settings.tariffs, self.settings.job.silence_s)
        self.state = keyed_state(runtime_context, "silence", self.settings.job.state_days)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        entity, state = Entity(value[0], value[1], value[2]), self._state()[1]
        rules = self._rules(entity)
        if value[3]:
            told: Iterable[tuple[Rule, Change]] = heard(rules, entity.name, state, value[4], value[5])
            yield from _rows(told, self.registry.rules.version_of(entity), entity, "", value[4])
        else:
            stopped_reporting(state, value[4])
            yield from self._look(entity, rules, state, ctx)
        self.state.update((tuple(entity), state))

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        place, state = self._state()
        if place is not None and timestamp < END_MS:
            entity = Entity(*place)
            yield from self._look(entity, self._rules(entity), state, ctx)
            self.state.update((place, state))

    def _look(self, entity: Entity, rules: tuple[Rule, ...], state: NoDataState, ctx: Any) -> Iterator[Row]:
        now_ms = ctx.timer_service().current_watermark()
        if now_ms >= END_MS - 1:
            return  # the input has ended: that is no silence
        now_ms = max(now_ms, 0)
        told = evaluate_no_data(rules, entity.name, state, now_ms)
        yield from _rows(told, self.registry.rules.version_of(entity), entity, "", now_ms)
        due_ms = next_deadline_ms(rules, state, now_ms)
        if due_ms is not None:
            ctx.timer_service().register_event_time_timer(due_ms)

    def _rules(self, entity: Entity) -> tuple[Rule, ...]:
        """NoDataAlert rules that watch the entity: by its own scope, where it is no meter by that of any below it."""
        rules = self.registry.refresh().rules.rules
        return tuple(rule for rule in rules if rule.source == "silence" and rule.covers(entity))

    def _state(self) -> tuple[Any, NoDataState]:
        return self.state.value() or (None, NoDataState(alerts={}))


def _rows(
    told: Iterable[tuple[Rule, Change]], version: str, entity: Entity, currency: str, arrival_ms: int
) -> Iterator[Row]:
    for rule, change in told:
        yield Row(*alert_row(rule, version, entity, change, currency, arrival_ms))
