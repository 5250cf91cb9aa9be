"""Framing: splits a record into the JSON values it contains, each of them a reading.

A record has several values if it is a JSON array, or objects separated by line breaks (NDJSON). Only the framing is
parsed (brackets, strings, commas); each value is validated later by itself. A record with broken framing is not split.
In the dataflow flink_job/java/main/metering/flink/Framing.java does the same; tests compare the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flink_job.metering.envelope import Enclosed, opened
from flink_job.tenants import DEFAULT

#: Maximum number of values and nesting depth; a record beyond either is not split.
MAX_PARTS, MAX_DEPTH = 10_000, 64
_SPACE = b" \t\r\n"
_NEXT_OBJECT = re.compile(rb"\n[ \t\r]*\{")
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*"|["{}\[\],]', re.DOTALL)
_OPENED_BY = {b"}": b"{", b"]": b"["}


class _BrokenError(ValueError):
    """A record that is not a sequence of JSON values."""


def parts(record: bytes) -> list[bytes]:
    """Return the JSON values of a record in order; the record itself if it has only one."""
    text = record.lstrip(_SPACE)
    if text.startswith(b"["):
        find = _elements
    elif text.startswith(b"{") and _NEXT_OBJECT.search(text):
        find = _objects
    else:
        return [record]
    try:
        found: list[bytes] = []
        for part in find(record):
            if len(found) == MAX_PARTS:
                return [record]
            found.append(part)
    except _BrokenError:
        return [record]
    return found


def readings_in(record: bytes, tenant: str = DEFAULT) -> Iterator[Enclosed]:
    """Yield the readings of a record, including those in envelopes. An envelope within an envelope is not opened."""
    for part in parts(record):
        enclosed = opened(part, tenant)
        for payload in parts(enclosed.payload):
            yield enclosed._replace(payload=payload)


def reading_count(record: bytes) -> int:
    """Return the number of readings in a record."""
    return sum(1 for _ in readings_in(record))


def _elements(record: bytes) -> Iterator[bytes]:
    start, depth, has_object = record.index(b"[") + 1, 0, False
    for sign, at, depth in _tokens(record):
        if (sign == b"," and depth == 1) or (sign == b"]" and depth == 0):
            element = record[start:at].strip(_SPACE)
            if not element:
                raise _BrokenError
            has_object |= element.startswith(b"{")
            yield element
            start = at + 1
        if depth == 0:
            break
    if depth or not has_object or record[start:].strip(_SPACE):
        raise _BrokenError


def _objects(record: bytes) -> Iterator[bytes]:
    end = start = depth = objects = 0
    for sign, at, depth in _tokens(record):
        if sign == b"{" and depth == 1:
            between, start = record[end:at], at
            if between.strip(_SPACE) or (end and b"\n" not in between):
                raise _BrokenError
        elif depth == 0:
            if sign != b"}":
                raise _BrokenError
            end = at + 1
            objects += 1
            yield record[start:end]
    if depth or record[end:].strip(_SPACE) or objects == 1:
        raise _BrokenError


def _tokens(record: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (bracket or comma, its position, nesting depth after it). Raises _BrokenError for unbalanced brackets."""
    open_brackets: list[bytes] = []
    for token in _TOKEN.finditer(record):
        sign = token[0]
        if sign == b'"':
            raise _BrokenError
        if sign in (b"{", b"["):
            open_brackets.append(sign)
            # The outer array does not count as nesting.
            if len(open_brackets) > MAX_DEPTH + (open_brackets[0] == b"["):
                raise _BrokenError
        elif sign in _OPENED_BY:
            if not open_brackets or open_brackets.pop() != _OPENED_BY[sign]:
                raise _BrokenError
        elif sign != b",":
            continue
        yield sign, token.start(), len(open_brackets)
