"""Episodes in samples that are all known: those that samples in order of event time would have made."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from flink_job.alerts.points import Point, clear_ms, is_consecutive
from flink_job.alerts.rules import CLEAR, Rule


class Span(NamedTuple):
    """An episode: its first breach, the samples that raised it and took it to its rank, and the one that ended it.

    `ended` is None if it has not ended.
    """

    start_ms: int
    raised: Point
    top: Point
    ended: Point | None
    rank: int
    cost_u: int

    def includes(self, at_ms: int) -> bool:
        """True if the time belongs to the episode."""
        return self.start_ms <= at_ms and (self.ended is None or at_ms < self.ended.at_ms)


def spans_of(rule: Rule, points: list[Point], anchors: Collection[int] = ()) -> list[Span]:
    """The episodes in points, which are in order of event time, by the rule's durations.

    At the times `anchors` an episode is known to be open: their points begin one if there is none. With a calendar, a
    gap ends an episode: the time between may have been outside it.
    """
    found: list[Span] = []
    opened: Span | None = None
    runs: dict[int, int] = {}
    last = points[0]
    for index, point in enumerate(points):
        if index and not is_consecutive(rule, points[index - 1], point):
            runs = {}
            if opened is not None and rule.active is not None:
                found.append(opened._replace(ended=points[index - 1]))
                opened = None
        rank = rule.rank_of(point.value)
        runs = {level.rank: runs.get(level.rank, index) for level in rule.levels if rank >= level.rank}
        last = last if rank == CLEAR else point
        lasting = [reached for reached, first in runs.items() if _lasts(rule, points, first, index)]
        if opened is None:
            if lasting or point.at_ms in anchors:
                run = points[min(runs.values(), default=index) : index + 1]
                rank = max(lasting, default=rule.levels[0].rank)
                opened = Span(run[0].at_ms, point, point, None, rank, sum(p.cost_u for p in run))
            continue
        opened = opened._replace(cost_u=opened.cost_u + point.cost_u)
        if lasting and max(lasting) > opened.rank:
            opened = opened._replace(rank=max(lasting), top=point)
        end_ms = clear_ms(last, rule.clear_for_ms)
        if rank == CLEAR and point.at_ms + point.covers_ms >= end_ms:
            found.append(opened._replace(ended=Point(end_ms, last.interval_s, 0, last.value)))
            opened = None
    return found + ([opened] if opened is not None else [])


def _lasts(rule: Rule, points: list[Point], first: int, last: int) -> bool:
    newest, oldest = points[last], points[first]
    has_enough = last - first + 1 >= rule.min_samples or oldest.covers_ms > 0
    return has_enough and newest.at_ms + newest.covers_ms - oldest.at_ms >= rule.for_ms
