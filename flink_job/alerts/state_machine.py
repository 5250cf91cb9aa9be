"""Alert state machine of one entity: the state of all its rules, and how a batch of samples changes it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from flink_job.alerts.changes import Change
from flink_job.alerts.endings import reason_to_end, rule_of_ended
from flink_job.alerts.episodes import close, is_idle, restore, step
from flink_job.alerts.points import Point
from flink_job.alerts.rules import CLEAR, Rule, RuleSet
from flink_job.alerts.samples import GONE, MOVED, Batch, Sample
from flink_job.alerts.tracks import RuleState
from flink_job.metering.site import Entity
from flink_job.tenants import tenant_of

_encoder = msgspec.msgpack.Encoder()

#: State by rule id.
States = dict[str, RuleState]


class EntityState(msgspec.Struct, array_like=True):
    """State of an entity: its rules, and the site path and tags that are known last.

    `is_placed`: a change of a contract has said where the entity is, so samples of an earlier time do not. `is_gone`:
    no meter belongs to it any more. `entity` is None before the first sample and in state of earlier versions.
    """

    entity: Entity | None = None
    states: States = {}
    is_placed: bool = False
    is_gone: bool = False

    def place(self, batch: Batch) -> Entity:
        """Update where the entity is; KPI windows do not know its tags. Returns the entity."""
        found = Entity(batch.entity, batch.site_path, batch.tags)
        if batch.source in (MOVED, GONE):
            self.is_placed, self.is_gone = True, batch.source == GONE
            self.entity = found
        elif self.entity is None or not (self.is_placed or batch.source == "kpi"):
            self.entity = found
        return self.entity

    @property
    def is_empty(self) -> bool:
        """True if the state can be removed without effect."""
        return not self.states and not self.is_placed


#: Until 0.12.0 the states were stored without the entity.
_decoder = msgspec.msgpack.Decoder(EntityState | States)


def rules_for(rules: RuleSet, batch: Batch) -> tuple[Rule, ...]:
    """The rules that apply to the samples of a batch."""
    entity = Entity(batch.entity, batch.site_path, batch.tags)
    if batch.source == "kpi":
        return rules.of_kpi(entity, batch.level, batch.window_s)
    return rules.of_reading(entity)


def observe(rules: tuple[Rule, ...], states: States, batch: Batch) -> Iterator[tuple[Rule, Change]]:
    """Process a batch rule by rule and yield the changes. Modifies `states` in place; idle rules are removed from it.

    Resent samples are restored for a rule without state, which did not store them. A rule with state has processed
    them, and must not get samples again that it has pruned.
    """
    for rule in rules:
        state = states.get(rule.rule_id)
        is_new = state is None
        points = [pair for pair in points_for(rule, batch) if _counts(rule, state, *pair)]
        if state is None:
            if all(rule.rank_of(point.value) == CLEAR for point, _ in points):
                continue  # no state, and clear samples create none
            state = RuleState()
        state.subject = rule.subject
        for point, sample in points:
            if not sample.is_resent:
                for change in step(rule, batch.entity, state, point, batch.arrival_ms):
                    yield rule, change
            elif is_new:
                restore(rule, state, point)
        if is_idle(rule, state):
            states.pop(rule.rule_id, None)
        else:
            states[rule.rule_id] = state


def drop_inapplicable(rules: RuleSet, states: States, entity: Entity) -> Iterator[tuple[Rule, Change]]:
    """End the episodes of rules that were removed or compare something else now, or whose scope the entity has left.

    The change has the reason. `entity` has the site path and tags that are known last. Without a document all episodes
    stay open.
    """
    if not rules.version_of(entity):
        return
    tenant = tenant_of(entity.site_path)
    for rule_id in list(states):
        rule = rules.by_id(rule_id, tenant)
        detail = reason_to_end(rule, states[rule_id].subject, rule is not None and rule.concerns(entity))
        if detail:
            yield from _drop(rule_of_ended(rule_id, rule, detail), states, entity, detail)


def drop_all(rules: RuleSet, states: States, entity: Entity, detail: str) -> Iterator[tuple[Rule, Change]]:
    """End all episodes of an entity with the reason `detail`."""
    for rule_id in list(states):
        rule = rule_of_ended(rule_id, rules.by_id(rule_id, tenant_of(entity.site_path)), detail)
        yield from _drop(rule, states, entity, detail)


def _drop(rule: Rule, states: States, entity: Entity, detail: str) -> Iterator[tuple[Rule, Change]]:
    state = states.pop(rule.rule_id)
    for track in (state.live, state.past):
        if track is not None:
            yield from ((rule, change) for change in close(rule, entity.name, track, detail))


def has_open_alert(states: States) -> bool:
    """True if some alert has not ended."""
    return any(track.is_open for state in states.values() for track in (state.live, state.past) if track is not None)


def pack_states(state: EntityState) -> bytes:
    """The state of an entity as bytes."""
    return _encoder.encode(state)


def unpack_states(packed: bytes | None) -> EntityState:
    """The state in bytes; an empty one without bytes."""
    if not packed:
        return EntityState()
    stored = _decoder.decode(packed)
    return stored if isinstance(stored, EntityState) else EntityState(None, stored)


def is_clear_or_inactive(rules: tuple[Rule, ...], series: str, value: float, at_ms: int) -> bool:
    """True if the value is clear for every rule on the series, or the rule is inactive by its calendar."""
    return all(rule.rank_of(value) == CLEAR or not rule.applies(at_ms) for rule in rules if rule.series == series)


def points_for(rule: Rule, batch: Batch) -> Iterator[tuple[Point, Sample]]:
    """Yield each sample of a batch that has a value for the rule, as a point; of partial windows, if it is certain."""
    for sample in batch.samples:
        value = sample.values.get(rule.series)
        if value is not None and (not sample.is_partial or rule.is_certain(value)):
            yield Point(sample.at_ms, sample.interval_s, sample.revision, value, sample.cost_u), sample


def _counts(rule: Rule, state: RuleState | None, point: Point, sample: Sample) -> bool:
    """False for a partial window during an alert: it may only escalate it."""
    opened = state.live.episode if state is not None and sample.is_partial else None
    return opened is None or rule.rank_of(point.value) > opened.rank
