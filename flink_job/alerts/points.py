"""Samples of one rule and entity in order of event time, and what can be said of a stretch of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import msgspec

from flink_job.alerts.rules import Rule


class Point(msgspec.Struct, array_like=True):
    """One value of the rule's signal."""

    at_ms: int
    interval_s: int
    revision: int
    value: float
    cost_u: int = 0


def insert(points: list[Point], point: Point) -> bool:
    """Put a sample in its place; False for a repeat or an older revision."""
    if not points or point.at_ms > points[-1].at_ms:
        points.append(point)
        return True
    at = bisect_left(points, point.at_ms, key=lambda p: p.at_ms)
    if points[at].at_ms != point.at_ms:
        points.insert(at, point)
        return True
    known = points[at]
    if point.revision < known.revision or point.value == known.value:
        return False
    points[at] = point
    return True


def sustained_rank(rule: Rule, points: list[Point], after_ms: int) -> int:
    """The highest rank that the last samples have kept up for the rule's `for` and `min_samples`; -1 for none."""
    for level in reversed(rule.levels):
        run = trailing_run(rule, points, lambda p, rank=level.rank: rule.rank_of(p.value) >= rank, after_ms)  # type: ignore[misc]
        if len(run) >= rule.min_samples and run and run[-1].at_ms - run[0].at_ms >= rule.for_ms:
            return level.rank
    return -1


def trailing_run(rule: Rule, points: list[Point], kept: Callable[[Point], bool], after_ms: int) -> list[Point]:
    """The last samples that follow each other without a gap and are all `kept`, later than `after_ms`."""
    first = len(points)
    while (
        first > 0
        and kept(points[first - 1])
        and points[first - 1].at_ms > after_ms
        and (first == len(points) or follows(rule, points[first - 1], points[first]))
    ):
        first -= 1
    return points[first:]


def follows(rule: Rule, earlier: Point, later: Point) -> bool:
    return later.at_ms - earlier.at_ms <= rule.gap_ms(max(earlier.interval_s, later.interval_s))


def breaches(rule: Rule, point: Point) -> bool:
    return rule.rank_of(point.value) >= 0


def prune(rule: Rule, points: list[Point]) -> None:
    """Drop samples that cannot matter any more."""
    memory_ms = rule.memory_ms + rule.gap_ms(points[-1].interval_s)
    keep_ms = points[-1].at_ms - memory_ms
    excess = index_of(points, keep_ms) - 1
    if excess > 0 and len(points) - excess > rule.min_samples:
        del points[:excess]


def index_of(points: list[Point], at_ms: int) -> int:
    return bisect_left(points, at_ms, key=lambda p: p.at_ms)
