"""The machine of one rule and entity: samples in, changes of alerts out, all in event time.

A track keeps the samples of the last while, in order of event time whatever the order of arrival, and looks at them
anew with each one that comes. So a duration counts over what was observed: from the first to the last of consecutive
samples, none further from the next than the rule's gap. Nothing happens without a sample: silence neither raises nor
clears.

Two tracks for each rule and entity: `live`, and `past` for what arrives long after its time. What is found in old
samples is historical; when fresh samples go on with it, the alert is raised again as a live one, under the same name.
"""

from __future__ import annotations

import msgspec

from flink_job.alerts.changes import CLEARED, EASED, ESCALATED, FLAPPING, LATCHED, RAISED, Change, alert_id
from flink_job.alerts.points import Point, breaches, follows, index_of, insert, prune, sustained_rank, trailing_run
from flink_job.alerts.rules import CLEAR, CLOCK_TOLERANCE_MS, Rule

NEVER_MS = -(1 << 62)


class Episode(msgspec.Struct, array_like=True):
    """An alert that is not over. `notified`: a change that was neither historical nor muted has been emitted."""

    start_ms: int
    rank: int
    changes: int
    historical: bool
    notified: bool
    flapping: bool
    cost_u: int
    worst: float


class Track(msgspec.Struct, array_like=True):
    """Samples of the last while and the episode in them. Event time up to `ended_ms` has had its episode."""

    points: list[Point] = []
    episode: Episode | None = None
    ended_ms: int = NEVER_MS
    flips: list[int] = []


class RuleState(msgspec.Struct, array_like=True):
    """Both tracks of a rule and entity."""

    live: Track = msgspec.field(default_factory=Track)
    past: Track | None = None


def is_idle(rule: Rule, state: RuleState) -> bool:
    """True when forgetting the state changes nothing: no episode is or was, and nothing breaches."""
    return state.past is None and _is_quiet(rule, state.live)


def step(rule: Rule, entity: str, state: RuleState, point: Point, arrival_ms: int) -> list[Change]:
    """Take a sample in; returns the changes that follow from it."""
    if point.at_ms > arrival_ms + CLOCK_TOLERANCE_MS:
        return []
    if not rule.applies(point.at_ms):
        return _leave(rule, entity, state, point)
    fresh = arrival_ms - (point.at_ms + point.interval_s * 1000) <= rule.horizon_ms
    live = state.live.points
    if fresh or not live or point.at_ms >= live[0].at_ms:
        return _observe(rule, entity, state.live, point, fresh)
    return _observe_past(rule, entity, state, point)


def restore(rule: Rule, state: RuleState, point: Point) -> None:
    """Put back a sample that was taken in before and led to nothing, without judging it again."""
    track = state.live
    if rule.applies(point.at_ms):
        insert(track.points, point)
        prune(rule, track.points)
    elif not track.points or point.at_ms >= track.points[-1].at_ms:
        track.points.clear()


def _observe_past(rule: Rule, entity: str, state: RuleState, point: Point) -> list[Change]:
    """A sample from before all that is known live: a historical record at most."""
    found: list[Change] = []
    if state.past is not None and state.past.points and point.at_ms < state.past.points[0].at_ms:
        found += close(rule, entity, state.past, "older readings arrived")
        state.past = None
    state.past = state.past or Track()
    found += _observe(rule, entity, state.past, point, False)
    if _is_quiet(rule, state.past):
        state.past = None
    return found


def _leave(rule: Rule, entity: str, state: RuleState, point: Point) -> list[Change]:
    """A sample outside the rule's calendar: nothing is pending any more, and what is active is over."""
    track = state.live
    if track.points and point.at_ms < track.points[-1].at_ms:
        return []
    found = close(rule, entity, track, "outside the rule's calendar", point.at_ms)
    track.points.clear()
    return found


def close(rule: Rule, entity: str, track: Track, detail: str, at_ms: int | None = None) -> list[Change]:
    """End the track's episode for a reason other than its samples."""
    if track.episode is None:
        return []
    last = track.points[-1] if track.points else Point(track.episode.start_ms, 0, 0, track.episode.worst)
    point = last if at_ms is None else Point(at_ms, 0, 0, last.value)
    return [_end(rule, entity, track, point, CLEARED, detail)]


def _observe(rule: Rule, entity: str, track: Track, point: Point, fresh: bool) -> list[Change]:
    if not insert(track.points, point):
        return []
    if track.episode is None:
        found = _maybe_raise(rule, entity, track, point, fresh)
    else:
        if point.at_ms >= track.episode.start_ms:
            track.episode.cost_u += point.cost_u
        found = _go_on(rule, entity, track, point, fresh)
    prune(rule, track.points)
    return found


def _maybe_raise(rule: Rule, entity: str, track: Track, point: Point, fresh: bool) -> list[Change]:
    """Raise where the breach that `point` belongs to has lasted; a page only if it still does."""
    if not breaches(rule, point) or point.at_ms <= track.ended_ms:
        return []
    points = track.points
    last = index_of(points, point.at_ms)
    while last + 1 < len(points) and follows(rule, points[last], points[last + 1]) and breaches(rule, points[last + 1]):
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
    # A breach found late may be over already.
    return found + (_go_on(rule, entity, track, points[-1], False) if last < len(points) - 1 else [])


def _go_on(rule: Rule, entity: str, track: Track, point: Point, fresh: bool) -> list[Change]:
    """What a sample does to an active episode: more or less severe, live after all, notified after a mute, over."""
    episode, points = track.episode, track.points
    assert episode is not None
    newest = points[-1]
    clear = trailing_run(rule, points, lambda p: rule.rank_of(p.value) == CLEAR, episode.start_ms)
    if clear and clear[-1].at_ms - clear[0].at_ms >= required_clear_ms(rule, episode):
        return [_end(rule, entity, track, newest, LATCHED if rule.latch else CLEARED)]
    if episode.flapping:
        return []
    found = _announce(rule, entity, track, point, fresh)
    rank = sustained_rank(rule, points, episode.start_ms - 1)
    lower = trailing_run(rule, points, lambda p: rule.rank_of(p.value) < episode.rank, episode.start_ms)
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
    """How long it must be seen clear to be over."""
    if episode.flapping and rule.flapping is not None:
        return max(rule.clear_for_ms, rule.flapping.within_ms)
    return rule.clear_for_ms


def _announce(rule: Rule, entity: str, track: Track, point: Point, fresh: bool) -> list[Change]:
    """Raise again what has only been a record so far: found in old samples, or while muted."""
    episode = track.episode
    assert episode is not None
    is_newest = point.at_ms == track.points[-1].at_ms
    if episode.notified or not (fresh and is_newest and breaches(rule, point)) or rule.is_muted(point.at_ms):
        return []
    episode.historical, episode.notified = False, True
    return [_change(rule, entity, track, point, RAISED, False)]


def _flips(rule: Rule, track: Track, at_ms: int) -> bool:
    """Count a raise or clear; True when there have been too many."""
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


def _is_quiet(rule: Rule, track: Track) -> bool:
    return (
        track.episode is None
        and track.ended_ms == NEVER_MS
        and all(rule.rank_of(p.value) == CLEAR for p in track.points)
    )
