"""Calendars of alert rules in the nights of clock changes, in Europe/Madrid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from flink_job.alerts.calendars import Calendar, CalendarDocument, WeeklyWindow
from flink_job.alerts.document import parse_rules
from flink_job.alerts.replay import Replay
from flink_job.alerts.samples import Batch, Sample

QUARTER_S = 900
#: Saturday 24 October 2026, 18:00 local; clocks go back from 03:00 to 02:00 at 01:00 UTC on Sunday.
SATURDAY = datetime(2026, 10, 24, 16, tzinfo=UTC)
READINGS = 76
RULES = {
    "calendars": {
        name: {"timezone": "Europe/Madrid", "weekly": [{"days": days, "from": "22:00", "to": "06:00"}]}
        for name, days in (("night", "daily"), ("sat-night", "sat"), ("sun-night", "sun"))
    },
    "rules": [
        {"rule_id": rule_id, "signal": "power_kw", "severity": "major", "when": "> 10", "for": "1h", "active": active}
        for rule_id, active in (("night", "night"), ("day", "not night"), ("sat", "sat-night"), ("sun", "sun-night"))
    ],
}


def changes_of(first: int, last: int) -> list[tuple[str, str, str]]:
    """Changes (rule, state, UTC time) of a meter with 20 kW in the quarter hours `first` to `last`, otherwise 4 kW.

    Quarter hours count from 16:00 UTC, 18:00 local.
    """
    rules = parse_rules(msgspec.json.encode(RULES))
    batches = []
    for number in range(READINGS):
        at_ms = int((SATURDAY + timedelta(seconds=number * QUARTER_S)).timestamp() * 1000)
        values = {"power_kw": 20.0 if first <= number <= last else 4.0}
        sample = Sample(at_ms, QUARTER_S, 0, 0, values)
        batches.append(Batch("m", "f/p/l/m", "", "reading", "meter", 0, at_ms + QUARTER_S * 1000, "EUR", (sample,)))
    rows = Replay(rules).run(batches)
    return [(row.rule_id, row.state, f"{datetime.fromtimestamp(row.event_ms / 1000, UTC):%H:%M}") for row in rows]


def test_a_night_of_nine_hours() -> None:
    """20 kW throughout, `for: 1h`.

    The breach begins at 18:00 local (16:00 UTC): the day's alert is raised an hour later and ends at 22:00 (20:00 UTC).
    The night begins then, so its alert is raised at 21:00 UTC; it ends at 06:00 local, after the change 05:00 UTC: nine
    hours. The day's alert is raised an hour later. The night belongs to Saturday, not to Sunday.
    """
    changes = changes_of(0, READINGS - 1)
    assert [(state, at) for rule, state, at in changes if rule == "night"] == [
        ("raised", "21:00"),
        ("cleared", "05:00"),
    ]
    assert [(state, at) for rule, state, at in changes if rule == "sat"] == [("raised", "21:00"), ("cleared", "05:00")]
    assert [(state, at) for rule, state, at in changes if rule == "day"] == [
        ("raised", "17:00"), ("cleared", "20:00"), ("raised", "06:00"),
    ]  # fmt: skip
    assert not [change for change in changes if change[0] == "sun"]


def test_a_breach_within_the_night() -> None:
    """20 kW from 21:00 to 23:00 UTC: the alert is raised after an hour, and ends with the first reading of 4 kW."""
    assert changes_of(20, 27) == [
        ("night", "raised", "22:00"), ("sat", "raised", "22:00"),
        ("night", "cleared", "23:00"), ("sat", "cleared", "23:00"),
    ]  # fmt: skip


def test_a_breach_across_the_end_of_the_night_is_too_short_for_either_shift() -> None:
    """20 kW from 04:30 to 05:45 UTC: from the first to the last reading, 15 minutes of the night and 45 of the day."""
    assert changes_of(50, 55) == []


@pytest.mark.parametrize(
    ("start", "end", "opened", "closed"),
    [
        # Clocks show 02:30 at 00:30 UTC and again at 01:30 UTC.
        ("22:00", "02:30", "20:00", "00:30"),
        ("02:30", "06:00", "00:30", "05:00"),
    ],
)
def test_a_shift_that_changes_in_the_repeated_hour_is_one_window(
    start: str, end: str, opened: str, closed: str
) -> None:
    assert openings(start, end, SATURDAY) == [opened, closed]


@pytest.mark.parametrize(
    ("start", "end", "opened", "closed"),
    [
        # 02:30 is skipped: clocks go forward from 02:00 to 03:00 at 01:00 UTC, and half an hour later is 01:30 UTC.
        ("22:00", "02:30", "21:00", "01:30"),
        ("02:30", "06:00", "01:30", "04:00"),
    ],
)
def test_a_shift_that_changes_in_the_skipped_hour(start: str, end: str, opened: str, closed: str) -> None:
    assert openings(start, end, datetime(2026, 3, 28, 16, tzinfo=UTC)) == [opened, closed]


def openings(start: str, end: str, evening: datetime) -> list[str]:
    """UTC times of the night after `evening` at which a daily window opens and closes."""
    calendar = Calendar(CalendarDocument("Europe/Madrid", (WeeklyWindow(start, end),)))
    times = [evening + timedelta(minutes=minute) for minute in range(15 * 60)]
    is_open = [calendar.is_open(int(at.timestamp() * 1000)) for at in times]
    return [f"{at:%H:%M}" for at, before, now in zip(times[1:], is_open, is_open[1:], strict=False) if before != now]
