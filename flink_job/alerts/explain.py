"""Explain why a rule did or did not fire: its state machine, sample by sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flink_job.alerts.changes import Change
from flink_job.alerts.clocks import Clock
from flink_job.alerts.durations import show_duration
from flink_job.alerts.episodes import step
from flink_job.alerts.live import required_clear_ms
from flink_job.alerts.points import Point, breaches, trailing_run
from flink_job.alerts.rules import CLEAR, HELD, SEVERITIES, Rule
from flink_job.alerts.tracks import RuleState, Track


class Explained(NamedTuple):
    """One sample: its evaluation by the rule, the phase of the state machine after it, and the changes it caused.

    `at_ms` is the start of its interval [epoch ms], `late_ms` how long after the end of the interval it arrived.
    """

    at_ms: int
    late_ms: int
    value: float
    evaluation: str
    phase: str
    changes: tuple[Change, ...]


def explain(rule: Rule, entity: str, points: Iterable[tuple[Point, int]]) -> Iterator[Explained]:
    """Yield the explanation of each (sample, time of arrival [epoch ms])."""
    state = RuleState()
    clock = Clock()
    for point, arrival_ms in points:
        late_ms = arrival_ms - point.at_ms - point.interval_s * 1000
        if not clock.counts(point.at_ms, arrival_ms):
            yield Explained(point.at_ms, late_ms, point.value, "ignored: begins after its arrival", "", ())
            continue
        changes = tuple(step(rule, entity, state, point, arrival_ms))
        yield Explained(point.at_ms, late_ms, point.value, evaluation(rule, point), phase(rule, state, point), changes)


def evaluation(rule: Rule, point: Point) -> str:
    """The evaluation of a sample in words: clear, breach, between limit and clear_at, or outside the calendar."""
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
    """The phase of the state machine after a sample: idle, pending, active, recovering or flapping."""
    track = state.live
    if state.past is not None and point in state.past.points:
        return "past: " + ("active, historical" if state.past.is_open else "idle")
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
        return f"pending: {', '.join(parts)}" if parts else "idle: an alert of this time has ended"
    name = "flapping" if track.episode.flapping else f"active ({SEVERITIES[track.episode.rank]})"
    if track.episode.historical:
        name += ", historical"
    clear = trailing_run(rule, points, lambda p: rule.rank_of(p.value) == CLEAR, track.episode.start_ms - 1)
    if not clear:
        return name
    lasted = show_duration(clear[-1].at_ms - clear[0].at_ms)
    return f"recovering: {lasted} of {show_duration(required_clear_ms(rule, track.episode))}"
