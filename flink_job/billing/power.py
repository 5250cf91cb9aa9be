"""The quarter hours in which the power of a reading counts, as in the views of the lake (lake/readings_15m.sql)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW_MS = 900_000
_WINDOW_S = WINDOW_MS // 1000
_DAY_MS = 86_400_000

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Parts(NamedTuple):
    """Energy of intervals by time [unit of the energy]: `own` in the quarter hour of the start, `rest` in the next."""

    own: Floats
    rest: Floats


def divided(energy: Ints, start_ms: Ints, interval_ms: Ints, day_start_ms: Ints, day_end_ms: Ints) -> Parts:
    """Return the parts of intervals in their quarter hours; the days are those in which the intervals begin.

    An interval of more than a quarter hour is not divided. The part after the end of a local or UTC day counts in no
    quarter hour; in its place the first interval of a day counts as if it had begun with the day.
    """
    window_ms = start_ms // WINDOW_MS * WINDOW_MS
    next_ms = window_ms + WINDOW_MS
    interval_s, offset_s = interval_ms // 1000, (start_ms - window_ms) // 1000
    is_short = interval_s <= _WINDOW_S
    begins_day = (window_ms <= day_start_ms) | (window_ms % _DAY_MS == 0)
    ends_day = (next_ms >= day_end_ms) | (next_ms % _DAY_MS == 0)
    rest_s = np.where(is_short, np.maximum(0, offset_s + interval_s - _WINDOW_S), 0)
    lead_s = np.where(is_short & begins_day & (offset_s < interval_s), offset_s, 0)
    by_second = energy / np.maximum(1, interval_s)
    return Parts(by_second * (interval_s - rest_s + lead_s), np.where(ends_day, 0.0, by_second * rest_s))
