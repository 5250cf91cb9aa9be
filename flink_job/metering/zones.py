"""Time zones of meters: an IANA zone, or several in succession after changes of a contract."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

#: Separates zones and dates in the key of a zone; it cannot be part of either.
_THEN = ">"


class DatedZone(tzinfo):
    """A zone that is replaced by another one on local days, as a clock that is set at midnight.

    Each day D of a change begins at midnight of the new zone. If clocks go back, the last hours of the day before are
    repeated; if they go forward, they are skipped. So every instant has one local day, and days do not overlap.
    """

    def __init__(self, key: str) -> None:
        """Create a zone from `<zone>(><day><zone>)*`, see `zone_key`."""
        self.key = key
        first, *more = key.split(_THEN)
        self.days = [date.fromisoformat(day) for day in more[::2]]
        self.zones = [ZoneInfo(name) for name in (first, *more[1::2])]
        self._switches = [
            min(_midnight(day, old), _midnight(day, new))
            for day, old, new in zip(self.days, self.zones, self.zones[1:], strict=False)
        ]

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """Return the offset of a local time."""
        if dt is None:
            return None
        found = bisect_right(self.days, dt.date())
        local = dt.replace(tzinfo=None)
        if dt.fold and found < len(self.days):
            repeated = self.zones[found + 1].utcoffset(local)
            if repeated is not None and local - repeated >= self._switches[found]:
                return repeated
        return self.zones[found].utcoffset(local)

    def dst(self, dt: datetime | None) -> timedelta | None:
        """Return None: the daylight saving time is not known."""
        return None

    def tzname(self, dt: datetime | None) -> str:
        """Return the key."""
        return self.key

    def fromutc(self, dt: datetime) -> datetime:
        """Return the local time of a UTC time."""
        number = bisect_right(self._switches, dt.replace(tzinfo=None))
        zone = self.zones[number]
        local = zone.fromutc(dt.replace(tzinfo=zone))
        is_repeated = number > 0 and local.date() < self.days[number - 1]
        return local.replace(tzinfo=self, fold=1 if is_repeated else local.fold)


Zone: TypeAlias = ZoneInfo | DatedZone
"""The zone of a meter, with its `key`."""


@cache
def zone_named(key: str) -> Zone:
    """Return the zone of a key."""
    return DatedZone(key) if _THEN in key else ZoneInfo(key)


def zone_key(timezone: str, changes: list[tuple[date, str]]) -> str:
    """Return the key of a zone that other zones replace on local days, given in order; the IANA name if none does."""
    parts, current = [timezone], timezone
    for day, name in changes:
        if name != current:
            parts += [day.isoformat(), name]
            current = name
    return _THEN.join(parts)


def local_midnight_ms(day: date, zone: tzinfo) -> int:
    """Return the epoch ms at which a local day begins (the first instant after midnight if a clock change skips it)."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the beginning of a local day as UTC time, without a zone."""
    return datetime.fromtimestamp(local_midnight_ms(day, zone) / 1000, UTC).replace(tzinfo=None)
