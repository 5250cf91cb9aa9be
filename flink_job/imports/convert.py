"""Rows of a file to readings, by a map; what the map leaves open is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from flink_job.imports import clocks
from flink_job.imports.cells import part_of
from flink_job.imports.checks import checked
from flink_job.imports.columns import codes_of, meters_of, quantities_of
from flink_job.imports.lengths import clock_texts, length_by_ends, usual_interval
from flink_job.imports.model import FileError, Map, Refused, Sheet
from flink_job.imports.ordinals import ordinals_of
from flink_job.imports.questions import Questions
from flink_job.imports.rows import Rows, stated_interval, time_texts, zone_of
from flink_job.imports.spacing import span
from flink_job.imports.stamps import Stamps, stamps_of

#: Highest power of a meter of which nothing is known [kW].
MOST_KW = 10_000.0


@dataclass
class Imported:
    """Readings of a file: line, meter, channel, start_ms, interval_s, micro (1e-6 of the unit), estimated.

    `said`: what was understood, by subject. `notes`: what is remarkable.
    """

    rows: pd.DataFrame
    refused: list[Refused]
    said: dict[str, str]
    notes: list[str] = field(default_factory=list)
    duplicates: int = 0


def convert(name: str, sheet: Sheet, found: Map, most_kw: float = MOST_KW) -> Imported:
    """Return the readings of a file. Raises FileError, and UndecidedError if it can be read in two ways."""
    rows = Rows(name, sheet, found, Questions(name), list(sheet.refused), dict(sheet.said))
    if not len(sheet.lines):
        first = sheet.refused[0] if sheet.refused else Refused(1, "no rows")
        raise FileError(f"{name}:{first.line}: no row can be read; the first: {first.reason} {first.text}".rstrip())
    frame, interval_s, unit_kinds = _frame(rows)
    rows.questions.require()
    if frame.empty and not rows.refused:
        raise FileError(f"{name}: no row has a value")
    return checked(rows, frame, interval_s, unit_kinds, most_kw)


def _frame(rows: Rows) -> tuple[pd.DataFrame, int, dict[str, str]]:
    """Return rows with the value of each cell, the interval [s], and the kind of each column."""
    sheet, found = rows.sheet, rows.map
    if found.time is None:
        raise FileError(f"{rows.name}: no column of times is known; state time: in a map")
    zone = zone_of(rows)
    codes, meters = meters_of(sheet, found, rows.name, rows.questions)
    if found.time.wide or found.time.ordinal:
        return ordinals_of(rows, codes, meters, zone)
    quantities = quantities_of(sheet, found, rows.name)
    first = next(iter(quantities.values()))
    channel_codes, channels = codes_of(first.channel, sheet, rows.name)
    group = codes * len(channels) + channel_codes
    stamps = _stamps(rows)
    rows.refuse(stamps.is_bad, sheet.lines, "no_time", time_texts(rows))
    kinds: dict[str, str] = {column: quantity.kind or "unknown" for column, quantity in quantities.items()}
    start_ms, interval, is_bad, base_s = _starts(rows, stamps, group, zone, set(kinds.values()))
    parts = []
    for column, quantity in quantities.items():
        part = part_of(rows, column, quantity, codes, meters, interval)
        part = part.assign(start_ms=start_ms, interval_s=interval)[~is_bad & part["taken"]]
        parts.append(part.drop(columns="taken").assign(kind=kinds[column]))
    return pd.concat(parts, ignore_index=True), base_s, kinds


def _stamps(rows: Rows) -> Stamps:
    time = rows.map.time
    assert time is not None
    found = stamps_of(clock_texts(rows, time.time), time.format, rows.questions)
    rows.said["times"] = f"{time.column or time.date}, {'with offset' if found.has_offset else 'local'}"
    rows.said["times"] += f", format {found.format}"
    return found


def _starts(
    rows: Rows, stamps: Stamps, group: Any, zone: ZoneInfo | None, kinds: set[str]
) -> tuple[Any, Any, Any, int]:
    """Return (starts [ms UTC], or instants of reads; intervals [s]; rows without a time; usual interval [s])."""
    found, is_bad = rows.map, stamps.is_bad
    stated = stated_interval(rows)
    rows.ends_s = length_by_ends(rows, stamps)
    base_s = int(np.median(stated)) if stated is not None and len(stated) else 0
    base_s = base_s or usual_interval(rows, stamps, group)
    interval = stated if stated is not None else np.full(len(stamps.ms), base_s, dtype=np.int64)
    rows.said["interval"] = span(base_s) + ("" if stated is not None else ", found from the times")
    is_register = kinds == {"register"}
    stamp = found.stamp or ("end" if is_register else None)
    if stamp is None:
        rows.questions.ask("which end of its interval a time is", "--stamp begin or --stamp end")
    rows.said["stamped"] = "at the read" if is_register and not found.stamp else f"{stamp} of the interval"
    shift = interval * 1000 if stamp == "end" and not is_register else 0
    if stamps.has_offset:
        start = stamps.ms - shift
        return start + (interval * 1000 if is_register and stamp == "begin" else 0), interval, is_bad, base_s
    if zone is None:
        rows.questions.ask("times have no offset", "--timezone, such as Europe/Madrid")
        return stamps.ms, interval, is_bad, base_s
    rows.said["time zone"] = zone.key + (", standard time all year" if found.fixed_offset else "")
    if found.fixed_offset:
        start = clocks.standard_time(stamps.ms, zone) - shift
    else:
        start, is_bad = _localised(rows, stamps, group, zone, shift)
    return start + (interval * 1000 if is_register and stamp == "begin" else 0), interval, is_bad, base_s


def _localised(rows: Rows, stamps: Stamps, group: Any, zone: ZoneInfo, shift: Any) -> tuple[Any, Any]:
    """Return starts [ms UTC] by local times, and the rows without a time."""
    ms = np.where(stamps.is_bad, 0, stamps.ms)
    if isinstance(shift, int):
        start, missing, unsure = clocks.utc_of_local(ms, group, zone)
    else:
        start, missing, unsure = clocks.ends_to_starts(ms, shift, group, zone)
    clocks.ask_missing(ms, missing & ~stamps.is_bad, zone, rows.questions)
    texts = time_texts(rows)
    rows.refuse(unsure & ~stamps.is_bad, rows.sheet.lines, "ambiguous_local_time", texts)
    return start, stamps.is_bad | missing | unsure
