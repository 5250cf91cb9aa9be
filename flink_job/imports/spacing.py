"""Length of intervals: stated, or found from the distances between times."""

from __future__ import annotations

from typing import Any

import numpy as np

from flink_job.imports.questions import Questions
from flink_job.metering.reading import MAX_INTERVAL_S

#: Distances below which nothing is said about the interval.
FEW = 4
#: Share of the distances that a second length must have to be no gap.
_SECOND = 0.02


def spacing_ms(ms: Any, group: Any) -> Any:
    """Return the distances [ms] between times of a group, in order of time, without repeated times."""
    order = np.lexsort((ms, group))
    steps = np.diff(ms[order])
    return steps[(np.diff(group[order]) == 0) & (steps > 0)]


def found_interval(ms: Any, group: Any, questions: Questions) -> int:
    """Return the interval [s] by the most frequent distance of times; asks if there are several, or none."""
    steps = spacing_ms(ms, group)
    if not len(steps):
        questions.ask("one time of each meter gives no interval", "--interval 15min")
        return 900
    lengths, counts = np.unique(steps, return_counts=True)
    most = int(lengths[np.argmax(counts)])
    often = lengths[(counts >= max(3, _SECOND * len(steps))) & (lengths != most) & (lengths < 86_400_000)]
    shorter = [length for length in lengths if length < most and most % length == 0]
    if len(often) or (shorter and counts[np.isin(lengths, shorter)].sum() > 2):
        names = ", ".join(sorted({span(int(length) // 1000) for length in [most, *often, *shorter]}))
        questions.ask(
            f"the distances between times are {names}: mixed intervals, or totals beside their parts",
            "split the file by interval; --interval states the one of all rows",
        )
    if most // 1000 > MAX_INTERVAL_S or most % 1000:
        questions.ask(f"times are {most / 1000:g} s apart; a reading has whole seconds, up to 25 h", "--interval 15min")
    return max(1, most // 1000)


def overlaps(start_ms: Any, interval_s: Any, group: Any) -> Any:
    """Return the rows whose interval ends after the next of their group begins (repeated starts are no overlap)."""
    order = np.lexsort((start_ms, group))
    start, end = start_ms[order], (start_ms + interval_s * 1000)[order]
    later = (np.diff(group[order]) == 0) & (start[1:] < end[:-1]) & (start[1:] > start[:-1])
    return order[:-1][later]


def check_stated(start_ms: Any, interval_s: Any, group: Any, questions: Questions) -> None:
    """Ask if the stated interval is not the distance of most times."""
    steps = spacing_ms(start_ms, group)
    if len(steps) < FEW:
        return
    lengths, counts = np.unique(steps, return_counts=True)
    most, stated = int(lengths[np.argmax(counts)]) // 1000, int(np.median(interval_s))
    if counts.max() > len(steps) // 2 and most != stated:
        questions.ask(
            f"the interval is {span(stated)}, but times are {span(most)} apart",
            f"--interval {span(most)}, or correct the file",
        )


def span(seconds: int) -> str:
    """Return a length of time with its unit: 15min, 1h."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
