"""The live track of a rule and entity: each sample in order of event time, whether it arrives so or not.

A late sample may show that an episode began, ended or went on in the past. The episodes follow from the samples that
are known, in any order of arrival, as far as they are kept (flink_job.alerts.points.prune).
"""

from __future__ import annotations

import itertools

from flink_job.alerts.changes import EASED, ESCALATED, FLAPPING, RAISED, Change
from flink_job.alerts.emission import change_of, ended_state
from flink_job.alerts.late import CORRECTED, EARLIER
from flink_job.alerts.points import (
    Point,
    breaches,
    clear_ms,
    ends_at,
    index_of,
    insert,
    is_clear,
    is_consecutive,
    last_of_run,
    past_end,
    prune,
    sustained_rank,
    trailing_run,
)
from flink_job.alerts.rules import CLEAR, Rule
from flink_job.alerts.tracks import MAX_ENDED, NEVER_MS, Episode, Track


def observe_live(rule: Rule, entity: str, track: Track, point: Point, fresh: bool) -> list[Change]:
    """Insert a sample into a track; returns the changes. `fresh`: it arrived within the rule's horizon."""
    inserted = insert(rule, track.points, point)
    if track.episode is not None and point.at_ms >= track.episode.start_ms:
        track.episode.cost_u += inserted.cost_u
    if not inserted.is_new:
        return []
    found: list[Change] = []
    if track.episode is None:
        was_clear = inserted.before is None or rule.rank_of(inserted.before) == CLEAR
        if point.at_ms <= track.ended_ms and was_clear and breaches(rule, point):
            # The last episode may have ended with the sample that is corrected, or without the one that was missing.
            detail = CORRECTED if inserted.before is not None else EARLIER
            found = _reopen(rule, entity, track, point, inserted.cost_u, fresh, detail)
        found = found or _maybe_raise(rule, entity, track, point, fresh)
    else:
        found = _update(rule, entity, track, point, fresh)
    prune(rule, track.points, track.episode.start_ms if track.episode else None)
    return found


def _reopen(rule: Rule, entity: str, track: Track, point: Point, cost_u: int, fresh: bool, detail: str) -> list[Change]:
    """Raise the last episode again if a corrected or late sample shows that it went on; else end it before that."""
    points, at = track.points, index_of(track.points, point.at_ms)
    last = track.ended[-1] if track.ended else None
    clear = trailing_run(rule, points[:at], lambda p: is_clear(rule, p), last.start_ms - 1 if last else 0)
    has_ended = bool(clear) and clear[-1].at_ms - clear[0].at_ms >= rule.clear_for_ms
    if last is None or point.at_ms <= last.start_ms or has_ended:
        track.ended_ms = point.at_ms - 1
        if last is not None:
            last.ended_ms = track.ended_ms
        return []
    if detail == EARLIER and ends_at(rule, points[at + 1 :], last.ended_ms):
        last.cost_u += cost_u
        return []
    track.ended.pop()
    track.episode, last.ended_ms = last, None
    track.ended_ms = track.ended[-1].ended_ms or NEVER_MS if track.ended else NEVER_MS
    if points[0].at_ms <= last.start_ms:
        last.cost_u = sum(p.cost_u for p in points[index_of(points, last.start_ms) : at + 1])
    else:
        last.cost_u += cost_u
    is_newest, muted = at == len(points) - 1, rule.is_muted(point.at_ms)
    last.historical = not (fresh and is_newest)
    last.notified = not (last.historical or muted)
    found = [change_of(rule, entity, last, point, RAISED, muted, detail)]
    return found if is_newest else found + _update(rule, entity, track, points[-1], False)


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
    track.head = points[index_of(points, track.ended_ms) : index_of(points, run[0].at_ms)]
    flapping = _flips(rule, track, points[last].at_ms)
    track.episode.flapping = flapping
    found = [change_of(rule, entity, track.episode, points[last], FLAPPING if flapping else RAISED, muted)]
    if last == len(points) - 1:
        return found
    track.episode.is_past = True
    return found + _update(rule, entity, track, points[-1], False)


