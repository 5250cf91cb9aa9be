"""A file on its way to readings: its rows, its map, the questions, and what the map states of times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from flink_job.imports.columns import named
from flink_job.imports.model import Cell, FileError, Map, Refused, Sheet, seconds
from flink_job.imports.numbers import numbers_of
from flink_job.imports.questions import Questions


@dataclass
class Rows:
    """A file on its way: its rows, the map, and the questions.

    `ends_s`: length of most rows by their ends [s], or 0.
    """

    name: str
    sheet: Sheet
    map: Map
    questions: Questions
    refused: list[Refused] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    ends_s: int = 0

    def refuse(self, mask: Any, lines: Any, reason: str, texts: Any = None) -> None:
        """Refuse the rows of a mask."""
        for row in np.flatnonzero(mask):
            text = str(texts[int(row)])[:80] if texts is not None else ""
            self.refused.append(Refused(int(lines[row]), reason, text))


def zone_of(rows: Rows) -> ZoneInfo | None:
    name = rows.map.timezone or rows.sheet.said.get("time zone", "")
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FileError(f"time zone {name!r} is no IANA zone; examples: Europe/Madrid, Etc/GMT-1") from None


def time_texts(rows: Rows) -> Any:
    time = rows.map.time
    assert time is not None
    return rows.sheet.columns[named(rows.sheet, time.column or time.date, rows.name)]


def stated_interval(rows: Rows) -> Any:
    """Return the intervals [s] that the map or the file states, or None."""
    given = rows.map.interval or rows.sheet.said.get("interval")
    if isinstance(given, Cell):
        numbers, empty, wrong = numbers_of(rows.sheet.columns[named(rows.sheet, given.column, rows.name)], ".")
        factor = seconds(f"1{given.unit or 's'}")
        if (bad := empty | wrong | (numbers <= 0)).any():
            line = rows.sheet.lines[int(np.argmax(bad))]
            raise FileError(f"{rows.name}:{line}: column {given.column!r} holds no interval")
        return (numbers * factor).astype(np.int64)
    return None if given is None else np.full(len(rows.sheet.lines), seconds(given), dtype=np.int64)
