"""Notices of `rate` and `tariffs check` about readings that a bill has to guess about."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from flink_job.billing.notices import count_over_borders, for_interval, has_end_times, notices
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import Intervals
from flink_job.tariffs.model import Tariff

PARIS = ZoneInfo("Europe/Paris")
HOUR_MS = 3_600_000
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
BANDS = [{"from": "00:00", "period": "low"}, {"from": "06:30", "period": "high"}, {"from": "22:30", "period": "low"}]


def tariff(**more: Any) -> Tariff:
    document = {
        "tariff_id": "t",
        "version": "1",
        "currency": "EUR",
        "valid_from": "2026-01-01",
        "calendar": {"days": [{"on": DAYS, "bands": BANDS}]},
        "energy": {"periods": {"low": [{"price": "0.1"}], "high": [{"price": "0.2"}]}},
        **more,
    }
    return read_tariff({name: value for name, value in document.items() if value is not None})


def readings(first: str, count: int, length_s: int, kwh: int = 1) -> Intervals:
    """Readings one after the other, from a local time in Paris on."""
    start = int(datetime.fromisoformat(first).replace(tzinfo=PARIS).timestamp()) * 1000
    starts = start + np.arange(count) * length_s * 1000
    return Intervals.of(starts, np.full(count, length_s * 1000), np.full(count, kwh * 1_000_000))


def said(data: Intervals, *versions: Tariff) -> list[str]:
    return list(notices(versions, PARIS, {"m": data}))


def test_hours_over_a_border_are_counted() -> None:
    """Two borders a day, at 06:30 and 22:30; hours without energy do not matter."""
    two_days = readings("2026-05-04T00:00", 48, 3600)
    (line,) = said(two_days, tariff())
    assert line.startswith("4 readings over a border of TOU periods")
    assert count_over_borders(readings("2026-05-04T00:00", 96, 1800), tariff(), PARIS) == 0
    assert count_over_borders(readings("2026-05-04T00:00", 48, 3600, kwh=0), tariff(), PARIS) == 0


def test_a_day_begins_and_ends_in_one_period_but_is_over_two_borders() -> None:
    assert count_over_borders(readings("2026-05-04T00:00", 3, 86_400), tariff(), PARIS) == 3


def test_the_last_reading_may_end_in_a_year_without_holidays() -> None:
    calendar = {"days": [{"on": [*DAYS, "holiday"], "bands": BANDS}], "holidays": {"2026": ["2026-12-25"]}}
    assert count_over_borders(readings("2026-12-31T20:00", 4, 3600), tariff(calendar=calendar), PARIS) == 1


def test_readings_longer_than_the_demand_interval_are_counted() -> None:
    quarters = tariff(calendar=None, energy=None, demand={"window_s": 900, "flat": [{"price": "1"}]})
    (line,) = said(readings("2026-05-04T00:00", 5, 3600), quarters)
    assert line == "demand is a mean, and peaks are unknown, in 5 readings of more than the demand interval of 900 s"
    assert said(readings("2026-05-04T00:00", 5, 900), quarters) == []


def test_each_version_has_its_own_readings() -> None:
    """Under version 2, from 5 May on, the borders are at full hours: only the two of 4 May count."""
    bands = [{"from": "00:00", "period": "low"}, {"from": "07:00", "period": "high"}]
    second = tariff(version="2", valid_from="2026-05-05", calendar={"days": [{"on": DAYS, "bands": bands}]})
    (line,) = said(readings("2026-05-04T00:00", 48, 3600), tariff(), second)
    assert line.startswith("2 readings")


@pytest.mark.parametrize(
    ("first", "count", "length_s", "is_suspicious"),
    [
        ("2026-05-31T01:00", 24, 3600, True),  # 01:00 to 24:00
        ("2026-05-31T00:00", 24, 3600, False),  # 00:00 to 23:00
        ("2026-05-31T00:15", 96, 900, True),
        ("2026-05-31T01:00", 23, 3600, False),  # 01:00 to 23:00: a meter that began at one
        ("2026-05-31T00:05", 288, 300, False),
    ],
)
def test_times_that_may_be_ends(first: str, count: int, length_s: int, is_suspicious: bool) -> None:
    data = readings(first, count, length_s)
    assert has_end_times(data, PARIS) == is_suspicious
    assert any("ends of intervals" in line for line in said(data, tariff(calendar=None, energy=None))) == is_suspicious


def test_a_tariff_is_checked_for_readings_of_one_length() -> None:
    document = tariff(demand={"window_s": 900, "flat": [{"price": "1"}]})
    assert [line.split(":")[0] for line in for_interval(document, 3600)] == [
        "demand is a mean, and peaks are unknown, in readings of 3600 s",
        "readings of 3600 s over a border of TOU periods (06",
    ]
    assert [line.split(":")[0] for line in for_interval(document, 600)] == ["demand is estimated"]
    assert list(for_interval(document, 900)) == []
