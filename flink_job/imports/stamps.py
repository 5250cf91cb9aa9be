"""Times as texts: their format is found, and times that can be read in two ways are a question."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flink_job.imports.questions import Questions

_OFFSET = r"(?:[Zz]|[+-]\d\d:?\d\d)$"
_NUMERIC = re.compile(r"^(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?:[ T,]+(.*))?$")
_CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%H.%M", "%H")
_WORDED = (
    *("%b %d, %Y, %I:%M %p", "%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M %p", "%b %d, %Y %H:%M"),
    *("%d-%b-%y %H:%M:%S", "%d-%b-%Y %H:%M:%S", "%d-%b-%y %H:%M", "%d-%b-%Y %H:%M", "%d %b %Y %H:%M"),
    *("%d-%b-%y", "%d-%b-%Y", "%b %d, %Y", "%d %b %Y", "%d %B %Y %H:%M", "%B %d, %Y %H:%M"),
    *("%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d", "%Y.%m.%d %H:%M", "%Y.%m.%d", "%Y%m%d", "%Y%m%d%H%M"),
)
_EPOCH = {10: "s", 13: "ms", 16: "us", 19: "ns"}
_DIVISOR = {"s": 1000, "ms": 1, "us": 1000, "ns": 1_000_000}
#: Times beyond are no times [ms].
_MOST_MS = 9e15


@dataclass
class Stamps:
    """Times of the rows [ms]: of UTC if `has_offset`, else of the local clock. `is_bad`: rows without a time."""

    ms: Any
    is_bad: Any
    has_offset: bool
    format: str


def stamps_of(texts: Any, form: str, questions: Questions) -> Stamps:
    """Return the times of a column of texts. `form`: strptime format, `iso`, `s`, `ms`, or empty to find it."""
    codes = pc.dictionary_encode(pc.utf8_trim_whitespace(texts)) if isinstance(texts, pa.Array) else texts
    # An interval such as `2026-03-01 00:00:00 to 2026-03-01 00:15:00` has the time of its start.
    values = pd.Series(codes.dictionary.to_pylist(), dtype=object).str.replace(r"\s+to\s.*$", "", regex=True)
    form = form or format_of(values[values != ""].tolist(), questions)
    ms, has_offset = _parsed(values, form)
    index = codes.indices.to_numpy()
    found = ms[index]
    is_bad = np.isnat(found)
    return Stamps(found.astype("datetime64[ms]").astype(np.int64), is_bad, has_offset, form)


def _parsed(values: pd.Series, form: str) -> tuple[Any, bool]:
    """Return texts as times without zone, and whether they are UTC. A text of another format is NaT."""
    if form in _DIVISOR:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
        numbers = numbers * 1000 if form == "s" else numbers / _DIVISOR[form]
        wrong = ~(np.abs(numbers) < _MOST_MS)
        ms = np.where(wrong, 0, numbers).astype(np.int64).astype("datetime64[ms]")
        ms[wrong] = np.datetime64("NaT")
        return ms, True
    is_clock = values.str.contains(r"\d\d:\d\d")
    offsets = values.str.contains(_OFFSET) & is_clock
    has_offset = "%z" in form or (form == "iso" and bool(offsets.sum() > (is_clock & ~offsets).sum()))
    is_midnight = values.str.contains(r"(?:^|[ T])24:00(?::00)?$")
    texts = values.str.replace(r"(^|[ T])24:00", r"\g<1>00:00", regex=True)
    if has_offset:
        texts = texts.where(texts.str.contains(_OFFSET), None)
        found = pd.to_datetime(texts, format="ISO8601" if form == "iso" else form, utc=True, errors="coerce")
        found = found.dt.tz_localize(None)
    else:
        if form == "iso":
            # A sign after the date is an offset, also a broken one: such a time is not local.
            texts = texts.where(~texts.str.slice(10).str.contains(r"[+\-Zz]"), None)
        found = pd.to_datetime(texts, format="ISO8601" if form == "iso" else form, errors="coerce")
    return (found + pd.to_timedelta(is_midnight.astype(int), unit="D")).to_numpy(), has_offset


def format_of(values: list[str], questions: Questions) -> str:
    """Return the format of texts; asks if day and month may be exchanged, or if no format is known."""
    if not values:
        return "iso"
    sample = values[:: max(1, len(values) // 500)]
    first = sample[0]
    if all(re.fullmatch(r"\d+(\.\d+)?", text) for text in sample) and len(first.split(".")[0]) in _EPOCH:
        return _EPOCH[len(first.split(".")[0])]
    if sum(bool(re.match(r"\d{4}-\d\d-\d\d", text)) for text in sample) > len(sample) // 2:
        return "iso"
    if numeric := [found for text in sample if (found := _NUMERIC.match(text))]:
        return _numeric_format([_NUMERIC.match(text) for text in values], numeric[0], questions)
    best = max(_WORDED, key=lambda form: _matches(sample, form))
    if not _matches(sample, best):
        questions.ask(f"times such as {first!r} have no known format", "state time: {format: ...} in a map")
    return best


def _matches(sample: list[str], form: str) -> int:
    texts = [re.sub(r"(^|[ T])24:00", r"\g<1>00:00", text) for text in sample[:50]]
    return int(pd.to_datetime(pd.Series(texts), format=form, errors="coerce").notna().sum())


def _numeric_format(found: list[re.Match[str] | None], first: re.Match[str], questions: Questions) -> str:
    """Return the format of dates such as 03/04/2026 by the numbers over 12; a point stands for day first."""
    dates = [match for match in found if match]
    mark = first[2]
    day_first = any(int(match[1]) > 12 for match in dates)
    month_first = any(int(match[3]) > 12 for match in dates)
    if day_first and month_first:
        questions.ask(f"dates such as {first[0]!r} are in two orders", "split the file, or correct its dates")
    if not day_first and not month_first and mark != ".":
        questions.ask(
            f"{first[0]!r} is a date of two readings: day or month first",
            "--time-format '%d/%m/%Y %H:%M' or '%m/%d/%Y %H:%M'",
        )
    year = "%Y" if len(first[4]) == 4 else "%y"
    date = f"%m{mark}%d{mark}{year}" if month_first else f"%d{mark}%m{mark}{year}"
    if not first[5]:
        return date
    rests = [match[5] or "" for match in dates[:50]]
    clock = max(_CLOCKS, key=lambda form: _matches(rests, form))
    between = first[0][first.end(4) : first.start(5)]
    return f"{date}{between}{clock}"
