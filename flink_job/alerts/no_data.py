"""State machine of no-data rules: alerts of entities that stopped reporting. Time is the time of arrival in the stream.

Any arrival ends the alert, also one of old readings, as in a backfill.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from flink_job.alerts.changes import CLEARED, ESCALATED, LATCHED, RAISED, Change, alert_id
from flink_job.alerts.rules import Rule
from flink_job.metering.site import Entity

#: Interval at which a rule is evaluated again that is due but inactive by its calendar, or muted.
RECHECK_MS = 60_000


class NoDataAlert(msgspec.Struct, array_like=True):
    """An open no-data alert. `notified`: a change that was not muted has been emitted."""

    rank: int
    changes: int
    notified: bool


class NoDataState(msgspec.Struct, array_like=True):
    """State of an entity: `last_ms` is the latest known arrival, `since_ms` the same while it does not report, or None.

    `alerts` are the open alerts by rule id.
    """

    last_ms: int = -1
    since_ms: int | None = None
    alerts: dict[str, NoDataAlert] = {}


class _Stored(msgspec.Struct, array_like=True):
    entity: Entity
    state: NoDataState


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Stored)


def pack_no_data(entity: Entity, state: NoDataState) -> bytes:
    """The state of an entity as bytes."""
    return _encoder.encode(_Stored(entity, state))


def unpack_no_data(packed: bytes | None) -> tuple[Entity | None, NoDataState]:
    """(entity, state) from bytes; without bytes, None and an empty state."""
    if not packed:
        return None, NoDataState()
    stored = _decoder.decode(packed)
    return stored.entity, stored.state


def stopped_reporting(state: NoDataState, last_ms: int) -> None:
    """Record that nothing has arrived since `last_ms`. Ignored if a newer arrival is known."""
    if last_ms >= state.last_ms and state.since_ms is None:
        state.last_ms = state.since_ms = last_ms


def resumed(
    rules: tuple[Rule, ...], entity: str, state: NoDataState, at_ms: int, before_ms: int
) -> Iterator[tuple[Rule, Change]]:
    """Record an arrival at `at_ms` after one at `before_ms` (-1 if unknown), and yield the changes.

    An outage that was over before it could be detected is historical.
    """
    since_ms = state.since_ms if state.since_ms is not None else before_ms
    state.since_ms, state.last_ms = None, max(at_ms, state.last_ms)
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
        ended = LATCHED if rule.latch else CLEARED
        yield rule, _change(rule, entity, alert, ended, since_ms, at_ms, not alert.notified)


def evaluate_no_data(
    rules: tuple[Rule, ...], entity: str, state: NoDataState, now_ms: int
) -> Iterator[tuple[Rule, Change]]:
    """Yield the changes that are due at `now_ms` for an entity that does not report."""
    if state.since_ms is None:
        return
    for rule in rules:
        rank = _rank(rule, now_ms - state.since_ms)
        if rank < 0 or not rule.applies(now_ms):
            continue
        alert = state.alerts.get(rule.rule_id)
        muted = rule.is_muted(now_ms)
        if alert is None or (not alert.notified and not muted):
            alert = state.alerts[rule.rule_id] = NoDataAlert(rank, alert.changes if alert else 0, not muted)
            yield rule, _change(rule, entity, alert, RAISED, state.since_ms, now_ms, False, muted)
        elif rank > alert.rank:
            alert.rank = rank
            yield rule, _change(rule, entity, alert, ESCALATED, state.since_ms, now_ms, False, muted)


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
            ahead.append(now_ms + RECHECK_MS)
    return min(ahead, default=None)


def _rank(rule: Rule, duration_ms: int) -> int:
    return max((level.rank for level in rule.levels if duration_ms >= level.no_data_ms), default=-1)


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
