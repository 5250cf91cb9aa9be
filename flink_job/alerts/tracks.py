"""Retained state of one rule and entity."""

from __future__ import annotations

import msgspec

from flink_job.alerts.points import Point
from flink_job.alerts.rules import CLEAR, Rule

NEVER_MS = -(1 << 62)
#: Episodes that are kept after their end.
MAX_ENDED = 8


class Episode(msgspec.Struct, array_like=True):
    """An alert; of the live track, one that has not ended.

    `notified`: a change that was neither historical nor muted has been emitted. `worst` is the value that raised or
    escalated it, `changes` the number of changes so far, `cost_u` the cost so far in 1e-6 of the currency.
    `start_ms` makes the id and stays; late samples may show that it began at `since_ms`, with `late_cost_u` before.
    `is_past`: it was found when newer samples were known.
    """

    start_ms: int
    rank: int
    changes: int
    historical: bool
    notified: bool
    flapping: bool
    cost_u: int
    worst: float
    since_ms: int | None = None
    late_cost_u: int = 0
    ended_ms: int | None = None
    is_past: bool = False

    @property
    def begins_ms(self) -> int:
        """The beginning, which late samples may have shown to be earlier."""
        return self.start_ms if self.since_ms is None else self.since_ms


class Track(msgspec.Struct, array_like=True):
    """Recent points in order of event time, and the episode in them.

    `ended_ms`: end of the last episode; points up to it belong to no other. `flips`: times of recent raises and clears.
    `ended` are the last episodes that ended, `head` are the points before the latest one. Of late samples there are
    `episodes`, which may have ended, and the arrival of the last sample.
    """

    points: list[Point] = []
    episode: Episode | None = None
    ended_ms: int = NEVER_MS
    flips: list[int] = []
    ended: list[Episode] = []
    head: list[Point] = []
    episodes: list[Episode] = []
    arrival_ms: int = 0

    @property
    def known(self) -> list[Episode]:
        """The last episodes that ended, and the open one, in order of event time."""
        return self.ended if self.episode is None else [*self.ended, self.episode]

    @property
    def start_ms(self) -> int:
        """Start of the latest episode."""
        known = self.known
        return known[-1].start_ms if known else NEVER_MS

    @property
    def is_open(self) -> bool:
        """True if some episode has not ended."""
        return self.episode is not None or any(episode.ended_ms is None for episode in self.episodes)

    def is_clear(self, rule: Rule) -> bool:
        """True if there was no episode and every point is clear."""
        return (
            self.episode is None
            and not self.episodes
            and self.ended_ms == NEVER_MS
            and all(rule.rank_of(point.value) == CLEAR for point in self.points)
        )


class RuleState(msgspec.Struct, array_like=True):
    """Both tracks of a rule and entity: `live`, and `past` for late samples (flink_job.alerts.late).

    `subject` is that of the rule (Rule.subject), empty in state of earlier versions.
    """

    live: Track = msgspec.field(default_factory=Track)
    past: Track | None = None
    subject: str = ""
