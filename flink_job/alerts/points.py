"""Samples of one rule and entity in order of event time, and queries on runs of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from flink_job.alerts.rules import CLEAR, Rule

#: Windows of an open alert that are kept: the hours of six weeks.
MAX_WINDOWS = 1000


class Point(msgspec.Struct, array_like=True):
    """A value of the rule's signal at event time `at_ms`; `cost_u` is in 1e-6 of the currency.

    It stands for all samples until `covers_ms` after it. The cost of a corrected reading is a difference, that of a
    corrected window its new total (`has_total_cost`).
    """

    at_ms: int
    interval_s: int
    revision: int
    value: float
    cost_u: int = 0
    covers_ms: int = 0


class Inserted(NamedTuple):
    """The effect of a point on those known: the value before at its time, None if there was none.

    `is_new`: the value is new or another one; `cost_u`: the change of the sum of costs.
    """

    is_new: bool
    cost_u: int
    before: float | None = None


def insert(rule: Rule, points: list[Point], point: Point) -> Inserted:
    """Insert a point in order of event time; a duplicate or an older revision has no effect."""
    if not points or point.at_ms > points[-1].at_ms:
        points.append(point)
        return Inserted(True, point.cost_u)
    at = bisect_left(points, point.at_ms, key=lambda p: p.at_ms)
    known = points[at]
    if known.at_ms != point.at_ms:
        points.insert(at, point)
        return Inserted(True, point.cost_u)
    if point.revision < known.revision or point == known:
        return Inserted(False, 0, known.value)
    cost_u = point.cost_u if rule.has_total_cost else known.cost_u + point.cost_u
    points[at] = Point(point.at_ms, point.interval_s, point.revision, point.value, cost_u, known.covers_ms)
    return Inserted(point.value != known.value, cost_u - known.cost_u, known.value)


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
    return later.at_ms - earlier.at_ms - earlier.covers_ms <= rule.gap_ms(max(earlier.interval_s, later.interval_s))


def breaches(rule: Rule, point: Point) -> bool:
    """True if the value breaches some level of the rule."""
    return rule.rank_of(point.value) >= 0


def is_clear(rule: Rule, point: Point) -> bool:
    """True if the value is clear for the rule."""
    return rule.rank_of(point.value) == CLEAR


def past_end(rule: Rule, points: list[Point], point: Point, start_ms: int, required_ms: int) -> Point | None:
    """The sample that ended an episode from `start_ms` on, by a run of clear samples with `point` that is over."""
    at = index_of(points, point.at_ms)
    following = next((later for later in range(at, len(points)) if not is_clear(rule, points[later])), len(points))
    if following == len(points):
        return None
    clear = trailing_run(rule, points[:following], lambda p: is_clear(rule, p), start_ms - 1)
    return next((p for p in clear if p.at_ms - clear[0].at_ms >= required_ms), None)


def clear_ms(last: Point, required_ms: int) -> int:
    """When an episode ends whose last breach is `last`, if all samples that follow are clear."""
    step_ms = last.interval_s * 1000
    return last.at_ms + last.covers_ms + step_ms - -required_ms // step_ms * step_ms


def last_of_run(rule: Rule, points: list[Point], required_ms: int) -> Point:
    """The last sample of an episode that begins with the first point, as if no clear sample were known."""
    last = points[0]
    for point in points[1:]:
        if not is_clear(rule, point):
            if point.at_ms > clear_ms(last, required_ms):
                break
            last = point
    return last


def ends_at(rule: Rule, following: list[Point], ended_ms: int | None) -> bool:
    """True if the first samples that are clear for long enough after a breach end its episode at `ended_ms`."""
    first: Point | None = None
    for number, point in enumerate(following):
        if number and not is_consecutive(rule, following[number - 1], point):
            first = None
        first = (first or point) if is_clear(rule, point) else None
        if first is not None and point.at_ms - first.at_ms >= rule.clear_for_ms:
            return point.at_ms == ended_ms
    return False


def prune(rule: Rule, points: list[Point], start_ms: int | None) -> None:
    """Remove points that cannot affect the outcome any more.

    Windows of an episode that began at `start_ms` are kept, up to MAX_WINDOWS: they can be corrected.
    """
    memory_ms = rule.memory_ms + rule.gap_ms(points[-1].interval_s)
    excess = index_of(points, points[-1].at_ms - memory_ms) - 1
    if start_ms is not None and rule.has_total_cost:
        excess = max(min(excess, index_of(points, start_ms)), len(points) - MAX_WINDOWS)
    if excess > 0 and len(points) - excess > rule.min_samples:
        del points[:excess]


def index_of(points: list[Point], at_ms: int) -> int:
    """The index of the first point at or after `at_ms`."""
    return bisect_left(points, at_ms, key=lambda p: p.at_ms)
