"""State machine of no-data rules: alerts of entities that stopped reporting. Time is the time of arrival in the stream.

Any arrival ends the alert, also one of old readings, as in a backfill.
"""

from __future__ import annotations

from collections.abc import Iterator

from flink_job.alerts.changes import CLEARED, EASED, ESCALATED, LATCHED, RAISED, Change, alert_id
from flink_job.alerts.endings import CHANGED, reason_to_end, rule_of_ended
from flink_job.alerts.no_data_state import ENDED_RANK, NoDataAlert, NoDataState
from flink_job.alerts.rules import Rule, RuleSet
from flink_job.metering.site import Entity
from flink_job.tenants import tenant_of

#: Interval at which a rule is evaluated again that is due but inactive by its calendar, or muted.
RECHECK_MS = 60_000


def stopped_reporting(state: NoDataState, last_ms: int) -> None:
    """Record that nothing has arrived since `last_ms`. Ignored if a newer arrival is known."""
    if last_ms >= state.last_ms and state.since_ms is None:
        state.last_ms = state.since_ms = last_ms


def resumed(
    rules: tuple[Rule, ...], entity: str, state: NoDataState, at_ms: int, before_ms: int
) -> Iterator[tuple[Rule, Change]]:
    """Record an arrival at `at_ms` after one at `before_ms` (-1 if unknown), and yield the changes.

    It ends all alerts of the entity. An outage that was over before it could be detected is historical.
    """
    since_ms = state.since_ms if state.since_ms is not None else before_ms
    state.since_ms, state.last_ms = None, max(at_ms, state.last_ms)
    alerts, state.alerts = state.alerts, {}
    if since_ms < 0:
        return
    by_id = {rule.rule_id: rule for rule in rules}
    for rule in rules:
        rank, limit_ms = _reached(rule, at_ms - since_ms)
        if rule.rule_id not in alerts and rank > ENDED_RANK and rule.applies(at_ms):
            alert = alerts[rule.rule_id] = NoDataAlert(rank, 0, False, rule.subject, limit_ms)
            yield rule, _change(rule, entity, alert, RAISED, since_ms, at_ms, True)
    for rule_id, alert in alerts.items():
        if alert.is_open:
            rule = by_id.get(rule_id) or rule_of_ended(rule_id, None, "")
            ended = LATCHED if rule.latch else CLEARED
            yield rule, _change(rule, entity, alert, ended, since_ms, at_ms, not alert.notified)


def drop_inapplicable_no_data(
    rules: RuleSet, state: NoDataState, entity: Entity, now_ms: int
) -> Iterator[tuple[Rule, Change]]:
    """End the alerts of rules that were removed, are of another kind now, or no longer monitor the entity.

    The change has the reason. Without a document all alerts stay open.
    """
    if not rules.version_of(entity) or state.since_ms is None:
        return
    tenant = tenant_of(entity.site_path)
    for rule_id, alert in state.alerts.items():
        rule = rules.by_id(rule_id, tenant)
        is_monitored = rule is not None and rule.source == "silence" and rule.covers(entity)
        detail = reason_to_end(rule, alert.subject, is_monitored)
        if detail and alert.is_open:
            yield from _end(rule_of_ended(rule_id, rule, detail), entity.name, alert, state.since_ms, now_ms, detail)


def drop_all_no_data(
    rules: RuleSet, state: NoDataState, entity: Entity, now_ms: int, detail: str
) -> Iterator[tuple[Rule, Change]]:
    """End all alerts of an entity that is no longer there, with the reason `detail`."""
    since_ms, alerts = state.since_ms, state.alerts
    state.since_ms, state.alerts = None, {}
    for rule_id, alert in alerts.items():
        if alert.is_open and since_ms is not None:
            rule = rules.by_id(rule_id, tenant_of(entity.site_path))
            yield from _end(rule_of_ended(rule_id, rule, detail), entity.name, alert, since_ms, now_ms, detail)


def evaluate_no_data(
    rules: tuple[Rule, ...], entity: str, state: NoDataState, now_ms: int
) -> Iterator[tuple[Rule, Change]]:
    """Yield the changes that are due at `now_ms` for an entity that does not report."""
    if state.since_ms is None:
        return
    for rule in rules:
        alert = state.alerts.get(rule.rule_id)
        # After a restart, the clock may be behind the time at which the alert was raised.
        lasted_ms = max(now_ms - state.since_ms, alert.limit_ms if alert else 0)
        rank, limit_ms = _reached(rule, lasted_ms)
        if rank < 0:
            if alert is not None and alert.is_open and alert.limit_ms:
                yield from _end(rule, entity, alert, state.since_ms, now_ms, CHANGED)
            continue
        if not rule.applies(now_ms):
            continue
        muted = rule.is_muted(now_ms)
        if alert is None or not alert.is_open or (not alert.notified and not muted):
            changes = alert.changes if alert else 0
            alert = state.alerts[rule.rule_id] = NoDataAlert(rank, changes, not muted, rule.subject, limit_ms)
            yield rule, _change(rule, entity, alert, RAISED, state.since_ms, now_ms, False, muted)
        elif rank != alert.rank:
            kind = ESCALATED if rank > alert.rank else EASED
            alert.rank, alert.limit_ms = rank, limit_ms
            yield rule, _change(rule, entity, alert, kind, state.since_ms, now_ms, False, muted)


def next_deadline_ms(rules: tuple[Rule, ...], state: NoDataState, now_ms: int) -> int | None:
    """When to evaluate an entity again that does not report; None if no further change is possible."""
    if state.since_ms is None:
        return None
    ahead = []
    for rule in rules:
        deadlines = [state.since_ms + level.no_data_ms for level in rule.levels]
        ahead += [deadline for deadline in deadlines if deadline > now_ms]
        alert = state.alerts.get(rule.rule_id)
        if deadlines[0] <= now_ms and (alert is None or not alert.notified):
            ahead.append((now_ms // RECHECK_MS + 1) * RECHECK_MS)
    return min(ahead, default=None)


def _reached(rule: Rule, lasted_ms: int) -> tuple[int, int]:
    """Rank and duration [ms] of the highest level that has been reached after `lasted_ms`; without one, -1 and 0."""
    reached = [(level.rank, level.no_data_ms) for level in rule.levels if lasted_ms >= level.no_data_ms]
    return max(reached, default=(ENDED_RANK, 0))


def _end(
    rule: Rule, entity: str, alert: NoDataAlert, since_ms: int, now_ms: int, detail: str
) -> Iterator[tuple[Rule, Change]]:
    now_ms = max(now_ms, since_ms)
    muted = rule.is_muted(now_ms)
    yield rule, _change(rule, entity, alert, CLEARED, since_ms, now_ms, not alert.notified, muted, detail)
    alert.rank, alert.notified = ENDED_RANK, False


def _change(
    rule: Rule,
    entity: str,
    alert: NoDataAlert,
    state: str,
    since_ms: int,
    now_ms: int,
    historical: bool,
    muted: bool = False,
    detail: str = "",
) -> Change:
    number, alert.changes = alert.changes, alert.changes + 1
    return Change(
        alert_id(rule.rule_id, entity, since_ms),
        number,
        state,
        alert.rank,
        (now_ms - since_ms) / 1000,
        alert.limit_ms / 1000,
        since_ms,
        now_ms,
        historical,
        muted,
        0,
        detail,
    )
