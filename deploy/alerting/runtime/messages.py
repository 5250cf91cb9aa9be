"""Texts of messages: title, place, time, value and limit, cost, hint and link of each alert."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .model import ENDED, SEVERITIES

_STATES = {
    "raised": "",
    "escalated": "escalated: ",
    "eased": "eased: ",
    "flapping": "flapping: ",
    "cleared": "cleared: ",
    "latched": "latched, please acknowledge: ",
    "closed": "closed by hand: ",
}
#: Alerts, or rules of a digest, that a message lists.
MAX_LISTED = 20
#: Maximum length of an SNS subject.
MAX_SUBJECT = 100


def subject(rows: list[dict[str, Any]]) -> str:
    """The subject line: the alert of highest severity, and the number of further ones; printable ASCII."""
    worst = max(rows, key=lambda row: SEVERITIES.index(row["severity"]))
    more = f" (+{len(rows) - 1} more)" if len(rows) > 1 else ""
    text = f"[{worst['severity']}] {_STATES[worst['state']]}{worst['title']} - {worst['entity']}"
    text = "".join(sign if 32 <= ord(sign) < 127 else "?" for sign in text)
    return text[: MAX_SUBJECT - len(more)] + more


def body(rows: list[dict[str, Any]], link: str) -> str:
    """The text of a message: a paragraph per alert, at most MAX_LISTED."""
    parts = [paragraph(row, link) for row in rows[:MAX_LISTED]]
    if len(rows) > MAX_LISTED:
        parts.append(f"... and {len(rows) - MAX_LISTED} more.")
    return "\n\n".join(parts)


def paragraph(row: dict[str, Any], link: str) -> str:
    """The paragraph of one change."""
    lines = [f"{row['severity'].upper()} {_STATES[row['state']]}{row['title']}"]
    where = row["site_path"] if row["site_path"].endswith(row["entity"]) else f"{row['site_path']} ({row['entity']})"
    lines.append(f"Where: {where}")
    lines.append(f"Since: {_minute(row['episode_start'])} UTC; this change: {_minute(row['event_time'])} UTC")
    lines.append(_comparison(row))
    if row.get("currency") and float(row.get("cost") or 0):
        lines.append(f"Cost so far: {float(row['cost']):,.2f} {row['currency']}")
    if row.get("detail"):
        lines.append(f"Why: {row['detail']}")
    if row.get("hint") and row["state"] not in ENDED:
        lines.append(f"What to do: {row['hint']}")
    if link:
        lines.append(f"Details: {link}{row['alert_id']}")
    return "\n".join(lines)


def short(row: dict[str, Any]) -> str:
    """One line about a change, for text messages."""
    return f"{row['severity']}: {_STATES[row['state']]}{row['title']}, {row['entity']}"


def digest(suppressed: list[dict[str, Any]], count: int) -> str:
    """The text of a digest: notifications held back, counted by rule and severity."""
    rules = Counter(f"{row['title']} ({row['severity']})" for row in suppressed)
    listed = "\n".join(f"  {number} x {what}" for what, number in rules.most_common(MAX_LISTED))
    return f"{count} notifications were held back to limit the message rate:\n{listed}"


def _comparison(row: dict[str, Any]) -> str:
    if row["signal"] == "no_data":
        return f"No data for {_span(row['value'])} (limit {_span(row['threshold'])})"
    unit = f" {row['unit']}" if row["unit"] else ""
    signal = row["signal"].removeprefix("kpi.").replace("_", " ")
    return f"Value: {signal} {row['value']:,.6g}{unit}, limit {row['threshold']:,.6g}{unit}"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _minute(timestamp: str) -> str:
    return timestamp[:16].replace("T", " ")
