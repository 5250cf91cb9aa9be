"""Tables and charts that the `alerts` commands print."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.table import Table

from flink_job.alerts.changes import ENDED
from flink_job.alerts.durations import show_duration
from flink_job.alerts.rules import SEVERITIES

if TYPE_CHECKING:
    from flink_job.alerts.explain import Explained
    from flink_job.alerts.rows import AlertRow
    from flink_job.alerts.rules import Rule, RuleSet
    from flink_job.alerts.samples import Batch

_BLOCKS = "▁▂▃▄▅▆▇█"
CHART_WIDTH = 96
DAY_MS = 86_400_000
#: Columns of the replay tables; `historical` counts the alerts that nobody would have been notified of, muted ones too.
COUNTS = ("alerts", "notified", "notified/day", "historical", "flapping", "still active", "median duration", "worst")
#: Totals of alert_health by site.
HEALTH = """
SELECT site, COUNT(*) AS hours, SUM(alerts), MAX(alerts), MAX(most_in_10_min),
  SUM(CASE WHEN is_flood THEN 1 ELSE 0 END), SUM(chattering), SUM(standing), SUM(acknowledged),
  SUM(mean_time_to_acknowledge_s * acknowledged) / NULLIF(SUM(acknowledged), 0),
  date_diff('hour', MIN(hour), MAX(hour)) + 1
FROM alert_health GROUP BY site ORDER BY site
"""


def chart(rule: Rule, rows: Sequence[Explained]) -> str:
    """The highest values over time as a line of blocks, and below it the phases of the alert."""
    size = max(1, -(-len(rows) // CHART_WIDTH))
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    low, high = min(row.value for row in rows), max(row.value for row in rows)
    peaks = [max(row.value for row in part) for part in parts]
    line = "".join(_BLOCKS[int((peak - low) / ((high - low) or 1) * 7.99)] for peak in peaks)
    marks = "".join(_mark(part) for part in parts)
    limits = ", ".join(level.condition.text for level in rule.levels if level.condition)
    scale = f"{rule.signal} from {low:g} to {high:g} {rule.unit}; limit {limits}"
    span = f"{_time(rows[0].at_ms)} to {_time(rows[-1].at_ms)} UTC"
    return f"{scale}\n{line}\n{marks}\n({span}; ! raised, # active, ~ pending or recovering)"


def _mark(part: Sequence[Explained]) -> str:
    if any(change.state in ("raised", "flapping") for row in part for change in row.changes):
        return "!"
    phases = " ".join(row.phase for row in part)
    return (
        "#" if "active" in phases or "flapping" in phases else "~" if "pending" in phases or "recov" in phases else " "
    )


def explained_table(rule: Rule, rows: Sequence[Explained]) -> Table:
    """A row per sample."""
    table = Table("interval (UTC)", "arrived", f"{rule.signal} {rule.unit}".strip(), "evaluation", "phase", "change")
    table.columns[2].justify = "right"
    for row in rows:
        late = f"+{show_duration(row.late_ms)}" if row.late_ms > 0 else ""
        changes = ", ".join(
            f"{change.state}{' (historical)' if change.historical else ''}{' (muted)' if change.muted else ''}"
            for change in row.changes
        )
        table.add_row(_time(row.at_ms), late, f"{row.value:g}", row.evaluation, row.phase, changes)
    return table


def replay_table(rules: RuleSet, rows: Sequence[AlertRow], batches: Sequence[Batch]) -> Table:
    """A row per rule: the alerts that it would have raised."""
    days = _days(batches)
    table = Table("rule", *COUNTS)
    for rule in rules.rules:
        found = [row for row in rows if row.rule_id == rule.rule_id]
        table.add_row(rule.rule_id, *_counts(found, days))
    table.title = f"{days:.1f} days, {len({batch.entity for batch in batches})} entities"
    return table


def limits_table(rows_by_limit: dict[str, list[AlertRow]], batches: Sequence[Batch]) -> Table:
    """A row per limit: the alerts that the rule would have raised."""
    days = _days(batches)
    table = Table("limit", *COUNTS)
    for limit, rows in rows_by_limit.items():
        table.add_row(limit, *_counts(rows, days))
    return table


def health_table(rows: Sequence[Sequence[object]], operators: int) -> Table:
    """A column per site, compared with the targets of ISA-18.2 and EEMUA 191."""
    table = Table("", *(str(row[0]) for row in rows), "target")
    numbers = [[float(str(value)) if value is not None else None for value in row[1:]] for row in rows]

    def line(name: str, values: list[str], target: str) -> None:
        table.add_row(name, *values, target)

    line("alerts notified", [f"{n[1]:,.0f}" for n in numbers], "")
    line("per operator and hour", [f"{(n[1] or 0) / (n[9] or 1) / operators:.1f}" for n in numbers], "below 6")
    line("maximum per hour", [f"{n[2]:,.0f}" for n in numbers], "")
    line("maximum per ten minutes", [f"{n[3]:,.0f}" for n in numbers], "at most 10")
    line("hours with a flood", [f"{n[4]:,.0f}" for n in numbers], "0")
    line("chattering raises", [f"{n[5]:,.0f}" for n in numbers], "0")
    line("standing over a day", [f"{n[6]:,.0f}" for n in numbers], "below 5")
    line("acknowledged", [f"{n[7]:,.0f}" for n in numbers], "all")
    line("mean time to acknowledge", [show_duration(int(n[8] * 1000)) if n[8] else "-" for n in numbers], "")
    return table


def _counts(rows: Sequence[AlertRow], days: float) -> list[str]:
    by_alert: dict[str, list[AlertRow]] = defaultdict(list)
    for row in rows:
        by_alert[row.alert_id].append(row)
    notified = sum(
        any(not r.historical and not r.muted and r.state in ("raised", "flapping") for r in found)
        for found in by_alert.values()
    )
    ended = [found for found in by_alert.values() if found[-1].state in ENDED]
    lengths = sorted(found[-1].event_ms - found[-1].episode_ms for found in ended)
    flapping = sum(any(r.state == "flapping" for r in found) for found in by_alert.values())
    worst = max((SEVERITIES.index(row.severity) for row in rows), default=-1)
    return [
        f"{len(by_alert):,}",
        f"{notified:,}",
        f"{notified / days:.1f}",
        f"{len(by_alert) - notified:,}",
        f"{flapping:,}",
        f"{len(by_alert) - len(ended):,}",
        show_duration(lengths[len(lengths) // 2]) if lengths else "-",
        SEVERITIES[worst] if worst >= 0 else "-",
    ]


def _days(batches: Sequence[Batch]) -> float:
    arrivals = [batch.samples[0].at_ms for batch in batches]
    return max((max(arrivals) - min(arrivals)) / DAY_MS, 1 / 24)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%m-%d %H:%M")
