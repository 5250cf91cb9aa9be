"""Keyed functions that run the alert state machines (flink_job.alerts) on Flink's keyed state and timers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_type_hints

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from flink_job.alerts.changes import Change
from flink_job.alerts.endings import NO_METERS
from flink_job.alerts.no_data import (
    drop_all_no_data,
    drop_inapplicable_no_data,
    evaluate_no_data,
    next_deadline_ms,
    resumed,
    stopped_reporting,
)
from flink_job.alerts.no_data_state import NoDataState, pack_no_data, unpack_no_data
from flink_job.alerts.rows import AlertRow, alert_row
from flink_job.alerts.rules import Rule, RuleSet
from flink_job.alerts.samples import GONE, MOVED, Batch, decode_batch
from flink_job.alerts.state_machine import (
    EntityState,
    drop_all,
    drop_inapplicable,
    has_open_alert,
    observe,
    pack_states,
    rules_for,
    unpack_states,
)
from flink_job.config import Settings
from flink_job.metering.site import Entity
from flink_job.registries import rule_registry
from udfs.keyed_state import keyed_state

_TYPES = {int: Types.LONG(), float: Types.DOUBLE(), bool: Types.BOOLEAN(), str: Types.STRING()}
#: Type of the rows that both functions emit: the fields of flink_job.alerts.rows.AlertRow, none of them NULL.
ALERT_ROW = Types.ROW_NAMED(list(AlertRow._fields), [_TYPES[kind] for kind in get_type_hints(AlertRow).values()])
#: Kinds of rows of `Presence` (flink_job/java), beside MOVED and GONE.
STOPPED, RESUMED = "stopped", "resumed"
#: Entities whose applicable rules are cached.
MAX_CACHED = 10_000
#: The watermark at the end of a bounded input (Long.MAX_VALUE).
END_MS = (1 << 63) - 1


class AlertStates(KeyedProcessFunction):  # type: ignore[misc]
    """State machines of rules on readings and KPIs, keyed by entity.

    Input rows are (entity, alert_batch): STRING, and the JSON of flink_job.alerts.samples. A processing-time timer
    checks open alerts against changed rules while no samples arrive. An alert of an entity that is gone ends at once.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open the rule registry of this worker and the keyed state."""
        self.registry = rule_registry(self.settings.tariffs, self.settings.job.silence_s)
        self.applicable: dict[tuple[Any, ...], tuple[Rule, ...]] = {}
        self.generation = -1
        self.state = keyed_state(runtime_context, "states", self.settings.job.state_days)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Process a batch of samples of an entity; emits a row per change of an alert."""
        rules = self.registry.refresh().rules
        batch = decode_batch(value[1])
        stored = unpack_states(self.state.value())
        entity = stored.place(batch)
        changes = list(drop_inapplicable(rules, stored.states, entity))
        if batch.samples:
            changes += observe(self._rules(rules, batch), stored.states, batch)
        if stored.is_gone:
            changes += drop_all(rules, stored.states, entity, NO_METERS)
        yield from _rows(changes, rules.version_of(entity), entity, batch.currency, batch.arrival_ms)
        self._store(stored, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """End open alerts whose rules were removed or changed so that they no longer apply."""
        rules = self.registry.refresh().rules
        stored = unpack_states(self.state.value())
        entity = stored.entity
        if entity is not None:
            changes = drop_inapplicable(rules, stored.states, entity)
            yield from _rows(changes, rules.version_of(entity), entity, "", timestamp)
            self._store(stored, ctx)

    def _rules(self, rules: RuleSet, batch: Batch) -> tuple[Rule, ...]:
        """The rules that apply to a batch, cached by entity."""
        if self.registry.generation != self.generation or len(self.applicable) > MAX_CACHED:
            self.generation = self.registry.generation
            self.applicable.clear()
        key = (batch.entity, batch.site_path, batch.tags, batch.source, batch.level, batch.window_s)
        if key not in self.applicable:
            self.applicable[key] = rules_for(rules, batch)
        return self.applicable[key]

    def _store(self, stored: EntityState, ctx: Any) -> None:
        if stored.is_empty:
            self.state.clear()
            return
        self.state.update(pack_states(stored))
        if has_open_alert(stored.states):
            _register_refresh(self.settings, ctx)


class NoData(KeyedProcessFunction):  # type: ignore[misc]
    """State machines of no-data rules, keyed by entity; event time is the time of arrival.

    Input rows are (entity, site_path, tags, kind, at_ms, before_ms), see detect_presence in
    flink_job/dataflow/operators/alert_states.py. Event-time timers evaluate entities that do not report;
    processing-time timers check their alerts against changed rules.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        """Open the rule registry of this worker and the keyed state."""
        self.registry = rule_registry(self.settings.tariffs, self.settings.job.silence_s)
        self.state = keyed_state(runtime_context, "no_data", self.settings.job.state_days)

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Process that an entity stopped reporting, or resumed; emits a row per change of an alert."""
        name, site_path, tags, kind, at_ms, before_ms = value
        entity = Entity(name, site_path, tags)
        known, state = unpack_no_data(self.state.value())
        if kind == MOVED and known is None:
            return
        rules = self._rules(entity)
        if kind == RESUMED:
            changes = resumed(rules, entity.name, state, at_ms, before_ms)
            yield from _rows(changes, self.registry.rules.version_of(entity), entity, "", at_ms)
        elif kind == GONE:
            changes = drop_all_no_data(self.registry.rules, state, entity, at_ms, NO_METERS)
            yield from _rows(changes, self.registry.rules.version_of(entity), entity, "", at_ms)
        else:
            if kind == STOPPED:
                stopped_reporting(state, at_ms)
            yield from self._evaluate(entity, state, ctx)
        self._store(entity, state, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """Evaluate an entity that does not report, at a deadline of its rules or when they may have changed."""
        entity, state = unpack_no_data(self.state.value())
        if entity is not None and timestamp < END_MS:
            yield from self._evaluate(entity, state, ctx)
            self._store(entity, state, ctx)

    def _evaluate(self, entity: Entity, state: NoDataState, ctx: Any) -> Iterator[Row]:
        now_ms = ctx.timer_service().current_watermark()
        if now_ms >= END_MS - 1:
            return  # the end of a bounded input is not missing data
        now_ms = max(now_ms, 0)
        rules = self._rules(entity)
        changes = [
            *drop_inapplicable_no_data(self.registry.rules, state, entity, now_ms),
            *evaluate_no_data(rules, entity.name, state, now_ms),
        ]
        yield from _rows(changes, self.registry.rules.version_of(entity), entity, "", now_ms)
        due_ms = next_deadline_ms(rules, state, now_ms)
        if due_ms is not None:
            ctx.timer_service().register_event_time_timer(due_ms)

    def _store(self, entity: Entity, state: NoDataState, ctx: Any) -> None:
        if state.since_ms is None:
            self.state.clear()
            return
        self.state.update(pack_no_data(entity, state))
        _register_refresh(self.settings, ctx)

    def _rules(self, entity: Entity) -> tuple[Rule, ...]:
        """The no-data rules that monitor the entity."""
        rules = self.registry.refresh().rules.rules
        return tuple(rule for rule in rules if rule.source == "silence" and rule.covers(entity))


def _register_refresh(settings: Settings, ctx: Any) -> None:
    """Register a timer for the next refresh of the rules; one per refresh, however many rows arrive before it."""
    step_ms = int(settings.tariffs.rules_refresh_s * 1000)
    now_ms = ctx.timer_service().current_processing_time()
    ctx.timer_service().register_processing_time_timer((now_ms // step_ms + 1) * step_ms)


def _rows(
    changes: Iterable[tuple[Rule, Change]], version: str, entity: Entity, currency: str, arrival_ms: int
) -> Iterator[Row]:
    for rule, change in changes:
        yield Row(*alert_row(rule, version, entity, change, currency, arrival_ms))
