"""Calendars, cycles and positions: boundaries, clock changes, missing years."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from flink_job.metering.local_days import local_days
from flink_job.tariffs.calendar import Calendar, CalendarError, Timeline
from flink_job.tariffs.cycle import Segment, cycle_of, segment_of

MADRID = ZoneInfo("Europe/Madrid")
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def calendar(**changes: object) -> Calendar:
    document = {
        "days": [
            {
                "on": WEEK,
                "bands": [
                    {"from": "00:00", "period": "night"},
                    {"from": "02:30", "period": "early"},
                    {"from": "08:00", "period": "day"},
                ],
            }
        ],
        **changes,
    }
    return Calendar.read(document, "all")


def ms(text: str, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=MADRID, fold=fold).timestamp() * 1000)


def period(moment_ms: int, of: Calendar | None = None) -> str:
    used = of or calendar()
    return used.periods[Timeline(used, MADRID).period_at(moment_ms)]


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-03-20T07:59", "early"),
        ("2026-03-20T08:00", "day"),
        ("2026-03-20T23:59", "day"),
        ("2026-03-21T00:00", "night"),
    ],
)
def test_a_period_begins_at_its_first_minute(local: str, expected: str) -> None:
    assert period(ms(local)) == expected


def test_the_skipped_hour() -> None:
    # 29 March: 02:00 becomes 03:00, so 02:30 never comes and `early` begins with 03:00.
    last_minute = ms("2026-03-29T01:59")
    assert period(last_minute) == "night"
    assert period(last_minute + 60_000) == "early"


def test_the_repeated_hour_is_judged_by_the_clock_both_times() -> None:
    # 25 October: 02:00-03:00 comes twice; at 02:30 `early` begins, at the second 02:00 it is `night` again.
    assert [period(ms("2026-10-25T02:15")), period(ms("2026-10-25T02:45"))] == ["night", "early"]
    assert [period(ms("2026-10-25T02:15", 1)), period(ms("2026-10-25T02:45", 1))] == ["night", "early"]


def test_seasons_may_span_the_new_year_and_include_both_ends() -> None:
    both = calendar(
        seasons={"winter": ["11-01/03-31"]},
        days=[
            {"season": "winter", "on": WEEK, "bands": [{"from": "00:00", "period": "dear"}]},
            {"on": WEEK, "bands": [{"from": "00:00", "period": "cheap"}]},
        ],
    )
    days = ["2026-10-31T12:00", "2026-11-01T00:00", "2027-01-15T12:00", "2027-03-31T23:59", "2027-04-01T00:00"]
    assert [period(ms(day), both) for day in days] == ["cheap", "dear", "dear", "dear", "cheap"]


def test_a_year_without_its_holidays_is_an_error() -> None:
    days = [{"on": [*WEEK, "holiday"], "bands": [{"from": "00:00", "period": "all"}]}]
    listed = calendar(holidays={"2026": ["2026-12-25"]}, days=days)
    assert period(ms("2026-12-25T10:00"), listed) == "all"
    with pytest.raises(CalendarError, match="2027"):
        period(ms("2027-01-01T12:00"), listed)
    # Madrid's new year comes before UTC's: the last UTC hour of 2026 already needs the list of 2027.
    with pytest.raises(CalendarError):
        period(ms("2027-01-01T00:30"), listed)


def test_a_day_without_a_rule_is_found_when_the_calendar_is_read() -> None:
    with pytest.raises(CalendarError, match="no rule for sun"):
        calendar(days=[{"on": WEEK[:6], "bands": [{"from": "00:00", "period": "all"}]}])


TEMPO = {
    "day_begins": "06:00",
    "day_lists": {"red": ["2026-01-21", "2026-03-28"], "white": ["2026-01-20", "2026-01-21"]},
    "days": [
        {"on": ["red"], "bands": [{"from": "06:00", "period": "hp_red"}, {"from": "22:00", "period": "hc_red"}]},
        {"on": ["white"], "bands": [{"from": "06:00", "period": "hp_white"}, {"from": "22:00", "period": "hc_white"}]},
        {"on": WEEK, "bands": [{"from": "06:00", "period": "hp_blue"}, {"from": "22:00", "period": "hc_blue"}]},
    ],
}


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2026-01-20T05:59", "hc_blue"),
        ("2026-01-20T06:00", "hp_white"),
        ("2026-01-21T05:59", "hc_white"),  # still the 20th
        ("2026-01-21T06:00", "hp_red"),  # on both lists: the rule for red is first
        ("2026-01-21T22:00", "hc_red"),
        ("2026-01-22T00:00", "hc_red"),
        ("2026-01-22T05:59", "hc_red"),
        ("2026-01-22T06:00", "hp_blue"),
        ("2026-03-29T05:59", "hc_red"),  # of 23 hours: clocks go forward in its night
        ("2026-03-29T06:00", "hp_blue"),
    ],
)
def test_days_of_lists_begin_at_six(local: str, expected: str) -> None:
    assert period(ms(local), calendar(**TEMPO)) == expected


def test_a_day_begins_once_where_clocks_go_back() -> None:
    # 25 October: the day that began on Saturday at 06:00 has 25 hours; its band of 02:30 begins in the first pass.
    bands = [{"from": "06:00", "period": "a"}, {"from": "02:30", "period": "b"}]
    own = calendar(day_begins="06:00", days=[{"on": WEEK, "bands": bands}])
    found = [period(ms(f"2026-10-25T0{clock}", fold), own) for clock, fold in (("2:29", 0), ("2:30", 0), ("2:15", 1))]
    assert [*found, period(ms("2026-10-25T05:59"), own), period(ms("2026-10-25T06:00"), own)] == [*"abab", "a"]


def test_bands_run_on_after_midnight() -> None:
    """EJP: peak hours of 18 hours from 07:00 to 01:00."""
    peak = [{"from": "07:00", "period": "peak"}, {"from": "01:00", "period": "off"}]
    ejp = calendar(
        day_begins="07:00",
        day_lists={"ejp": ["2026-01-21"]},
        days=[{"on": ["ejp"], "bands": peak}, {"on": WEEK, "bands": [{"from": "07:00", "period": "off"}]}],
    )
    clock = ("21T06:59", "21T07:00", "22T00:59", "22T01:00")
    assert [period(ms(f"2026-01-{at}"), ejp) for at in clock] == ["off", "peak", "peak", "off"]
    spans = Timeline(ejp, MADRID).spans(ms("2026-01-21T00:00"), ms("2026-01-22T00:00"))
    assert [ejp.periods[p] for p in spans[1]] == ["off", "peak"]


def test_a_list_counts_in_the_seasons_of_its_rules_only() -> None:
    document = {
        "seasons": {"summer": ["06-01/08-31"]},
        "day_lists": {"event": ["2026-05-20", "2026-07-20"]},
        "days": [
            {"season": "summer", "on": ["event"], "bands": [{"from": "00:00", "period": "dear"}]},
            {"on": WEEK, "bands": [{"from": "00:00", "period": "cheap"}]},
        ],
    }
    days = ("2026-05-20T12:00", "2026-07-20T12:00")
    assert [period(ms(day), calendar(**document)) for day in days] == ["cheap", "dear"]


def test_a_listed_holiday_has_the_rule_of_its_list() -> None:
    document = {
        "holidays": {"2026": ["2026-05-01", "2026-12-25"]},
        "day_lists": {"event": ["2026-05-01"]},
        "days": [
            {"on": [*WEEK, "holiday"], "bands": [{"from": "00:00", "period": "cheap"}]},
            {"on": ["event"], "bands": [{"from": "00:00", "period": "dear"}]},
        ],
    }
    days = ("2026-05-01T12:00", "2026-12-25T12:00")
    assert [period(ms(day), calendar(**document)) for day in days] == ["dear", "cheap"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"day_lists": {"red": []}}, "no rule in calendar/days is on 'red'"),
        ({"day_lists": {"holiday": []}}, "'holiday' is a kind of day"),
        ({"days": [{"on": [*WEEK, "rde"], "bands": [{"from": "00:00", "period": "a"}]}]}, "unknown kind of day 'rde'"),
        ({"day_begins": "06:00"}, "the first band must begin at 06:00"),
    ],
)
def test_faults_of_lists_are_found_when_the_calendar_is_read(changes: dict[str, object], message: str) -> None:
    with pytest.raises(CalendarError, match=message):
        calendar(**changes)


@pytest.mark.parametrize(
    ("day", "billing_day", "expected"),
    [
        (date(2026, 3, 15), 1, (date(2026, 3, 1), date(2026, 4, 1))),
        (date(2026, 3, 28), 29, (date(2026, 2, 28), date(2026, 3, 29))),  # February has no 29th: its last day
        (date(2026, 3, 29), 29, (date(2026, 3, 29), date(2026, 4, 29))),
        (date(2026, 1, 5), 20, (date(2025, 12, 20), date(2026, 1, 20))),
        (date(2026, 12, 31), 31, (date(2026, 12, 31), date(2027, 1, 31))),
    ],
)
def test_billing_cycles(day: date, billing_day: int, expected: tuple[date, date]) -> None:
    assert cycle_of(day, billing_day) == expected


def test_cycles_follow_each_other_without_a_gap() -> None:
    for billing_day in range(1, 32):
        day = date(2023, 12, 1)
        for _ in range(30):
            _, end = cycle_of(day, billing_day)
            assert cycle_of(end, billing_day)[0] == end
            day = end


def test_a_segment_survives_its_key() -> None:
    segment = Segment("a-tariff", "2026.1", date(2026, 3, 1), 1, 2, 31, 10, 3, 4)
    assert segment_of(segment.key()) == segment


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-03-30", 24), ("2026-10-25", 25)])
def test_local_days_have_their_length(day: str, hours: int) -> None:
    start, end = local_days("Europe/Madrid").day_of(ms(f"{day}T12:00"))
    assert (start, end - start) == (ms(f"{day}T00:00"), hours * 3_600_000)
