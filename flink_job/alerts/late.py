"""Samples that arrive long after their event time, in any order: a backlog, oldest first, newest first or mixed.

They are kept for a day, and evaluated together at each arrival (flink_job.alerts.spans). So a backlog makes the
episodes that it would have made in order, each with one alert, whose id is that of the beginning that was found first.
Samples before the latest episode of the live track, without a clear one between, belong to it: it began earlier.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from flink_job.alerts.changes import CLEARED, ESCALATED, RAISED, Change
from flink_job.alerts.emission import change_of, ended_state
from flink_job.alerts.points import Point, insert, is_consecutive
from flink_job.alerts.rules import Rule
from flink_job.alerts.spans import Span, spans_of
from flink_job.alerts.tracks import NEVER_MS, Episode, RuleState, Track

#: Late samples that are kept one by one; of more the oldest are merged.
MAX_LATE = 100
#: Time without a late sample after which they are forgotten [ms of arrival].
LATE_FOR_MS = 86_400_000

JOINED, CORRECTED = "part of a later alert", "the readings were corrected"
EARLIER, NO_MORE = "older readings arrived", "no more readings of that time arrived"


def observe_late(rule: Rule, entity: str, state: RuleState, point: Point, arrival_ms: int) -> list[Change]:
    """Process a sample that is older than the live track, or than its latest episode: its alert is historical."""
    late = state.past = state.past or Track()
    late.arrival_ms = arrival_ms
    if late.episode is not None:  # state of earlier versions
        late.episodes, late.episode = [*late.episodes, late.episode], None
    inserted = insert(rule, late.points, point)
    if not inserted.is_new and not inserted.cost_u:
        return []
    found = _evaluate(rule, entity, state.live, late, point.at_ms)
    _trim(rule, state.live, late)
    return found


def join_late(rule: Rule, entity: str, state: RuleState) -> list[Change]:
    """Evaluate the late samples before a new episode of the live track: it may have begun with them."""
    if state.past is None:
        return []
    return _evaluate(rule, entity, state.live, state.past, state.live.start_ms - 1)


def close_late(rule: Rule, entity: str, late: Track, detail: str) -> list[Change]:
    """End all episodes of late samples for another reason, `detail`."""
    return [change for e in late.episodes for change in _end(rule, entity, e, _newest(late, e), detail)]


def forget_late(rule: Rule, entity: str, state: RuleState, arrival_ms: int) -> list[Change]:
    """Forget late samples if none has arrived for a day; their open episodes end."""
    if state.past is None or arrival_ms - state.past.arrival_ms <= LATE_FOR_MS:
        return []
    found = close_late(rule, entity, state.past, NO_MORE)
    state.past = None
    return found


def _trim(rule: Rule, live: Track, late: Track) -> None:
    """Merge the oldest of too many samples, or forget the oldest; its cost stays in its episode."""
    while len(late.points) > MAX_LATE:
        oldest, following = late.points[:2]
        ranks = rule.rank_of(oldest.value), rule.rank_of(following.value)
        if is_consecutive(rule, oldest, following) and (ranks[0] == ranks[1] or min(ranks) >= 0):
            late.points[:2] = [_merged(oldest, following, following.value if ranks[0] > ranks[1] else oldest.value)]
            continue
        del late.points[0]
        for episode in late.episodes:
            if _was_open(episode, oldest.at_ms):
                episode.late_cost_u += oldest.cost_u
        for episode in live.known:
            if episode.begins_ms <= oldest.at_ms < episode.start_ms:
                episode.cost_u += oldest.cost_u


def _merged(earlier: Point, later: Point, value: float) -> Point:
    covers_ms = later.at_ms + later.covers_ms - earlier.at_ms
    cost_u = earlier.cost_u + later.cost_u
    return Point(earlier.at_ms, later.interval_s, later.revision, value, cost_u, covers_ms)


def _was_open(episode: Episode, at_ms: int) -> bool:
    return episode.begins_ms <= at_ms and (episode.ended_ms is None or at_ms <= episode.ended_ms)


def _evaluate(rule: Rule, entity: str, live: Track, late: Track, at_ms: int) -> list[Change]:
    """Evaluate the late samples between the episodes of the live track before and after a time."""
    before = [episode for episode in live.known if episode.start_ms <= at_ms]
    after = [episode for episode in live.known if episode.start_ms > at_ms]
    from_ms = (before[-1].ended_ms or NEVER_MS) if before else NEVER_MS
    until_ms = after[0].start_ms if after else -NEVER_MS
    points = [point for point in late.points if from_ms < point.at_ms < until_ms]
    if not points or at_ms <= from_ms:
        return []
    episodes = [episode for episode in late.episodes if from_ms < episode.start_ms < until_ms]
    carried = _carried([*episodes, *after[:1]], points[0])
    if after:
        spans = _spans_before(rule, points, live.head if len(after) == 1 else [], after[0], carried)
    else:
        spans = _spans_after(rule, points, live.points, carried)
    if carried:
        spans = [s._replace(start_ms=min(carried)) if s.includes(points[0].at_ms) else s for s in spans]
    joined = spans.pop() if after else None
    found = list(_reconcile(rule, entity, late, episodes, spans, joined))
    if joined is not None:
        found += _begin_earlier(rule, entity, after[0], joined)
    return found


def _carried(episodes: list[Episode], first: Point) -> set[int]:
    """Beginnings of episodes that go on at the first sample that is kept, and began with forgotten ones."""
    return {e.begins_ms for e in episodes if e.begins_ms < first.at_ms and _was_open(e, first.at_ms)}


def _spans_before(
    rule: Rule, points: list[Point], head: list[Point], live: Episode, carried: Collection[int]
) -> list[Span]:
    """The spans before a live episode, and then that of the episode, which may begin earlier than was known."""
    known = {point.at_ms: point for point in (*head, *points)}
    anchor = Point(live.start_ms, points[-1].interval_s, 0, live.worst)
    anchors = {anchor.at_ms, points[0].at_ms} if carried else {anchor.at_ms}
    return spans_of(rule, [*(known[at_ms] for at_ms in sorted(known)), anchor], anchors)


def _spans_after(rule: Rule, points: list[Point], live: list[Point], carried: Collection[int]) -> list[Span]:
    """The spans after the latest live episode; the samples of the live track that follow can end them."""
    newest = points[-1]
    following = [point for point in live if point.at_ms > newest.at_ms]
    if following and not is_consecutive(rule, newest, following[0]):
        following = []
    anchors = {points[0].at_ms} if carried else ()
    return [span for span in spans_of(rule, points + following, anchors) if span.start_ms <= newest.at_ms]


def _begin_earlier(rule: Rule, entity: str, episode: Episode, span: Span) -> Iterator[Change]:
    """Give a live episode the beginning of its span; only a historical one that has ended emits a change."""
    known = (episode.begins_ms, episode.late_cost_u)
    episode.since_ms, episode.late_cost_u = span.start_ms, span.cost_u
    if episode.ended_ms is not None and episode.historical and known != (span.start_ms, span.cost_u):
        end = Point(episode.ended_ms, 0, 0, episode.worst)
        yield _change(rule, entity, episode, end, ended_state(rule), EARLIER)


def _reconcile(
    rule: Rule, entity: str, late: Track, episodes: list[Episode], spans: list[Span], joined: Span | None
) -> Iterator[Change]:
    """Make the known episodes those of the spans, and yield the changes."""
    placed = set()
    for span in spans:
        known = [episode for episode in episodes if span.includes(episode.start_ms)]
        placed |= {episode.start_ms for episode in known}
        if known:
            yield from _extend(rule, entity, known[0], span)
            for other in known[1:]:
                yield from _withdraw(rule, entity, other, JOINED)
        else:
            episode = Episode(span.start_ms, span.rank, 0, True, False, False, span.cost_u, span.raised.value)
            late.episodes.append(episode)
            placed.add(episode.start_ms)
            yield _change(rule, entity, episode, span.raised, RAISED)
            if span.ended is not None:
                yield from _end(rule, entity, episode, span.ended)
    for episode in episodes:
        if episode.start_ms not in placed:
            is_joined = joined is not None and joined.includes(episode.start_ms)
            yield from _withdraw(rule, entity, episode, JOINED if is_joined else CORRECTED)


def _extend(rule: Rule, entity: str, episode: Episode, span: Span) -> Iterator[Change]:
    """Give an episode the beginning, end, cost and severity of its span."""
    known = (episode.begins_ms, episode.cost_u, episode.ended_ms)
    has_ended = episode.ended_ms is not None
    episode.since_ms, episode.cost_u, episode.ended_ms = span.start_ms, span.cost_u, None
    if span.ended is not None:
        episode.rank = max(episode.rank, span.rank)
        if known == (span.start_ms, span.cost_u, span.ended.at_ms):
            episode.ended_ms = span.ended.at_ms
        else:
            yield from _end(rule, entity, episode, span.ended, EARLIER if has_ended else "")
    elif has_ended:
        yield _change(rule, entity, episode, span.raised, RAISED, EARLIER)
    if span.ended is None and span.rank > episode.rank:
        episode.rank = span.rank
        yield _change(rule, entity, episode, span.top, ESCALATED)


def _end(rule: Rule, entity: str, episode: Episode, point: Point, detail: str = "") -> Iterator[Change]:
    if episode.ended_ms is None:
        episode.ended_ms = point.at_ms
        yield _change(
            rule, entity, episode, point, CLEARED if detail and detail != EARLIER else ended_state(rule), detail
        )


def _withdraw(rule: Rule, entity: str, episode: Episode, detail: str) -> Iterator[Change]:
    """End an episode at its start: it does not exist by what is known now."""
    if episode.ended_ms != episode.start_ms:
        episode.ended_ms, episode.since_ms = episode.start_ms, None
        yield _change(rule, entity, episode, Point(episode.start_ms, 0, 0, episode.worst), CLEARED, detail)


def _change(rule: Rule, entity: str, episode: Episode, point: Point, state: str, detail: str = "") -> Change:
    return change_of(rule, entity, episode, point, state, rule.is_muted(point.at_ms), detail)


def _newest(late: Track, episode: Episode) -> Point:
    return late.points[-1] if late.points else Point(episode.start_ms, 0, 0, episode.worst)
