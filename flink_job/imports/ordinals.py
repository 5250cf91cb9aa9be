"""Files that number the intervals of a local day, in columns or in rows."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from flink_job.imports import clocks
from flink_job.imports.cells import part_of
from flink_job.imports.columns import matching, named, quantities_of
from flink_job.imports.model import Quantity
from flink_job.imports.numbers import numbers_of
from flink_job.imports.rows import Rows, stated_interval, time_texts
from flink_job.imports.spacing import span
from flink_job.imports.stamps import stamps_of


def ordinals_of(
    rows: Rows, codes: Any, meters: list[str], zone: ZoneInfo | None
) -> tuple[pd.DataFrame, int, dict[str, str]]:
    """Return the rows of a file that numbers the intervals of a local day, in columns or in rows."""
    sheet, time = rows.sheet, rows.map.time
    assert time is not None
    days = stamps_of(time_texts(rows), time.format, rows.questions)
    rows.refuse(days.is_bad, sheet.lines, "no_date", time_texts(rows))
    if zone is None:
        rows.questions.ask("times have no offset", "--timezone, such as Europe/Madrid")
        zone = ZoneInfo("UTC")
    rows.said["time zone"] = zone.key + (", standard time all year" if rows.map.fixed_offset else "")
    rows.said["times"] = f"{time.date}, format {days.format}; intervals numbered from midnight"
    interval = stated_interval(rows)
    if interval is None:
        interval = np.full(len(sheet.lines), 3600, dtype=np.int64)
        if time.wide:
            count = len(matching(sheet, time.wide))
            interval[:] = next((s for s in (300, 600, 900, 1800, 3600) if count * s >= 86_400), 3600)
    base_s = int(np.median(interval))
    rows.said["interval"] = span(base_s)
    parts = []
    if time.wide:
        meaning = next(iter(rows.map.columns.values()), Quantity())
        cells = [(column, meaning, n) for n, column in enumerate(matching(sheet, time.wide), start=1)]
    else:
        cells = [(column, quantity, 0) for column, quantity in quantities_of(sheet, rows.map, rows.name).items()]
    day_ms = np.where(days.is_bad, 0, days.ms)
    length = clocks.day_lengths(day_ms, zone) if not rows.map.fixed_offset else np.full(len(day_ms), 86_400_000)
    for column, quantity, number in cells:
        part = part_of(rows, column, quantity, codes, meters, interval)
        nth, bad = _nth(rows, number)
        outside = ~bad & ((nth - 1) * interval * 1000 >= length) & part["taken"].to_numpy() & ~days.is_bad
        rows.refuse(outside, sheet.lines, f"no interval {column} on that day", sheet.columns[column])
        start = clocks.starts_of_ordinals(day_ms, nth, interval * 1000, zone, rows.map.fixed_offset)
        part = part.assign(start_ms=start, interval_s=interval, kind="interval")
        parts.append(part[part["taken"] & ~days.is_bad & ~bad & ~outside])
    return pd.concat(parts, ignore_index=True), base_s, {}


def _nth(rows: Rows, number: int) -> tuple[Any, Any]:
    """Return the number of the interval of each row, and rows without one."""
    count = len(rows.sheet.lines)
    if number:
        return np.full(count, number, dtype=np.int64), np.zeros(count, dtype=bool)
    assert rows.map.time is not None
    texts = rows.sheet.columns[named(rows.sheet, rows.map.time.ordinal, rows.name)]
    numbers, empty, wrong = numbers_of(pc.replace_substring_regex(texts, r":00(:00)?\s*$", ""), ".")
    bad = empty | wrong | (numbers < 1) | (numbers > 300)
    rows.refuse(bad, rows.sheet.lines, "no_hour", texts)
    return np.where(bad, 1, numbers).astype(np.int64), bad
