"""Notices of `rate` and `tariffs check` about readings that a bill has to guess about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import numpy as np

from flink_job.metering.zones import Zone, local_midnight_ms
from flink_job.tariffs.calendar import CalendarError
from flink_job.tariffs.history import Intervals, count_straddling
from flink_job.tariffs.model import Tariff

_HOUR_MS = 3_600_000
#: Readings of at least this length are stamped by people and portals, shorter ones by meters [ms].
_STAMPED_MS = 900_000


def notices(versions: Sequence[Tariff], zone: Zone, meters: Mapping[str, Intervals]) -> Iterator[str]:
    """Yield a line for each kind of reading that a bill has to guess about, with the number of readings."""
    straddling = coarse = over = unlisted = 0
    window_s = 0
    for tariff, data in _by_version(versions, zone, meters):
        straddling += count_straddling(data, tariff, zone)
        is_coarse = tariff.has_demand & (data.interval_ms > tariff.demand_window_s * 1000)
        coarse += int(np.count_nonzero(is_coarse))
        over += count_over_borders(data, tariff, zone)
        unlisted += count_unlisted(data, tariff, zone)
        window_s = tariff.demand_window_s if tariff.has_demand else window_s
    if straddling:
        yield (
            f"demand is estimated: {_counted(straddling)} straddle demand intervals of {window_s} s and are divided by "
            "time"
        )
    if coarse:
        yield (
            f"demand is a mean, and peaks are unknown, in {_counted(coarse)} of more than the demand interval of "
            f"{window_s} s"
        )
    if over:
        yield f"{_counted(over)} over a border of TOU periods: energy is divided by time"
    if unlisted:
        yield f"{_counted(unlisted)} of days for which the tariff's lists of days are not complete yet"
    if ends := sum(has_end_times(data, zone) for data in meters.values()):
        yield (
            f"times of {ends:,} meter{'s' * (ends > 1)} look like the ends of intervals, from one interval after "
            "midnight to midnight: a reading has the time of its beginning"
        )


def count_over_borders(data: Intervals, tariff: Tariff, zone: Zone) -> int:
    """Return the number of readings with energy in which another TOU period begins."""
    if len(tariff.calendar.periods) == 1 or not len(data.start_ms):
        return 0
    timeline = tariff.calendar.timeline(tariff.timezone or zone)
    last_ms = data.end_ms - 1
    first_ms, latest_ms = int(data.start_ms.min()), int(data.start_ms.max())
    try:
        borders, _ = timeline.spans(first_ms, int(last_ms.max()) + 1)
    except CalendarError:  # the last reading may end in a year without holidays
        borders, _ = timeline.spans(first_ms, latest_ms + 1)
    crossed = np.searchsorted(borders, data.start_ms, "right") < np.searchsorted(borders, last_ms, "right")
    return int(np.count_nonzero(crossed & ((data.import_ukwh > 0) | (data.export_ukwh > 0))))


def count_unlisted(data: Intervals, tariff: Tariff, zone: Zone) -> int:
    """Return the number of readings of days for which lists of days are not complete yet."""
    starts = [calendar.unlisted_from_ms(tariff.timezone or zone) for calendar in tariff.calendars]
    known = [start for start in starts if start is not None]
    return int(np.count_nonzero(data.start_ms >= min(known))) if known else 0


def has_end_times(data: Intervals, zone: Zone) -> bool:
    """Return True if whole days of readings begin one interval after local midnight, and end with midnight."""
    first, last, length = (
        int(values[at]) for values, at in ((data.start_ms, 0), (data.start_ms, -1), (data.interval_ms, 0))
    )
    if length < _STAMPED_MS or length > _HOUR_MS or last - first < 22 * _HOUR_MS:
        return False
    return _since_midnight_ms(first, zone) == length and _since_midnight_ms(last, zone) == 0


def _since_midnight_ms(instant_ms: int, zone: Zone) -> int:
    return instant_ms - local_midnight_ms(datetime.fromtimestamp(instant_ms / 1000, zone).date(), zone)


def _by_version(
    versions: Sequence[Tariff], zone: Zone, meters: Mapping[str, Intervals]
) -> Iterator[tuple[Tariff, Intervals]]:
    """Yield the readings of each meter under each version; those before the first version belong to it."""
    ordered = sorted(versions, key=lambda tariff: tariff.valid_from)
    starts = [local_midnight_ms(tariff.valid_from, zone) for tariff in ordered]
    for data in meters.values():
        bounds = [0, *np.searchsorted(data.start_ms, starts[1:]).tolist(), len(data.start_ms)]
        for tariff, begin, end in zip(ordered, bounds, bounds[1:], strict=False):
            if begin < end:
                yield tariff, data.part(slice(begin, end))


def _counted(count: int) -> str:
    return f"{count:,} reading{'s' * (count > 1)}"


def for_interval(tariff: Tariff, interval_s: int) -> Iterator[str]:
    """Yield a line for each kind of guess about readings of one length that begin with local midnight."""
    if tariff.estimates_demand(interval_s):
        yield (
            f"demand is estimated: readings of {interval_s} s straddle demand intervals of {tariff.demand_window_s} s "
            "and are divided by time"
        )
    if tariff.has_demand and interval_s > tariff.demand_window_s:
        yield (
            f"demand is a mean, and peaks are unknown, in readings of {interval_s} s: the demand interval is "
            f"{tariff.demand_window_s} s"
        )
    crossed = sorted(minute for minute in tariff.calendar.border_minutes() if minute * 60 % interval_s)
    if crossed:
        times = ", ".join(f"{minute // 60:02}:{minute % 60:02}" for minute in crossed[:5])
        yield (f"readings of {interval_s} s over a border of TOU periods ({times}): energy is divided by time")
