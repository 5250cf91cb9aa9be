"""Reads untrusted JSON with limits on size, nesting depth, numbers and text."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

MAX_DEPTH, MAX_DIGITS = 20, 40


class DocumentError(ValueError):
    """A document that is not JSON or exceeds a limit; the message names the limit."""


def read_document(content: str | bytes, max_bytes: int) -> Any:
    """Parse a JSON document of at most `max_bytes`. Raises DocumentError."""
    if len(content) > max_bytes:
        raise DocumentError(f"the document has more than {max_bytes} bytes")
    try:
        text = content if isinstance(content, str) else content.decode()
        value = json.loads(text, parse_int=_int, parse_float=_float, parse_constant=_constant)
    except DocumentError:
        raise
    except RecursionError:
        raise DocumentError(f"the document is nested more than {MAX_DEPTH} levels deep") from None
    except ValueError as error:
        raise DocumentError(f"the document is not JSON: {str(error)[:200]}") from None
    _check(value)
    return value


def is_text(text: str) -> bool:
    """True for text that every service can store: without NUL and lone surrogates."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


def _check(value: Any) -> None:
    """Check depth and texts, level by level."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        following: list[Any] = []
        for found in level:
            if isinstance(found, str) and not is_text(found):
                raise DocumentError("the document has text with a NUL character or a lone surrogate")
            if isinstance(found, dict):
                following.extend(found.keys())
                following.extend(found.values())
            elif isinstance(found, list):
                following.extend(found)
        if not following:
            return
        level = following
    raise DocumentError(f"the document is nested more than {MAX_DEPTH} levels deep")


def _int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise DocumentError(f"the document has a number of more than {MAX_DIGITS} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= MAX_DIGITS else math.inf
    if not math.isfinite(value):
        raise DocumentError(f"the document has a number that is too large or has more than {MAX_DIGITS} digits")
    return value


def _constant(name: str) -> NoReturn:
    raise DocumentError(f"the document has {name}, which is not a number")
