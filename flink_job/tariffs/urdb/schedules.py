"""Schedules of a URDB record, which give each hour of a month the number of a period, to calendars."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]
WEEKEND = ["sat", "sun"]


def calendar_of(document: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Convert schedules to a calendar: months with equal schedules are a season, a period is named by its number."""
    weekday, weekend = (_schedule(document, f"{kind}{days}schedule") for days in ("weekday", "weekend"))
    seasons: dict[str, list[int]] = {}
    for month in range(12):
        seasons.setdefault(json.dumps([weekday[month], weekend[month]]), []).append(month)
    days: list[dict[str, Any]] = []
    ranges: dict[str, list[str]] = {}
    for number, months in enumerate(seasons.values()):
        season = f"season-{number}"
        ranges[season] = [f"{m + 1:02d}-01/{m + 1:02d}-{_month_end(m):02d}" for m in months]
        for on, schedule in ((WEEKDAYS, weekday), (WEEKEND, weekend)):
            days.append({"season": season, "on": on, "bands": _bands(schedule[months[0]])})
    return {"seasons": ranges, "days": days}


def _schedule(document: Mapping[str, Any], field: str) -> list[list[int]]:
    rows = document.get(field) or [[0] * 24] * 12
    return [[int(period) for period in row] for row in rows]


def _bands(hours: Sequence[int]) -> list[dict[str, str]]:
    changes = [h for h in range(24) if h == 0 or hours[h] != hours[h - 1]]
    return [{"from": f"{h:02d}:00", "period": period_name(hours[h])} for h in changes]


def period_name(number: int) -> str:
    """Return the name of a period."""
    return f"period-{number}"


def _month_end(month: int) -> int:
    return (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month]


def used_periods(document: Mapping[str, Any], kind: str) -> set[int]:
    """Return the periods that occur in the schedules of `energy` or `demand`."""
    return {p for days in ("weekday", "weekend") for row in _schedule(document, f"{kind}{days}schedule") for p in row}