def _end_past(rule: Rule, entity: str, track: Track) -> list[Change]:
    """End an episode that was found late, after its last breach, if newer samples are known; raise what followed.

    Clear samples do not count: some may have been dropped before the breach arrived (flink_job.alerts.prefilter).
    """
    episode, points = track.episode, track.points
    assert episode is not None
    within = points[index_of(points, episode.start_ms) :]
    last = last_of_run(rule, within, required_clear_ms(rule, episode))
    end_ms = clear_ms(last, required_clear_ms(rule, episode))
    if points[-1].at_ms < end_ms or points[-1] is last:
        return []
    rest = points[index_of(points, end_ms) :]
    found = [end_live(rule, entity, track, Point(end_ms, last.interval_s, 0, last.value), ended_state(rule))]
    for later in rest:
        if track.episode is None:
            found += _maybe_raise(rule, entity, track, later, False)
    return found


def _update(rule: Rule, entity: str, track: Track, point: Point, fresh: bool) -> list[Change]:
    """Process a sample of an open episode: it ends, is raised again (live, or after a mute), escalates or eases."""
    episode, points = track.episode, track.points
    assert episode is not None
    newest = points[-1]
    if episode.is_past and episode.historical and (ended := _end_past(rule, entity, track)):
        return ended
    # The sample at the start is clear if it has been corrected.
    clear = trailing_run(rule, points, lambda p: is_clear(rule, p), episode.start_ms - 1)
    required_ms = required_clear_ms(rule, episode)
    if is_clear(rule, point) and (divided := _divide(rule, entity, track, point)):
        return divided
    if clear and clear[-1].at_ms - clear[0].at_ms >= required_ms:
        end = next(p for p in clear if p.at_ms - clear[0].at_ms >= required_ms)
        return [end_live(rule, entity, track, end, ended_state(rule))]
    if episode.flapping:
        return []
    found = _raise_again(rule, entity, track, point, fresh)
    rank = sustained_rank(rule, points, episode.start_ms - 1)
    lower = trailing_run(rule, points, lambda p: rule.rank_of(p.value) < episode.rank, episode.start_ms - 1)
    if rank > episode.rank:
        episode.rank, episode.worst = rank, newest.value
        found.append(change_of(rule, entity, episode, newest, ESCALATED, rule.is_muted(newest.at_ms)))
    elif lower and not clear and lower[-1].at_ms - lower[0].at_ms >= rule.clear_for_ms:
        top = max(rule.rank_of(p.value) for p in lower)
        if 0 <= top < episode.rank:
            episode.rank = top
            found.append(change_of(rule, entity, episode, newest, EASED, rule.is_muted(newest.at_ms)))
    return found


def _divide(rule: Rule, entity: str, track: Track, point: Point) -> list[Change]:
    """End an open episode in the past if a late sample shows that it was clear, and raise what followed as another."""
    episode = track.episode
    assert episode is not None
    end = past_end(rule, track.points, point, episode.start_ms, required_clear_ms(rule, episode))
    if end is None:
        return []
    rest = track.points[index_of(track.points, end.at_ms) + 1 :]
    episode.cost_u -= sum(p.cost_u for p in rest)
    found = [end_live(rule, entity, track, end, ended_state(rule))]
    for later in rest:
        if track.episode is None:
            found += _maybe_raise(rule, entity, track, later, not episode.historical)
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
    return [change_of(rule, entity, episode, point, RAISED, False)]


def _flips(rule: Rule, track: Track, at_ms: int) -> bool:
    """Count a raise or clear; True if there have been too many."""
    if rule.flapping is None:
        return False
    since = at_ms - rule.flapping.within_ms
    track.flips = [*(flip for flip in track.flips if flip > since), at_ms]
    return len(track.flips) > rule.flapping.changes


def end_live(rule: Rule, entity: str, track: Track, point: Point, state: str, detail: str = "") -> Change:
    assert track.episode is not None
    episode = track.episode
    change = change_of(rule, entity, episode, point, state, rule.is_muted(point.at_ms), detail)
    episode.ended_ms = point.at_ms
    track.episode, track.ended, track.ended_ms = None, [*track.ended, episode][-MAX_ENDED:], point.at_ms
    _flips(rule, track, point.at_ms)
    return change
