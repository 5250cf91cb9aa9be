"""Why a rule did or did not fire: its machine, seen sample by sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flink_job.alerts.changes import Change
from flink_job.alerts.durations import show_duration
from flink_job.alerts.episodes import RuleState, Track, required_clear_ms, step
from flink_job.alerts.points import Point, breaches, trailing_run
from flink_job.alerts.rules import CLEAR, HELD, SEVERITIES, Rule


class Explained(NamedTuple):
    """One sample: what it was to the rule, in what phase that left the machine, and the changes it made."""

    at_ms: int
    late_ms: int
    value: float
    judged: str
    phase: str
    changes: tuple[Change, ...]


def explain(rule: Rule, entity: str, points: Iterable[tuple[Point, int]]) -> Iterator[Explained]:
    """Each (sample, arrival) with what it leads to."""
    state = RuleState()
    for point, arrival_ms in points:
        changes = tuple(step(rule, entity, state, point, arrival_ms))
        late_ms = arrival_ms - point.at_ms - point.interval_s * 1000
        yield Explained(point.at_ms, late_ms, point.value, judged(rule, point), phase(rule, state, point), changes)


def judged(rule: Rule, point: Point) -> str:
    """What a value is to the rule, in words."""
    if not rule.applies(point.at_ms):
        return "outside the calendar"
    rank = rule.rank_of(point.value)
    if rank == CLEAR:
        return "clear"
    if rank == HELD:
        return "between limit and clear_at"
    condition = next(level.condition for level in rule.levels if level.rank == rank)
    return f"breach {condition.text if condition else ''} ({SEVERITIES[rank]})"


def phase(rule: Rule, state: RuleState, point: Point) -> str:
    """Where the machine stands after a sample: idle, pending, active, recovering, flapping."""
    track = state.live
    if state.past is not None and point in state.past.points:
        return "old: " + _phase(rule, state.past)
    return _phase(rule, track)


def _phase(rule: Rule, track: Track) -> str:
    points = track.points
    if track.episode is None:
        run = trailing_run(rule, points, lambda p: breaches(rule, p), track.ended_ms)
        if not run:
            return "idle"
        lasted = show_duration(run[-1].at_ms - run[0].at_ms)
        parts = [f"{lasted} of {show_duration(rule.for_ms)}"] if rule.for_ms else []
        parts += [f"{len(run)} of {rule.min_samples} samples"] if rule.min_samples > 1 else []
        return f"pending: {', '.join(parts)}" if parts else "idle: this time has had its alert"
    name = "flapping" if track.episode.flapping else f"active ({SEVERITIES[track.episode.rank]})"
    if track.episode.historical:
        name += ", a record"
    clear = trailing_run(rule, points, lambda p: rule.rank_of(p.value) == CLEAR, track.episode.start_ms)
    if not clear:
        return name
    lasted = show_duration(clear[-1].at_ms - clear[0].at_ms)
    return f"recovering: {lasted} of {show_duration(required_clear_ms(rule, track.episode))}"
