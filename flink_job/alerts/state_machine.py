"""Alert state machine of one entity: the state of all its rules, and how a batch of samples changes it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from flink_job.alerts.changes import Change
from flink_job.alerts.endings import OTHER_CURRENCY, reason_to_end, rule_of_ended
from flink_job.alerts.episodes import close, is_idle, restore, step
from flink_job.alerts.points import Point
from flink_job.alerts.rules import CLEAR, Rule, RuleSet
from flink_job.alerts.samples import GONE, MOVED, Batch, Sample
from flink_job.alerts.signals import SUPPLY
from flink_job.alerts.tracks import RuleState
from flink_job.metering.site import Entity
from flink_job.tenants import tenant_of

_encoder = msgspec.msgpack.Encoder()

#: State by rule id; above the meter by rule id and currency, joined by `|`.
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


def series_currency(batch: Batch) -> str:
    """The currency if an entity has windows in several at a time; a meter has one contract, so one currency."""
    return batch.currency if batch.source == "kpi" and batch.level != "meter" else ""


def series_of(batch: Batch) -> str:
    """Name of the series of samples that a batch belongs to: the entity, above the meter with the currency."""
    currency = series_currency(batch)
    return f"{batch.entity}|{currency}" if currency else batch.entity


def _key(rule: Rule, currency: str) -> str:
    """Key of a state: the rule's id, which has no '|', and the currency of the series."""
    return f"{rule.rule_id}|{currency}" if currency else rule.rule_id


def _rule_id(key: str) -> str:
    return key.partition("|")[0]


def rules_for(rules: RuleSet, batch: Batch) -> tuple[Rule, ...]:
    """The rules that apply to the samples of a batch."""
    entity = Entity(batch.entity, batch.site_path, batch.tags)
    if batch.source == "kpi":
        return rules.of_kpi(entity, batch.level, batch.window_s)
    return rules.of_supply(entity) if batch.level == SUPPLY else rules.of_reading(entity)


def observe(rules: tuple[Rule, ...], states: States, batch: Batch) -> Iterator[tuple[Rule, Change]]:
    """Process a batch rule by rule and yield the changes. Modifies `states` in place; idle rules are removed from it.

    Resent samples are restored for a rule without state, which did not store them. A rule with state has processed
    them, and must not get samples again that it has pruned.

    An entity above the meter has a state for each currency: its windows are sums of meters billed in that currency.
    """
    currency, series = series_currency(batch), series_of(batch)
    for rule in rules:
        key = _key(rule, currency)
        if currency:
            yield from _end_others(rule, key, states, batch)
        state = states.get(key)
        is_new = state is None
        points = [pair for pair in points_for(rule, batch) if _counts(rule, state, *pair)]
        if state is None:
            if all(rule.rank_of(point.value) == CLEAR for point, _ in points):
                continue  # no state, and clear samples create none
            state = RuleState()
        state.subject = rule.subject
        for point, sample in points:
            if not sample.is_resent:
                for change in step(rule, series, state, point, batch.arrival_ms):
                    yield rule, change
            elif is_new:
                restore(rule, state, point)
        if is_idle(rule, state):
            states.pop(key, None)
        else:
            states[key] = state


def _end_others(rule: Rule, key: str, states: States, batch: Batch) -> Iterator[tuple[Rule, Change]]:
    """End alerts in other currencies whose windows have ended: those of this one are later by more than the gap."""
    for other in [found for found in states if found != key and _rule_id(found) == rule.rule_id]:
        points = states[other].live.points
        gap_ms = max((rule.gap_ms(sample.interval_s) for sample in batch.samples), default=0)
        if points and max(sample.at_ms for sample in batch.samples) - points[-1].at_ms > gap_ms:
            entity = Entity(batch.entity, batch.site_path, batch.tags)
            yield from _drop(rule, other, states, entity, OTHER_CURRENCY)


def drop_inapplicable(rules: RuleSet, states: States, entity: Entity) -> Iterator[tuple[Rule, Change]]:
    """End the episodes of rules that were removed or compare something else now, or whose scope the entity has left.

    The change has the reason. `entity` has the site path and tags that are known last. Without a document all episodes
    stay open.
    """
    if not rules.version_of(entity):
        return
    tenant = tenant_of(entity.site_path)
    for key in list(states):
        rule_id = _rule_id(key)
        rule = rules.by_id(rule_id, tenant)
        detail = reason_to_end(rule, states[key].subject, rule is not None and rule.concerns(entity))
        if detail:
            yield from _drop(rule_of_ended(rule_id, rule, detail), key, states, entity, detail)


def drop_all(rules: RuleSet, states: States, entity: Entity, detail: str) -> Iterator[tuple[Rule, Change]]:
    """End all episodes of an entity with the reason `detail`."""
    for key in list(states):
        rule = rule_of_ended(_rule_id(key), rules.by_id(_rule_id(key), tenant_of(entity.site_path)), detail)
        yield from _drop(rule, key, states, entity, detail)


def _drop(rule: Rule, key: str, states: States, entity: Entity, detail: str) -> Iterator[tuple[Rule, Change]]:
    state, currency = states.pop(key), key.partition("|")[2]
    series = f"{entity.name}|{currency}" if currency else entity.name
    for track in (state.live, state.past):
        if track is not None:
            for change in close(rule, series, track, detail):
                yield rule, change._replace(currency=currency)


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
