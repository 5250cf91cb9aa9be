"""Retained state of one rule and entity."""

from __future__ import annotations

import msgspec

from flink_job.alerts.points import Point
from flink_job.alerts.rules import CLEAR, Rule

NEVER_MS = -(1 << 62)


class Episode(msgspec.Struct, array_like=True):
    """An alert that has not ended.

    `notified`: a change that was neither historical nor muted has been emitted. `worst` is the value that raised or
    escalated it, `changes` the number of changes so far, `cost_u` the cost so far in 1e-6 of the currency.
    """

    start_ms: int
    rank: int
    changes: int
    historical: bool
    notified: bool
    flapping: bool
    cost_u: int
    worst: float


class Track(msgspec.Struct, array_like=True):
    """Recent points in order of event time, and the episode in them.

    `ended_ms`: end of the last episode; points up to it belong to no other. `flips`: times of recent raises and clears.
    """

    points: list[Point] = []
    episode: Episode | None = None
    ended_ms: int = NEVER_MS
    flips: list[int] = []

    def is_clear(self, rule: Rule) -> bool:
        """True if there was no episode and every point is clear."""
        return (
            self.episode is None
            and self.ended_ms == NEVER_MS
            and all(rule.rank_of(point.value) == CLEAR for point in self.points)
        )


class RuleState(msgspec.Struct, array_like=True):
    """Both tracks of a rule and entity: `live`, and `past` for samples that arrive long after their event time.

    `subject` is that of the rule (Rule.subject), empty in state of earlier versions.
    """

    live: Track = msgspec.field(default_factory=Track)
    past: Track | None = None
    subject: str = ""
