"""Values of a URDB record: numbers, dates and empty values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any


def optional(key: str, value: Any) -> dict[str, Any]:
    """Return {key: value}, or an empty dictionary for an empty value."""
    return {key: value} if value else {}


def nonzero(value: Any) -> bool:
    """Return True if a value, or a rate or adjustment in it, is neither empty nor zero."""
    if isinstance(value, list | tuple):
        return any(nonzero(v) for v in value)
    if isinstance(value, dict):
        return any(nonzero(value.get(key)) for key in ("rate", "adj"))
    return value not in (None, "", 0)


def decimal(value: Any) -> Decimal:
    """Return a number as an exact decimal."""
    return Decimal(str(value))


def text(value: Any) -> str:
    """Return a number as text with at most 9 decimals and without an exponent."""
    rounded = decimal(value).quantize(Decimal("1e-9"), ROUND_HALF_EVEN).normalize()
    return f"{rounded:f}"


def day(value: Any) -> date | None:
    """Return a date from epoch seconds (the API's format, also as a float) or ISO 8601 (the format of exports).

    Raises ValueError or OverflowError.
    """
    if value in (None, ""):
        return None
    text = str(value)
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        return datetime.fromisoformat(text).date()
    return datetime.fromtimestamp(int(seconds), UTC).date()


def charges(value: Any) -> bool:
    """Return True if a value may contain a nonzero amount; text does not."""
    return isinstance(value, int | float | Decimal | list | dict) and not isinstance(value, bool) and nonzero(value)
