"""State machine of one rule and entity: samples in, changes of its alerts out, all in event time.

A track stores recent samples in order of event time, whether or not they arrive so, and is evaluated again with each
sample. So a duration counts over what was measured: from the first to the last of consecutive samples, none further
apart than the rule's gap. Nothing changes without a sample: missing data neither raises nor clears.

There are two tracks per rule and entity: `live`, and `past` for samples that arrive long after their event time. An
alert that is found in old samples is historical; if fresh samples continue it, it is raised again as a live alert with
the same id.
"""

from __future__ import annotations

import itertools

from flink_job.alerts.changes import CLEARED, EASED, ESCALATED, FLAPPING, LATCHED, RAISED, Change, alert_id
from flink_job.alerts.points import (
    Point,
    breaches,
    index_of,
    insert,
    is_consecutive,
    prune,
    sustained_rank,
    trailing_run,
)
from flink_job.alerts.rules import CLEAR, Rule
from flink_job.alerts.tracks import Episode, RuleState, Track


def is_idle(rule: Rule, state: RuleState) -> bool:
    """True if the state can be removed without effect: there was no episode, and every sample is clear."""
    return state.past is None and state.live.is_clear(rule)


def step(rule: Rule, entity: str, state: RuleState, point: Point, arrival_ms: int) -> list[Change]:
    """Process a sample that arrives at `arrival_ms`; returns the changes."""
    if not rule.applies(point.at_ms):
        return _deactivate(rule, entity, state, point)
    fresh = arrival_ms - (point.at_ms + point.interval_s * 1000) <= rule.horizon_ms
    live, episode = state.live.points, state.live.episode
    if episode is not None and episode.start_ms <= point.at_ms < live[0].at_ms:
        # Inside the episode, before what is known of it in detail.
        episode.cost_u += 0 if rule.has_total_cost else point.cost_u
        return []
    if fresh or not live or point.at_ms >= live[0].at_ms:
        return _observe(rule, entity, state.live, point, fresh)
    return _observe_past(rule, entity, state, point)


def restore(rule: Rule, state: RuleState, point: Point) -> None:
    """Insert a sample that was processed before and changed nothing, without evaluating it again."""
    track = state.live
    if rule.applies(point.at_ms):
        insert(rule, track.points, point)
        prune(rule, track.points, None)
    elif not track.points or point.at_ms >= track.points[-1].at_ms:
        track.points.clear()


def _observe_past(rule: Rule, entity: str, state: RuleState, point: Point) -> list[Change]:
    """Process a sample that is older than the live track: its alert can only be historical."""
    found: list[Change] = []
    if state.past is not None and state.past.points and point.at_ms < state.past.points[0].at_ms:
        found += close(rule, entity, state.past, "older readings arrived")
        state.past = None
    state.past = state.past or Track()
    found += _observe(rule, entity, state.past, point, False)
    if state.past.is_clear(rule):
        state.past = None
    return found


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
    if track.episode is None:
        return []
    last = track.points[-1] if track.points else Point(track.episode.start_ms, 0, 0, track.episode.worst)
    point = last if at_ms is None else Point(at_ms, 0, 0, last.value)
    return [_end(rule, entity, track, point, CLEARED, detail)]


def _observe(rule: Rule, entity: str, track: Track, point: Point, fresh: bool) -> list[Change]:
    """Insert a sample into a track; returns the changes. `fresh`: it arrived within the rule's horizon."""
    inserted = insert(rule, track.points, point)
    if track.episode is not None and point.at_ms >= track.episode.start_ms:
        track.episode.cost_u += inserted.cost_u
    if not inserted.is_new:
        return []
    if track.episode is None:
        if inserted.before is not None and rule.rank_of(inserted.before) == CLEAR and breaches(rule, point):
            # The last episode may have ended with the sample that is corrected.
            track.ended_ms = min(track.ended_ms, point.at_ms - 1)
        found = _maybe_raise(rule, entity, track, point, fresh)
    else:
        found = _update(rule, entity, track, point, fresh)
    prune(rule, track.points, track.episode.start_ms if track.episode else None)
    return found


