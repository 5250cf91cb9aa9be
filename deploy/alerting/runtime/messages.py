"""Messages in plain words: what, where, since when, how far over the limit, what it cost, where to look."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .model import SEVERITIES

_VERBS = {
    "raised": "",
    "escalated": "worse: ",
    "eased": "better: ",
    "flapping": "keeps coming and going: ",
    "cleared": "over: ",
    "latched": "over, to be acknowledged: ",
}
MAX_LISTED = 20
#: Length of an SNS subject.
MAX_SUBJECT = 100


def subject(rows: list[dict[str, Any]]) -> str:
    """One line: the worst alert, and how many more there are."""
    worst = max(rows, key=lambda row: SEVERITIES.index(row["severity"]))
    more = f" (+{len(rows) - 1} more)" if len(rows) > 1 else ""
    text = f"[{worst['severity']}] {_VERBS[worst['state']]}{worst['title']} - {worst['entity']}"
    text = "".join(sign if 32 <= ord(sign) < 127 else "?" for sign in text)
    return text[: MAX_SUBJECT - len(more)] + more


def body(rows: list[dict[str, Any]], link: str) -> str:
    """A paragraph for each alert."""
    parts = [paragraph(row, link) for row in rows[:MAX_LISTED]]
    if len(rows) > MAX_LISTED:
        parts.append(f"... and {len(rows) - MAX_LISTED} more.")
    return "\n\n".join(parts)


def paragraph(row: dict[str, Any], link: str) -> str:
    """What there is to say of one change."""
    lines = [f"{row['severity'].upper()} {_VERBS[row['state']]}{row['title']}"]
    where = row["site_path"] if row["site_path"].endswith(row["entity"]) else f"{row['site_path']} ({row['entity']})"
    lines.append(f"Where: {where}")
    lines.append(f"Since: {_minute(row['episode_start'])} UTC; this change: {_minute(row['event_time'])} UTC")
    lines.append(_comparison(row))
    if row.get("currency") and float(row.get("cost") or 0):
        lines.append(f"Cost so far: {float(row['cost']):,.2f} {row['currency']}")
    if row.get("detail"):
        lines.append(f"Why: {row['detail']}")
    if row.get("hint") and row["state"] not in ("cleared", "latched"):
        lines.append(f"What to do: {row['hint']}")
    if link:
        lines.append(f"Look: {link}{row['alert_id']}")
    return "\n".join(lines)


def short(row: dict[str, Any]) -> str:
    """One line of an alert, for text messages and digests."""
    return f"{row['severity']}: {_VERBS[row['state']]}{row['title']}, {row['entity']}"


def digest(suppressed: list[dict[str, Any]], count: int) -> str:
    """What was not sent one by one."""
    rules = Counter(f"{row['title']} ({row['severity']})" for row in suppressed)
    listed = "\n".join(f"  {number} x {what}" for what, number in rules.most_common(MAX_LISTED))
    return f"{count} notices were held back so as not to flood you:\n{listed}"


def _comparison(row: dict[str, Any]) -> str:
    if row["signal"] == "no_data":
        return f"Silent for {_span(row['value'])} (limit {_span(row['threshold'])})"
    unit = f" {row['unit']}" if row["unit"] else ""
    signal = row["signal"].removeprefix("kpi.").replace("_", " ")
    return f"Value: {signal} {row['value']:,.6g}{unit}, limit {row['threshold']:,.6g}{unit}"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _minute(timestamp: str) -> str:
    return timestamp[:16].replace("T", " ")
