"""Attributes of a URDB record: names with free text, which may be labels of periods, or prices in no other field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flink_job.tariffs.urdb.values import decimal

#: An amount: a number, perhaps with a currency or percent sign, that begins the text; or any currency or unit of price.
_AMOUNT = re.compile(
    r"^\s*[-+(]*\s*[$¢€£]?\s*[-+(]*\d*[.,]?\d|[$¢]\s*[-+(]*\d*[.,]?\d|\bcents?\b|/\s*k(w|va)", re.IGNORECASE
)
_ZERO = re.compile(r"^\D*0*[.,]?0*\D*$")
_PERIOD = re.compile(r"^\s*\d+\s*$")
#: Words of a name that make its number a price rather than the number of a period.
_PRICE_WORDS = re.compile(
    r"\$|¢|charge|discount|credit|adjust|rate\b|price|fee\b|surcharge|rider|cost|tax|per k|/\s*k|%|percent",
    re.IGNORECASE,
)


def way_out(field: str) -> str:
    """Return the end of a message: how to import a record without a field that cannot be represented."""
    return f"; to leave it out, run `tariffs import-urdb` with --without {field}"


def attribute_problems(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the attributes that may be prices: they are in no other field, so the bill depends on them."""
    for field, attributes in document.items():
        if not field.endswith("attrs"):
            continue
        periods = len(document.get(f"{field.removesuffix('attrs')}ratestructure") or ())
        found = [f"{name.strip()!r} = {value!s}" for name, value in _pairs(attributes) if _priced(name, value, periods)]
        if found:
            yield f"{field}: may be prices, which cannot be represented: {', '.join(found)}{way_out(field)}"


def _pairs(attributes: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of a list of objects, or of an object."""
    for one in attributes if isinstance(attributes, list) else [attributes]:
        if isinstance(one, dict):
            yield from ((str(name), value) for name, value in one.items())
        elif one not in (None, ""):
            yield "", one


def _priced(name: str, value: Any, periods: int) -> bool:
    """Return True if the value of an attribute may be an amount, and is not 0 or the number of a period."""
    text = str(value)
    if isinstance(value, bool) or not _AMOUNT.search(text) or _ZERO.match(text):
        return False
    is_period = bool(_PERIOD.match(text)) and 1 <= decimal(text.strip()) <= periods
    return not (is_period and not _PRICE_WORDS.search(name))
