"""Readings of one meter that lie within a longer one, such as the quarter hours of an hour that was edited later."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from flink_job.errors import MeteringError
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history import Intervals


class OverlapError(MeteringError, ValueError):
    """Two readings of one meter that count the same energy, without a revision that states which of them counts."""


def replaced(data: Intervals, revision: Ints) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return (rows that another reading replaces, pairs of rows (outer, inner) of which neither replaces the other).

    A reading that lies within a longer one is replaced if that has a higher revision. Readings that partly overlap, as
    those of a clock that drifts, are no repetitions.
    """
    gone = np.zeros(len(data.start_ms), dtype=bool)
    reach = np.maximum.accumulate(data.end_ms)
    inner = np.flatnonzero(data.end_ms[1:] <= reach[:-1]) + 1
    outer = np.searchsorted(reach, data.end_ms[inner])  # the first reading that extends as far
    is_replaced = revision[outer] > revision[inner]
    gone[inner[is_replaced]] = True
    return gone, np.stack([outer[~is_replaced], inner[~is_replaced]], axis=1)


def without_replaced(meter: str, data: Intervals, revision: Ints) -> Intervals:
    """Return the intervals without the replaced ones. Raises OverlapError."""
    gone, pairs = replaced(data, revision)
    unclear = [(outer, inner) for outer, inner in pairs.tolist() if _count_twice(data, outer, inner)]
    if unclear:
        outer, inner = (_shown(data, row) for row in unclear[0])
        raise OverlapError(
            f"meter {meter}: {len(unclear)} readings lie within longer ones, so their energy would count twice: "
            f"{inner} within {outer}; keep one of them, or give the one that counts a higher revision"
        )
    return data.part(~gone) if gone.any() else data


def _count_twice(data: Intervals, outer: int, inner: int) -> bool:
    """Return True if two readings have a quantity in common."""
    quantities = (data.import_ukwh, data.export_ukwh, data.reactive_uvarh, data.capacitive_uvarh)
    return any(quantity[outer] and quantity[inner] for quantity in quantities)


def _shown(data: Intervals, row: int) -> str:
    start = datetime.fromtimestamp(int(data.start_ms[row]) / 1000, UTC)
    return f"{int(data.interval_ms[row]) // 1000} s from {start.isoformat()}"
