"""TOU calendars: season, weekday, holiday and local time of day, compiled to sorted UTC boundaries of TOU periods."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flink_job.errors import MeteringError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = "holiday"
_UNDEFINED = -1


class CalendarError(MeteringError, ValueError):
    """A calendar without a rule for a day, or without the holidays of a year."""


_DAY_MIN = 1440
_DAY_S = 86_400

Bands = tuple[tuple[int, int], ...]
"""(minute at which a period begins, counted from the local midnight before the day begins, index of the period)."""


@dataclass(frozen=True)
class DayRule:
    """The bands of some kinds of day (weekdays, holidays, named lists of days), in one season or in all (None)."""

    season: str | None
    on: frozenset[str]
    bands: Bands


@dataclass(frozen=True)
class Calendar:
    """The TOU periods by local time. A period is half-open: it includes its first minute and excludes its last.

    `lists`: days by name of their list; a listed day has the first rule for one of its lists, if there is one for its
    season. `known_until`: first day that no list is complete for, None if they are final. `begins_min`: minute of the
    local day at which each day begins; the time before it belongs to the day before.
    """

    periods: tuple[str, ...]
    seasons: Mapping[str, tuple[tuple[str, str], ...]]
    holidays: Mapping[int, frozenset[date]]
    rules: tuple[DayRule, ...]
    lists: Mapping[str, frozenset[date]] = field(default_factory=dict)
    known_until: date | None = None
    begins_min: int = 0
    _timelines: dict[tzinfo, Timeline] = field(default_factory=dict, init=False, repr=False, compare=False)

    @staticmethod
    def read(document: Mapping[str, Any] | None, default: str) -> Calendar:
        """Read the calendar of a document; without one, a single period `default`. Raises CalendarError."""
        if document is None:
            always = DayRule(None, frozenset(WEEKDAYS), ((0, 0),))
            return Calendar((default,), {}, {}, (always,))
        names = [band["period"] for day in document["days"] for band in day["bands"]]
        periods, begins = tuple(dict.fromkeys(names)), _minute(document.get("day_begins", "00:00"))
        rules = (DayRule(d.get("season"), frozenset(d["on"]), _bands(d, periods, begins)) for d in document["days"])
        calendar = Calendar(
            periods,
            {name: tuple(_range(r) for r in ranges) for name, ranges in document.get("seasons", {}).items()},
            {int(y): frozenset(map(date.fromisoformat, days)) for y, days in document.get("holidays", {}).items()},
            tuple(rules),
            {n: frozenset(map(date.fromisoformat, days)) for n, days in document.get("day_lists", {}).items()},
            date.fromisoformat(document["lists_known_until"]) if "lists_known_until" in document else None,
            begins,
        )
        calendar._check_every_day()
        return calendar

    @property
    def has_holidays(self) -> bool:
        """True if a rule is for holidays."""
        return any(HOLIDAY in rule.on for rule in self.rules)

    def timeline(self, zone: tzinfo) -> Timeline:
        """Return the periods in a time zone; they are compiled once."""
        return self._timelines.setdefault(zone, Timeline(self, zone))

    def unlisted_from_ms(self, zone: tzinfo) -> int | None:
        """Return the instant from which lists of days are not complete yet [epoch ms]; None if they are final."""
        return None if self.known_until is None else begin_of(self.known_until, self.begins_min, zone) * 1000

    def bands_of(self, day: date) -> Bands:
        """Return the bands of a local day. Raises CalendarError if there is no rule or no list of holidays for it."""
        if named := {name for name, days in self.lists.items() if day in days}:
            rule = self._find_rule(named, day)
            if rule is not None:
                return rule.bands
        kinds = {WEEKDAYS[day.weekday()]}
        if self.has_holidays:
            if day.year not in self.holidays:
                raise CalendarError(f"calendar/holidays: the year {day.year} is missing")
            if day in self.holidays[day.year]:
                kinds = {HOLIDAY}
        return self._rule_for(kinds, day).bands

    def weekday_bands(self, day: date) -> Bands:
        """Return the bands from 00:00 to 24:00 of a local day, ignoring holidays and lists of days."""
        bands = self._rule_for({WEEKDAYS[day.weekday()]}, day).bands
        of_day = sorted((minute % _DAY_MIN, period) for minute, period in bands)
        return tuple(of_day) if of_day[0][0] == 0 else ((0, of_day[-1][1]), *of_day)

    def periods_of_season(self, day: date) -> frozenset[int]:
        """Return the periods that occur in the season of a local day."""
        season = self._season_of(day)
        rules = (rule for rule in self.rules if rule.season in (None, season))
        return frozenset(period for rule in rules for _, period in rule.bands)

    def border_minutes(self) -> frozenset[int]:
        """Return the minutes of the local day at which a period begins, other than midnight."""
        return frozenset(minute % _DAY_MIN for rule in self.rules for minute, _ in rule.bands) - {0}

    def _rule_for(self, kinds: set[str], day: date) -> DayRule:
        rule = self._find_rule(kinds, day)
        if rule is None:
            season = self._season_of(day)
            raise CalendarError(f"calendar/days: no rule for {'/'.join(kinds)} in season {season!r} ({day})")
        return rule

    def _find_rule(self, kinds: set[str], day: date) -> DayRule | None:
        season = self._season_of(day)
        return next((rule for rule in self.rules if kinds & rule.on and rule.season in (None, season)), None)

    def _season_of(self, day: date) -> str | None:
        month_day = f"{day:%m-%d}"
        for name, ranges in self.seasons.items():
            for first, last in ranges:
                inside = first <= month_day <= last if first <= last else month_day >= first or month_day <= last
                if inside:
                    return name
        return None

    def _check_every_day(self) -> None:
        """Check that each day of a leap year has a rule, so that no reading can be without a period."""
        named = {rule.season for rule in self.rules if rule.season is not None}
        if unknown := named - set(self.seasons):
            raise CalendarError(f"calendar/days: unknown season {sorted(unknown)[0]!r}")
        self._check_kinds()
        for offset in range(366):
            day = date(2024, 1, 1) + timedelta(days=offset)
            season = self._season_of(day)
            kinds = (*WEEKDAYS, HOLIDAY) if self.has_holidays else WEEKDAYS
            for kind in kinds:
                if not any(kind in rule.on and rule.season in (None, season) for rule in self.rules):
                    raise CalendarError(f"calendar/days: no rule for {kind} in season {season!r} ({day:%m-%d})")

    def _check_kinds(self) -> None:
        """Check that rules are for kinds of day that exist, and that every list of days has a rule."""
        kinds = {*WEEKDAYS, HOLIDAY}
        if reserved := kinds & set(self.lists):
            raise CalendarError(f"calendar/day_lists: {sorted(reserved)[0]!r} is a kind of day; give another name")
        used = frozenset[str]().union(*(rule.on for rule in self.rules))
        if unknown := used - kinds - set(self.lists):
            known = ", ".join((*WEEKDAYS, HOLIDAY, *self.lists))
            raise CalendarError(f"calendar/days: unknown kind of day {sorted(unknown)[0]!r}; known: {known}")
        if unused := set(self.lists) - used:
            raise CalendarError(f"calendar/day_lists: no rule in calendar/days is on {sorted(unused)[0]!r}")


@dataclass
class Timeline:
    """A calendar in a time zone as sorted UTC boundaries, compiled lazily by year."""

    calendar: Calendar
    zone: tzinfo
    _years: dict[int, tuple[list[int], list[int]]] = field(default_factory=dict)

    def period_at(self, instant_ms: int) -> int:
        """Return the index of the TOU period at an instant [epoch ms]. Raises CalendarError."""
        year = datetime.fromtimestamp(instant_ms / 1000, UTC).year
        if year not in self._years:
            self._years[year] = self._compile(year)
        boundaries, periods = self._years[year]
        found = bisect_right(boundaries, instant_ms) - 1
        if found < 0 or periods[found] == _UNDEFINED:
            raise CalendarError(f"calendar/holidays: the year before or after {year} is missing")
        return periods[found]

    def parts(self, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """Return (start [epoch ms], TOU period) of the parts of one period of an interval of at most a day or so.

        Time whose period is not known, in a year without holidays, belongs to the part before. Raises CalendarError.
        """
        found = [(start_ms, self.period_at(start_ms))]
        boundaries, periods = self._years[datetime.fromtimestamp(start_ms / 1000, UTC).year]
        for at in range(bisect_right(boundaries, start_ms), len(boundaries)):
            if boundaries[at] >= end_ms or periods[at] == _UNDEFINED:
                break
            found.append((boundaries[at], periods[at]))
        return found

    def are_divided(self, starts_ms: NDArray[np.int64], ends_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return True for intervals with several parts; starts are sorted. Raises CalendarError."""
        found = np.zeros(len(starts_ms), dtype=bool)
        if len(self.calendar.periods) == 1 or not len(starts_ms):
            return found
        years = starts_ms.astype("datetime64[ms]").astype("datetime64[Y]").astype(np.int64) + 1970
        for year in np.unique(years):
            rows = years == year
            self.period_at(int(starts_ms[np.argmax(rows)]))
            boundaries, periods = (np.array(column) for column in self._years[int(year)])
            following = np.minimum(np.searchsorted(boundaries, starts_ms[rows], "right"), len(boundaries) - 1)
            found[rows] = (boundaries[following] < ends_ms[rows]) & (periods[following] != _UNDEFINED)
        return found

    def periods_at(self, instants_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of the TOU periods at sorted instants [epoch ms], shape (n,). Raises CalendarError."""
        if len(self.calendar.periods) == 1 or not len(instants_ms):
            return np.zeros(len(instants_ms), dtype=np.int64)
        found = np.empty(len(instants_ms), dtype=np.int64)
        years = instants_ms.astype("datetime64[ms]").astype("datetime64[Y]").astype(np.int64) + 1970
        for year in np.unique(years):
            first = int(np.argmax(years == year))
            self.period_at(int(instants_ms[first]))
            boundaries, periods = self._years[int(year)]
            rows = years == year
            indices = np.searchsorted(np.array(boundaries), instants_ms[rows], "right") - 1
            found[rows] = np.array(periods)[indices]
            if (bad := (indices < 0) | (found[rows] == _UNDEFINED)).any():
                self.period_at(int(instants_ms[rows][np.argmax(bad)]))
        return found

    def spans(self, start_ms: int, end_ms: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (starts [epoch ms], TOU periods) of the consecutive spans of one period in [start, end).

        Raises CalendarError if a year is missing.
        """
        starts, periods = [start_ms], [self.period_at(start_ms)]
        years = (datetime.fromtimestamp(moment_ms / 1000, UTC).year for moment_ms in (start_ms, end_ms - 1))
        for year in sorted(set(years)):
            if year not in self._years:
                self._years[year] = self._compile(year)
            for boundary, period in zip(*self._years[year], strict=True):
                if starts[-1] < boundary < end_ms and period != _UNDEFINED:
                    starts.append(boundary)
                    periods.append(period)
        self.period_at(end_ms - 1)
        return np.array(starts, dtype=np.int64), np.array(periods, dtype=np.int64)

    def _compile(self, year: int) -> tuple[list[int], list[int]]:
        """Return the boundaries [epoch ms] and periods of a UTC year, with a day's margin at both ends for offsets."""
        boundaries: list[int] = []
        periods: list[int] = []
        day, last = date(year - 1, 12, 30), date(year + 1, 1, 2)
        if self.calendar.has_holidays:
            have = self.calendar.holidays
            day = day if year - 1 in have else date(year, 1, 1)
            last = last if year + 1 in have else date(year, 12, 31)
        while day <= last:
            for boundary, period in self._day_boundaries(day):
                if not periods or periods[-1] != period:
                    boundaries.append(boundary)
                    periods.append(period)
            day += timedelta(days=1)
        boundaries.append(self._begin(day) * 1000)
        periods.append(_UNDEFINED)
        return boundaries, periods

    def _begin(self, day: date) -> int:
        """Return the instant at which a day begins [epoch s]."""
        return begin_of(day, self.calendar.begins_min, self.zone)

    def _day_boundaries(self, day: date) -> list[tuple[int, int]]:
        bands, begins = self.calendar.bands_of(day), self.calendar.begins_min
        start_s, end_s = self._begin(day), self._begin(day + timedelta(days=1))
        if end_s - start_s == _DAY_S:
            return [(start_s * 1000 + (minute - begins) * 60_000, period) for minute, period in bands]
        return self._by_minute(bands, start_s, end_s)

    def _by_minute(self, bands: Bands, start_s: int, end_s: int) -> list[tuple[int, int]]:
        """Return the boundaries of a day with a clock change, by looking up the local time of every minute."""
        minutes = [minute for minute, _ in bands]
        found: list[tuple[int, int]] = []
        for instant_s in range(start_s, end_s, 60):
            local = datetime.fromtimestamp(instant_s, self.zone)
            minute = local.hour * 60 + local.minute
            minute += _DAY_MIN if minute < self.calendar.begins_min else 0
            period = bands[bisect_right(minutes, minute) - 1][1]
            if not found or found[-1][1] != period:
                found.append((instant_s * 1000, period))
        return found


def begin_of(day: date, begins_min: int, zone: tzinfo) -> int:
    """Return the instant [epoch s] at which a local day begins whose first minute is `begins_min`."""
    hour, minute = divmod(begins_min, 60)
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp())


def _range(text: str) -> tuple[str, str]:
    first, last = text.split("/")
    return first, last


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _bands(rule: Any, periods: tuple[str, ...], begins_min: int) -> Bands:
    starts = [_minute(band["from"]) for band in rule["bands"]]
    starts = [start + (_DAY_MIN if start < begins_min else 0) for start in starts]
    if starts[0] != begins_min or starts != sorted(set(starts)):
        raise CalendarError(
            f"calendar/days/bands: the first band must begin at {begins_min // 60:02}:{begins_min % 60:02}, "
            "and the others must be in ascending order"
        )
    return tuple((start, periods.index(band["period"])) for start, band in zip(starts, rule["bands"], strict=True))
