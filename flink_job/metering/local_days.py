"""The local days of time zones."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, datetime, timedelta, tzinfo
from functools import cache

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.zones import local_midnight_ms, zone_named


class LocalDays:
    """The starts of the local days of a time zone, as sorted epoch ms, computed lazily by year."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._starts: list[int] = []

    def day_of(self, instant_ms: int) -> tuple[int, int]:
        """Return (start, end) of the local day that contains an instant [epoch ms]."""
        starts = self._starts
        found = bisect_right(starts, instant_ms)
        if not 0 < found < len(starts):
            self._cover(instant_ms)
            starts = self._starts
            found = bisect_right(starts, instant_ms)
        return starts[found - 1], starts[found]

    def days_at(self, instants_ms: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (starts, ends) of the local days that contain instants [epoch ms], each of shape (n,)."""
        if not len(instants_ms):
            return instants_ms, instants_ms
        self.day_of(int(instants_ms.min()))
        self.day_of(int(instants_ms.max()))
        starts = np.array(self._starts, dtype=np.int64)
        found = np.searchsorted(starts, instants_ms, "right")
        return starts[found - 1], starts[found]

    def _cover(self, instant_ms: int) -> None:
        year = datetime.fromtimestamp(instant_ms / 1000, self.zone).year
        covered = [datetime.fromtimestamp(ms / 1000, self.zone).year for ms in (self._starts[:1] + self._starts[-1:])]
        day, last = date(min([year, *covered]), 1, 1), date(max([year, *covered]) + 1, 1, 1)
        self._starts = []
        while day <= last:
            self._starts.append(local_midnight_ms(day, self.zone))
            day += timedelta(days=1)


@cache
def local_days(zone: str) -> LocalDays:
    """Return the local days of a zone, by its key (see flink_job.metering.zones), shared by all its meters."""
    return LocalDays(zone_named(zone))
