"""State machine of one rule and entity: samples in, changes of its alerts out, all in event time.

A track stores recent samples in order of event time, whether or not they arrive so, and is evaluated again with each
sample. So a duration counts over what was measured: from the first to the last of consecutive samples, none further
apart than the rule's gap. Nothing changes without a sample: missing data neither raises nor clears.

There are two tracks per rule and entity: `live`, and `past` for late samples (flink_job.alerts.late). An alert that is
found in old samples is historical; if fresh samples continue it, it is raised again as a live alert with the same id.
"""

from __future__ import annotations

from flink_job.alerts.changes import CLEARED, Change
from flink_job.alerts.late import close_late, forget_late, join_late, observe_late
from flink_job.alerts.live import end_live, observe_live
from flink_job.alerts.points import (
    Point,
    breaches,
    insert,
    prune,
)
from flink_job.alerts.rules import Rule
from flink_job.alerts.tracks import RuleState, Track


def is_idle(rule: Rule, state: RuleState) -> bool:
    """True if the state can be removed without effect: there was no episode, and every sample is clear."""
    return (state.past is None or state.past.is_clear(rule)) and state.live.is_clear(rule)


def step(rule: Rule, entity: str, state: RuleState, point: Point, arrival_ms: int) -> list[Change]:
    """Process a sample that arrives at `arrival_ms`; returns the changes."""
    if not rule.applies(point.at_ms):
        return _deactivate(rule, entity, state, point)
    fresh = arrival_ms - (point.at_ms + point.interval_s * 1000) <= rule.horizon_ms
    found = forget_late(rule, entity, state, arrival_ms)
    live, start_ms = state.live, state.live.start_ms
    is_before = bool(live.points) and point.at_ms < live.points[0].at_ms
    if start_ms <= point.at_ms and is_before and (live.episode is not None or point.at_ms <= live.ended_ms):
        # Inside the latest episode, before what is known of it in detail.
        if live.episode is not None and not rule.has_total_cost:
            live.episode.cost_u += point.cost_u
        return found
    if point.at_ms < start_ms or (is_before and not fresh and not _continues_in(rule, live, point)):
        return found + observe_late(rule, entity, state, point, arrival_ms)
    found += observe_live(rule, entity, live, point, fresh)
    return found + join_late(rule, entity, state) if live.start_ms > start_ms else found


def _continues_in(rule: Rule, live: Track, point: Point) -> bool:
    """True if a breach goes on in the live track, whose first samples have not lasted long enough."""
    first = live.points[0]
    is_adjacent = first.at_ms - point.at_ms <= point.interval_s * 1000
    return live.episode is None and is_adjacent and breaches(rule, point) and breaches(rule, first)


def restore(rule: Rule, state: RuleState, point: Point) -> None:
    """Insert a sample that was processed before and changed nothing, without evaluating it again."""
    track = state.live
    if rule.applies(point.at_ms):
        insert(rule, track.points, point)
        prune(rule, track.points, None)
    elif not track.points or point.at_ms >= track.points[-1].at_ms:
        track.points.clear()


def _deactivate(rule: Rule, entity: str, state: RuleState, point: Point) -> list[Change]:
    """Process a sample outside the rule's calendar: pending breaches are discarded, and an active alert ends."""
    track = state.live
    if track.points and point.at_ms < track.points[-1].at_ms:
        return []
    found = close(rule, entity, track, "outside the rule's calendar", point.at_ms)
    track.points.clear()
    return found


def close(rule: Rule, entity: str, track: Track, detail: str, at_ms: int | None = None) -> list[Change]:
    """End the track's episode for another reason, `detail`, at `at_ms` (default: its last sample)."""
    found = close_late(rule, entity, track, detail) if track.episodes else []
    if track.episode is None:
        return found
    last = track.points[-1] if track.points else Point(track.episode.start_ms, 0, 0, track.episode.worst)
    point = last if at_ms is None else Point(at_ms, 0, 0, last.value)
    return [*found, end_live(rule, entity, track, point, CLEARED, detail)]
