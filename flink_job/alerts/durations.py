"""Durations in rules documents: `90s`, `10m`, `1h30m`, `2d`."""

from __future__ import annotations

import re

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"(\d+)(ms|s|m|h|d)")


def parse_duration(text: str) -> int:
    """Parse a duration to milliseconds. Raises ValueError with a valid example."""
    if not text or _PART.sub("", text):
        raise ValueError(f"{text!r} is not a duration; write 90s, 10m, 1h30m or 2d")
    return sum(int(number) * _UNITS_MS[unit] for number, unit in _PART.findall(text))


def show_duration(ms: int) -> str:
    """Format milliseconds in at most two units, such as `1h30m`."""
    if ms < 0:
        return f"-{show_duration(-ms)}"
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, ms = divmod(ms, _UNITS_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"
