"""Samples of one rule and entity in order of event time, and queries on runs of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import msgspec

from flink_job.alerts.rules import Rule


class Point(msgspec.Struct, array_like=True):
    """A value of the rule's signal at event time `at_ms`; `cost_u` is in 1e-6 of the currency."""

    at_ms: int
    interval_s: int
    revision: int
    value: float
    cost_u: int = 0


def insert(points: list[Point], point: Point) -> bool:
    """Insert a point in order of event time; returns False for a duplicate or an older revision."""
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
    """The highest rank that the last points have sustained for the rule's `for` and `min_samples`, or -1."""
    for level in reversed(rule.levels):
        run = trailing_run(rule, points, lambda p, rank=level.rank: rule.rank_of(p.value) >= rank, after_ms)  # type: ignore[misc]
        if len(run) >= rule.min_samples and run and run[-1].at_ms - run[0].at_ms >= rule.for_ms:
            return level.rank
    return -1


def trailing_run(rule: Rule, points: list[Point], predicate: Callable[[Point], bool], after_ms: int) -> list[Point]:
    """The last points, without a gap between them, that are later than `after_ms` and all satisfy `predicate`."""
    first = len(points)
    while (
        first > 0
        and predicate(points[first - 1])
        and points[first - 1].at_ms > after_ms
        and (first == len(points) or is_consecutive(rule, points[first - 1], points[first]))
    ):
        first -= 1
    return points[first:]


def is_consecutive(rule: Rule, earlier: Point, later: Point) -> bool:
    """True if there is no gap between two points."""
    return later.at_ms - earlier.at_ms <= rule.gap_ms(max(earlier.interval_s, later.interval_s))


def breaches(rule: Rule, point: Point) -> bool:
    """True if the value breaches some level of the rule."""
    return rule.rank_of(point.value) >= 0


def prune(rule: Rule, points: list[Point]) -> None:
    """Remove points that cannot affect the outcome any more."""
    memory_ms = rule.memory_ms + rule.gap_ms(points[-1].interval_s)
    excess = index_of(points, points[-1].at_ms - memory_ms) - 1
    if excess > 0 and len(points) - excess > rule.min_samples:
        del points[:excess]


def index_of(points: list[Point], at_ms: int) -> int:
    """The index of the first point at or after `at_ms`."""
    return bisect_left(points, at_ms, key=lambda p: p.at_ms)
