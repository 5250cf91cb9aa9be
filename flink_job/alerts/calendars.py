"""Shift calendars and mute windows: local wall-clock time in an IANA time zone.

A shift follows local time: 22:00 to 06:00 lasts seven hours in the night when clocks go forward and nine in the night
when they go back. A time that clocks show twice is the first of the two; of a time that they skip, the minutes are
counted from the change. So shifts that follow one another neither overlap nor leave a gap.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_WEEK_MINUTES = 7 * _DAY_MINUTES


class RuleCalendarError(ValueError):
    """An invalid calendar; the message has the reason."""


class WeeklyWindow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A window from `from` until `to` (HH:MM, local) on `days` (`mon-fri`, `sat,sun`, `daily`).

    If `to` is not later than `from`, the window ends on the next day; it belongs to the day on which it begins.
    """

    start: str | int = msgspec.field(name="from")
    end: str | int = msgspec.field(name="to")
    days: str = "daily"


class OneOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A single window from one local date and time until another, such as a maintenance stop."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")


class CalendarDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A calendar: open in its `once` windows and `weekly` windows, except those that begin on a day in `except`."""

    timezone: str
    weekly: tuple[WeeklyWindow, ...] = ()
    once: tuple[OneOff, ...] = ()
    skipped: tuple[date, ...] = msgspec.field(default=(), name="except")


class Calendar:
    """A parsed calendar. Raises RuleCalendarError if the document is invalid, or never or always open."""

    def __init__(self, document: CalendarDocument) -> None:
        try:
            self.zone = ZoneInfo(document.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise RuleCalendarError(f"{document.timezone!r} is not an IANA time zone; write Europe/Madrid") from None
        self.skipped = frozenset(document.skipped)
        self.weekly = [(days_of(w.days), _minute(w.start), _minute(w.end)) for w in document.weekly]
        self.once = [(self._ms(w.start), self._ms(w.end)) for w in document.once]
        if not self.weekly and not self.once:
            raise RuleCalendarError("it has no window, so it is never open; give `weekly` or `once`")
        if any(end <= start for start, end in self.once):
            raise RuleCalendarError("a window of `once` ends before it begins")
        if not self.skipped and self._always():
            raise RuleCalendarError(
                "its windows cover every minute of the week, so it is always open; remove it or make them shorter"
            )

    def is_open(self, instant_ms: int) -> bool:
        """True if the instant (epoch ms) is in a window."""
        if any(start <= instant_ms < end for start, end in self.once):
            return True
        return bool(self.weekly) and self._in_week(instant_ms)

    def _in_week(self, instant_ms: int) -> bool:
        today = datetime.fromtimestamp(instant_ms / 1000, self.zone).date()
        return any(
            self._begins(day, days) and self._at(day, start) <= instant_ms < self._at(day, _end(start, end))
            for days, start, end in self.weekly
            for day in (today, today - timedelta(days=1))
        )

    def _at(self, day: date, minute: int) -> int:
        """The instant [epoch ms] of a local time, in minutes since 00:00 of `day`."""
        local = datetime.combine(day, time.min, self.zone) + timedelta(minutes=minute)
        return int(local.timestamp() * 1000)

    def _begins(self, day: date, days: frozenset[int]) -> bool:
        return day.weekday() in days and day not in self.skipped

    def _always(self) -> bool:
        open_minutes = {
            (day * _DAY_MINUTES + minute) % _WEEK_MINUTES
            for days, start, end in self.weekly
            for day in days
            for minute in range(start, _end(start, end))
        }
        return len(open_minutes) == _WEEK_MINUTES

    def _ms(self, text: str) -> int:
        try:
            local = datetime.fromisoformat(text)
        except ValueError:
            raise RuleCalendarError(f"{text!r} is not a date and time; write 2026-03-28T10:00") from None
        aware = local if local.tzinfo else local.replace(tzinfo=self.zone)
        return int(aware.astimezone(UTC).timestamp() * 1000)


def days_of(text: str) -> frozenset[int]:
    """Weekdays (Monday is 0) in `mon-fri`, `sat,sun`, `fri-mon` or `daily`. Raises RuleCalendarError."""
    if text == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.strip().partition("-")
        if first not in _DAYS or (last and last not in _DAYS):
            raise RuleCalendarError(f"days {text!r}: write mon-fri, sat,sun or daily")
        start, end = _DAYS.index(first), _DAYS.index(last or first)
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(found)


def _end(start: int, end: int) -> int:
    """The end of a window in minutes since 00:00 of the day on which it begins; `end` <= `start` is the next day."""
    return end if end > start else end + _DAY_MINUTES


def _minute(text: str | int) -> int:
    if isinstance(text, int):  # YAML parses an unquoted 22:00 as a sexagesimal number
        return text
    if text == "24:00":
        return _DAY_MINUTES
    try:
        clock = time.fromisoformat(text)
    except ValueError:
        raise RuleCalendarError(f"{text!r} is not a time of day; write 06:00") from None
    return clock.hour * 60 + clock.minute
