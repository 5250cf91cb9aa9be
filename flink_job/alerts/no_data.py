"""Heartbeats: alerts of entities from which nothing comes. Time is that of arrival in the stream.

Something arriving is what ends a silence, whatever it says; so an upload of old readings ends it too.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from flink_job.alerts.changes import CLEARED, ESCALATED, LATCHED, RAISED, Change, alert_id
from flink_job.alerts.rules import Rule

#: How often a rule that waits for its calendar, or for the end of a mute, is looked at again.
RECHECK_MS = 60_000


class NoDataAlert(msgspec.Struct, array_like=True):
    """An alert of a silence."""

    rank: int
    changes: int
    notified: bool


class NoDataState(msgspec.Struct, array_like=True):
    """`heard_ms`: the newest arrival that is known; `silent_ms`: since when nothing has come, None while it does."""

    heard_ms: int = -1
    silent_ms: int | None = None
    alerts: dict[str, NoDataAlert] = {}


def stopped_reporting(state: NoDataState, last_ms: int) -> None:
    """Nothing has come since `last_ms`. What is overtaken by a newer arrival is forgotten."""
    if last_ms >= state.heard_ms and state.silent_ms is None:
        state.heard_ms = state.silent_ms = last_ms


def heard(
    rules: tuple[Rule, ...], entity: str, state: NoDataState, at_ms: int, before_ms: int
) -> Iterator[tuple[Rule, Change]]:
    """Something came at `at_ms`, after `before_ms` (-1 where that is not known).

    A silence that was over before anyone could tell is a historical record.
    """
    since_ms = state.silent_ms if state.silent_ms is not None else before_ms
    state.silent_ms, state.heard_ms = None, max(at_ms, state.heard_ms)
    if since_ms < 0:
        return
    for rule in rules:
        alert = state.alerts.pop(rule.rule_id, None)
        if alert is None:
            rank = _rank(rule, at_ms - since_ms)
            if rank < 0 or not rule.applies(at_ms):
                continue
            alert = NoDataAlert(rank, 0, False)
            yield rule, _change(rule, entity, alert, RAISED, since_ms, at_ms, True)
        yield (
            rule,
            _change(rule, entity, alert, LATCHED if rule.latch else CLEARED, since_ms, at_ms, not alert.notified),
        )


def evaluate_no_data(
    rules: tuple[Rule, ...], entity: str, state: NoDataState, now_ms: int
) -> Iterator[tuple[Rule, Change]]:
    """The clock has moved on to `now_ms` and nothing came."""
    if state.silent_ms is None:
        return
    for rule in rules:
        rank = _rank(rule, now_ms - state.silent_ms)
        if rank < 0 or not rule.applies(now_ms):
            continue
        alert = state.alerts.get(rule.rule_id)
        muted = rule.is_muted(now_ms)
        if alert is None or (not alert.notified and not muted):
            alert = state.alerts[rule.rule_id] = NoDataAlert(rank, alert.changes if alert else 0, not muted)
            yield rule, _change(rule, entity, alert, RAISED, state.silent_ms, now_ms, False, muted)
        elif rank > alert.rank:
            alert.rank = rank
            yield rule, _change(rule, entity, alert, ESCALATED, state.silent_ms, now_ms, False, muted)


def next_deadline_ms(rules: tuple[Rule, ...], state: NoDataState, now_ms: int) -> int | None:
    """When to look again at a silent entity; None when nothing more can follow."""
    if state.silent_ms is None:
        return None
    ahead = []
    for rule in rules:
        deadlines = [state.silent_ms + level.no_data_ms for level in rule.levels]
        ahead += [deadline for deadline in deadlines if deadline > now_ms]
        alert = state.alerts.get(rule.rule_id)
        if deadlines[0] <= now_ms and (alert is None or not alert.notified):
            ahead.append(now_ms + RECHECK_MS)
    return min(ahead, default=None)


def _rank(rule: Rule, silent_ms: int) -> int:
    return max((level.rank for level in rule.levels if silent_ms >= level.no_data_ms), default=-1)


def _change(
    rule: Rule,
    entity: str,
    alert: NoDataAlert,
    state: str,
    since_ms: int,
    now_ms: int,
    historical: bool,
    muted: bool = False,
) -> Change:
    number, alert.changes = alert.changes, alert.changes + 1
    limit_ms = next(level.no_data_ms for level in rule.levels if level.rank == alert.rank)
    return Change(
        alert_id(rule.rule_id, entity, since_ms),
        number,
        state,
        alert.rank,
        (now_ms - since_ms) / 1000,
        limit_ms / 1000,
        since_ms,
        now_ms,
        historical,
        muted,
        0,
    )
