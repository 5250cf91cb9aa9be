"""All the rules of one entity: what its keyed state holds, and what a batch of samples does to it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from flink_job.alerts.changes import Change
from flink_job.alerts.episodes import RuleState, close, is_idle, restore, step
from flink_job.alerts.points import Point
from flink_job.alerts.rules import CLEAR, Rule, RuleSet, Scope
from flink_job.alerts.samples import Batch
from flink_job.metering.site import Entity
from flink_job.tenants import tenant_of

_encoder = msgspec.msgpack.Encoder()

States = dict[str, RuleState]


class _Kept(msgspec.Struct, array_like=True):
    entity: Entity
    states: States


#: Until 0.12.0 the entity was kept beside.
_decoder = msgspec.msgpack.Decoder(_Kept | States)


def rules_for(rules: RuleSet, batch: Batch) -> tuple[Rule, ...]:
    """The rules that a batch's samples concern."""
    entity = Entity(batch.entity, batch.site_path, batch.tags)
    if batch.source == "kpi":
        return rules.of_kpi(entity, batch.level, batch.window_s)
    return rules.of_reading(entity)


def observe(rules: tuple[Rule, ...], states: States, batch: Batch) -> Iterator[tuple[Rule, Change]]:
    """Take a batch in, rule by rule; `states` is changed in place, and keeps only what matters.

    Samples that have passed before are put back for a rule without state, which has not kept them. A rule with
    state has seen them, and what it has forgotten must not come back.
    """
    for rule in rules:
        state = states.get(rule.rule_id)
        is_new = state is None
        points = list(points_for(rule, batch))
        if state is None:
            if all(rule.rank_of(point.value) == CLEAR for point, _ in points):
                continue  # nothing is known of the rule, and this changes nothing
            state = RuleState()
        for point, passed in points:
            if not passed:
                for change in step(rule, batch.entity, state, point, batch.arrival_ms):
                    yield rule, change
            elif is_new:
                restore(rule, state, point)
        if is_idle(rule, state):
            states.pop(rule.rule_id, None)
        else:
            states[rule.rule_id] = state


def drop_removed(rules: RuleSet, states: States, entity: Entity) -> Iterator[tuple[Rule, Change]]:
    """End the episodes of rules that are gone from the document; without a document nothing is known to be gone."""
    if not rules.version_of(entity):
        return
    tenant = tenant_of(entity.site_path)
    for rule_id in [rule_id for rule_id in states if rules.by_id(rule_id, tenant) is None]:
        state = states.pop(rule_id)
        rule = Rule(rule_id, rule_id, Scope("*", frozenset(), ()), "", "", "", (), None)
        for track in (state.live, state.past):
            if track is not None:
                yield from ((rule, change) for change in close(rule, entity.name, track, "the rule was removed"))


def has_open_alert(states: States) -> bool:
    """True when some alert is not over."""
    return any(track is not None and track.episode for state in states.values() for track in (state.live, state.past))


def pack_states(entity: Entity, states: States) -> bytes:
    """The state as bytes."""
    return _encoder.encode(_Kept(entity, states))


def unpack_states(packed: bytes | None) -> tuple[Entity | None, States]:
    """The state in bytes; without any it is empty, and of nobody."""
    if not packed:
        return None, {}
    kept = _decoder.decode(packed)
    return (kept.entity, kept.states) if isinstance(kept, _Kept) else (None, kept)


def is_clear_or_inactive(rules: tuple[Rule, ...], series: str, value: float, at_ms: int) -> bool:
    """True when the value concerns no rule on this series."""
    return all(rule.rank_of(value) == CLEAR or not rule.applies(at_ms) for rule in rules if rule.series == series)


def points_for(rule: Rule, batch: Batch) -> Iterator[tuple[Point, bool]]:
    """The values of a batch that concern a rule, and whether they have passed before."""
    for sample in batch.samples:
        value = sample.values.get(rule.series)
        if value is not None:
            yield Point(sample.at_ms, sample.interval_s, sample.revision, value, sample.cost_u), sample.passed
