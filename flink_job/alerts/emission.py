"""Changes of an episode as they are emitted."""

from __future__ import annotations

from flink_job.alerts.changes import CLEARED, LATCHED, Change, alert_id
from flink_job.alerts.points import Point
from flink_job.alerts.rules import Rule
from flink_job.alerts.tracks import Episode


def change_of(
    rule: Rule, entity: str, episode: Episode, point: Point, state: str, muted: bool, detail: str = ""
) -> Change:
    """The next change of an episode, at a sample."""
    number, episode.changes = episode.changes, episode.changes + 1
    return Change(
        alert_id(rule.rule_id, entity, episode.start_ms),
        number,
        state,
        episode.rank,
        point.value,
        rule.threshold(episode.rank, point.value),
        episode.begins_ms,
        point.at_ms,
        episode.historical,
        muted,
        episode.cost_u + episode.late_cost_u,
        detail,
    )


def ended_state(rule: Rule) -> str:
    """The state of an alert of the rule after its end."""
    return LATCHED if rule.latch else CLEARED