def _maybe_raise(rule: Rule, entity: str, track: Track, point: Point, fresh: bool) -> list[Change]:
    """Raise an alert if the breach that `point` belongs to has lasted; it is historical unless the breach goes on."""
    if not breaches(rule, point) or point.at_ms <= track.ended_ms:
        return []
    points = track.points
    last = index_of(points, point.at_ms)
    for earlier, later in itertools.pairwise(points[last:]):
        if not (is_consecutive(rule, earlier, later) and breaches(rule, later)):
            break
        last += 1
    rank = sustained_rank(rule, points[: last + 1], track.ended_ms)
    if rank < 0:
        return []
    run = trailing_run(rule, points[: last + 1], lambda p: breaches(rule, p), track.ended_ms)
    historical = not (fresh and last == len(points) - 1)
    muted = rule.is_muted(points[last].at_ms)
    worst = max(run, key=lambda p: rule.rank_of(p.value)).value
    track.episode = Episode(
        run[0].at_ms, rank, 0, historical, not (historical or muted), False, sum(p.cost_u for p in run), worst
    )
    flapping = _flips(rule, track, points[last].at_ms)
    track.episode.flapping = flapping
    found = [_change(rule, entity, track, points[last], FLAPPING if flapping else RAISED, muted)]
    # A breach that is found late may have ended already.
    return found + (_update(rule, entity, track, points[-1], False) if last < len(points) - 1 else [])


def _update(rule: Rule, entity: str, track: Track, point: Point, fresh: bool) -> list[Change]:
    """Process a sample of an open episode: it ends, is raised again (live, or after a mute), escalates or eases."""
    episode, points = track.episode, track.points
    assert episode is not None
    newest = points[-1]
    # The sample at the start is clear if it has been corrected.
    clear = trailing_run(rule, points, lambda p: rule.rank_of(p.value) == CLEAR, episode.start_ms - 1)
    if clear and clear[-1].at_ms - clear[0].at_ms >= required_clear_ms(rule, episode):
        return [_end(rule, entity, track, newest, LATCHED if rule.latch else CLEARED)]
    if episode.flapping:
        return []
    found = _raise_again(rule, entity, track, point, fresh)
    rank = sustained_rank(rule, points, episode.start_ms - 1)
    lower = trailing_run(rule, points, lambda p: rule.rank_of(p.value) < episode.rank, episode.start_ms - 1)
    if rank > episode.rank:
        episode.rank, episode.worst = rank, newest.value
        found.append(_change(rule, entity, track, newest, ESCALATED, rule.is_muted(newest.at_ms)))
    elif lower and not clear and lower[-1].at_ms - lower[0].at_ms >= rule.clear_for_ms:
        top = max(rule.rank_of(p.value) for p in lower)
        if 0 <= top < episode.rank:
            episode.rank = top
            found.append(_change(rule, entity, track, newest, EASED, rule.is_muted(newest.at_ms)))
    return found


def required_clear_ms(rule: Rule, episode: Episode) -> int:
    """Time for which samples must be clear before the episode ends [ms]."""
    if episode.flapping and rule.flapping is not None:
        return max(rule.clear_for_ms, rule.flapping.within_ms)
    return rule.clear_for_ms


def _raise_again(rule: Rule, entity: str, track: Track, point: Point, fresh: bool) -> list[Change]:
    """Raise an episode again that nobody has been notified of: it was historical or muted so far."""
    episode = track.episode
    assert episode is not None
    is_newest = point.at_ms == track.points[-1].at_ms
    if episode.notified or not (fresh and is_newest and breaches(rule, point)) or rule.is_muted(point.at_ms):
        return []
    episode.historical, episode.notified = False, True
    return [_change(rule, entity, track, point, RAISED, False)]


def _flips(rule: Rule, track: Track, at_ms: int) -> bool:
    """Count a raise or clear; True if there have been too many."""
    if rule.flapping is None:
        return False
    since = at_ms - rule.flapping.within_ms
    track.flips = [*(flip for flip in track.flips if flip > since), at_ms]
    return len(track.flips) > rule.flapping.changes


def _end(rule: Rule, entity: str, track: Track, point: Point, state: str, detail: str = "") -> Change:
    change = _change(rule, entity, track, point, state, rule.is_muted(point.at_ms), detail)
    track.episode = None
    track.ended_ms = point.at_ms
    _flips(rule, track, point.at_ms)
    return change


def _change(rule: Rule, entity: str, track: Track, point: Point, state: str, muted: bool, detail: str = "") -> Change:
    episode = track.episode
    assert episode is not None
    number, episode.changes = episode.changes, episode.changes + 1
    return Change(
        alert_id(rule.rule_id, entity, episode.start_ms),
        number,
        state,
        episode.rank,
        point.value,
        rule.threshold(episode.rank, point.value),
        episode.start_ms,
        point.at_ms,
        episode.historical,
        muted,
        episode.cost_u,
        detail,
    )
