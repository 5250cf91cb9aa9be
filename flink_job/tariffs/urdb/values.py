"""Values of a URDB record: numbers, dates, and what is nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any


def optional(key: str, value: Any) -> dict[str, Any]:
    return {key: value} if value else {}


def nonzero(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(nonzero(v) for v in value)
    if isinstance(value, dict):
        return any(nonzero(value.get(key)) for key in ("rate", "adj"))
    return value not in (None, "", 0)


def decimal(value: Any) -> Decimal:
    return Decimal(str(value))


def text(value: Any) -> str:
    """A decimal string of at most 9 decimals, without an exponent."""
    rounded = decimal(value).quantize(Decimal("1e-9"), ROUND_HALF_EVEN).normalize()
    return f"{rounded:f}"


def day(value: Any) -> str | None:
    """A date from epoch seconds, as the interface answers, or from ISO 8601, as exports have it."""
    if value in (None, ""):
        return None
    text = str(value)
    if text.lstrip("-").isdecimal():
        return datetime.fromtimestamp(int(text), UTC).date().isoformat()
    return datetime.fromisoformat(text).date().isoformat()


def charges(value: Any) -> bool:
    """True for what may hold amounts: no text."""
    return isinstance(value, int | float | Decimal | list | dict) and not isinstance(value, bool) and nonzero(value)
