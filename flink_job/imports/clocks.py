"""Local times to UTC, also in the nights in which clocks change."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from flink_job.imports.questions import Questions

DAY_MS, _QUARTER_MS = 86_400_000, 900_000


def utc_of_local(ms: Any, group: Any, zone: ZoneInfo) -> tuple[Any, Any, Any]:
    """Return (UTC [ms], no such local time, occurs twice but is given once).

    Of a time that a group gives twice in the repeated hour, the first is the earlier one; in a group that is sorted
    newest first, the later one.
    """
    # Clocks change at whole quarters of an hour; there are far fewer of these than rows.
    quarters, inverse = np.unique(ms - ms % _QUARTER_MS, return_inverse=True)
    index = pd.DatetimeIndex(quarters.astype("datetime64[ms]"))
    early = index.tz_localize(zone, ambiguous=np.ones(len(index), dtype=bool), nonexistent="NaT")
    late = index.tz_localize(zone, ambiguous=np.zeros(len(index), dtype=bool), nonexistent="NaT")
    missing = np.asarray(early.isna())[inverse]
    utc, later = (_millis(found)[inverse] + ms % _QUARTER_MS for found in (early, late))
    unsure = np.zeros(len(ms), dtype=bool)
    rows = np.flatnonzero((utc != later) & ~missing)
    if len(rows):
        frame = pd.DataFrame({"group": group[rows], "ms": ms[rows]})
        nth = frame.groupby(["group", "ms"]).cumcount().to_numpy()
        count = frame.groupby(["group", "ms"])["ms"].transform("size").to_numpy()
        falls = _falling(ms, group)[group[rows]]
        is_late = np.where(falls, nth == 0, nth == 1)
        utc[rows] = np.where(is_late, later[rows], utc[rows])
        unsure[rows] = count != 2
    return utc, missing, unsure


def _falling(ms: Any, group: Any) -> Any:
    """Return by group whether most of its times come newest first."""
    order = np.argsort(group, kind="stable")
    steps = np.sign(np.diff(ms[order])) * (np.diff(group[order]) == 0)
    totals = np.bincount(group[order][1:], weights=steps, minlength=int(group.max(initial=0)) + 1)
    return totals < 0


def _millis(index: pd.DatetimeIndex) -> Any:
    return index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)


def ends_to_starts(ms: Any, interval_ms: Any, group: Any, zone: ZoneInfo) -> tuple[Any, Any, Any]:
    """Return the starts [ms UTC] of intervals by the local times of their ends, as `utc_of_local` does.

    Two clocks are in use: the local time of the instant of the end, and the local time of the start plus the interval.
    They differ only when clocks change; the one that explains more rows is taken.
    """
    ends = utc_of_local(ms, group, zone)
    starts = utc_of_local(ms - interval_ms, group, zone)
    wrong = [int((missing | unsure).sum()) for _, missing, unsure in (ends, starts)]
    if wrong[1] < wrong[0]:
        return starts
    return ends[0] - interval_ms, ends[1], ends[2]


def standard_time(ms: Any, zone: ZoneInfo) -> Any:
    """Return the UTC times of a clock that keeps the zone's standard time all year."""
    index = pd.DatetimeIndex((ms - DAY_MS).astype("datetime64[ms]"))
    years = sorted({*index.year})
    offsets = []
    for year in years:
        ends = [pd.Timestamp(year=year, month=month, day=15, tz=zone) for month in (1, 7)]
        offsets.append(min(int((end.utcoffset() or pd.Timedelta(0)).total_seconds()) for end in ends))
    by_year = dict(zip(years, offsets, strict=True))
    return ms - np.array([by_year[year] for year in index.year], dtype=np.int64) * 1000


def starts_of_ordinals(day_ms: Any, ordinal: Any, interval_ms: Any, zone: ZoneInfo, fixed: bool) -> Any:
    """Return the starts [ms UTC] of the numbered intervals, from 1, of local days: a day has 23, 24 or 25 hours."""
    if fixed:
        return standard_time(day_ms + 43_200_000, zone) - 43_200_000 + (ordinal - 1) * interval_ms
    days, index = np.unique(day_ms, return_inverse=True)
    stamps = pd.DatetimeIndex(days.astype("datetime64[ms]"))
    midnights = stamps.tz_localize(zone, ambiguous=np.ones(len(days), dtype=bool), nonexistent="shift_forward")
    return _millis(midnights)[index] + (ordinal - 1) * interval_ms


def day_lengths(day_ms: Any, zone: ZoneInfo) -> Any:
    """Return the length of local days [ms]."""
    first = np.ones(len(day_ms), dtype=np.int64)
    today = starts_of_ordinals(day_ms, first, 0, zone, False)
    return starts_of_ordinals(day_ms + DAY_MS, first, 0, zone, False) - today


def ask_missing(labels: Any, missing: Any, zone: ZoneInfo, questions: Questions) -> None:
    """Ask about local times that do not exist."""
    if missing.any():
        first = str(labels[int(np.argmax(missing))].astype("datetime64[ms]"))[:16].replace("T", " ")
        questions.ask(
            f"{first} does not exist in {zone.key} ({int(missing.sum()):,} such rows), because clocks go forward",
            "--standard-time if the meter keeps standard time all year, or another --timezone",
        )
