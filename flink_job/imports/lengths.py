"""The usual interval of a file that does not state it: by the distance of its times, checked by the ends it has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from flink_job.imports.columns import has, named
from flink_job.imports.questions import Questions
from flink_job.imports.rows import Rows, time_texts
from flink_job.imports.spacing import found_interval, spacing_ms, span
from flink_job.imports.stamps import Stamps, stamps_of

#: What an end that belongs to its interval lacks [s]: 00:14 of 00:00 to 00:15, or 00:14:59.
_INCLUSIVE_S = (0, 1, 60)


def clock_texts(rows: Rows, clock: str) -> Any:
    """Return the texts of the times; `clock`: a column with the time of day, if it is apart from the date."""
    texts = pc.utf8_trim_whitespace(time_texts(rows))
    if not clock:
        return texts
    times = pc.utf8_trim_whitespace(rows.sheet.columns[named(rows.sheet, clock, rows.name)])
    return pc.binary_join_element_wise(texts, times, " ")


def usual_interval(rows: Rows, stamps: Stamps, group: Any) -> int:
    """Return the interval [s] that most rows have; asks if the ends of the rows say another one."""
    good = ~stamps.is_bad
    length_s = rows.ends_s
    if length_s and not len(spacing_ms(stamps.ms[good], group[good])):
        return length_s
    found_s = found_interval(stamps.ms[good], group[good], rows.questions)
    if length_s and found_s - length_s not in _INCLUSIVE_S:
        rows.questions.ask(
            f"most rows end {span(length_s)} after they begin, but their times are {span(found_s)} apart",
            f"--interval {span(length_s)} or --interval {span(found_s)}",
        )
    return found_s


def length_by_ends(rows: Rows, stamps: Stamps) -> int:
    """Return the most frequent time between begin and end of a row [s], or 0."""
    time = rows.map.time
    if time is None or not time.end or not has(rows.sheet, time.end):
        return 0
    column = named(rows.sheet, time.end, rows.name)
    texts = clock_texts(rows, column) if time.time else pc.utf8_trim_whitespace(rows.sheet.columns[column])
    # Ends without a known format are no ends; nothing is asked about them.
    ends = stamps_of(texts, time.format or stamps.format, Questions(rows.name))
    lengths = (ends.ms - stamps.ms)[~(ends.is_bad | stamps.is_bad)] // 1000
    lengths = lengths[(lengths > 0) & (lengths <= 90_000)]
    if ends.has_offset != stamps.has_offset or not len(lengths):
        return 0
    values, counts = np.unique(lengths, return_counts=True)
    return int(values[np.argmax(counts)])
