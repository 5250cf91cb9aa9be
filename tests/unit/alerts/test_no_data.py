"""Heartbeats: raised when nothing comes, stepping up with time, cleared by whatever comes."""

from __future__ import annotations

from typing import Any

import msgspec

from flink_job.alerts.document import parse_rules
from flink_job.alerts.no_data import NoDataState, evaluate_no_data, heard, next_deadline_ms, stopped_reporting
from flink_job.alerts.rules import Rule
from flink_job.metering.site import Entity

MINUTE_MS = 60_000
TEN = 1_774_692_000_000
STEPS = [{"severity": "minor", "no_data": "30m"}, {"severity": "critical", "no_data": "2h"}]


def rules(**changes: Any) -> tuple[Rule, ...]:
    calendars = changes.pop("calendars", {})
    document = {"rules": [{"rule_id": "quiet", "levels": STEPS, **changes}], "calendars": calendars}
    return parse_rules(msgspec.json.encode(document)).rules


class Clock:
    """An entity's heartbeat; looks when the machine asks for it, as timers would."""

    def __init__(self, *watched: Rule) -> None:
        self.rules, self.state, self.told = watched, NoDataState(), list[tuple[str, int, bool]]()

    def silent_since(self, minute: int, until: int) -> None:
        now = TEN + (minute + 10) * MINUTE_MS
        stopped_reporting(self.state, TEN + minute * MINUTE_MS)
        self._look(now)
        while (due := next_deadline_ms(self.rules, self.state, now)) is not None and due <= TEN + until * MINUTE_MS:
            now = due
            self._look(now)

    def heard(self, minute: int, before: int | None = None) -> None:
        before_ms = -1 if before is None else TEN + before * MINUTE_MS
        self._tell(heard(self.rules, "m", self.state, TEN + minute * MINUTE_MS, before_ms))

    def _look(self, now_ms: int) -> None:
        self._tell(evaluate_no_data(self.rules, "m", self.state, now_ms))

    def _tell(self, changes: Any) -> None:
        self.told += [(c.state, (c.event_ms - TEN) // MINUTE_MS, c.historical) for _, c in changes]


def test_a_silence_is_raised_steps_up_and_ends() -> None:
    clock = Clock(*rules())
    clock.silent_since(0, until=150)
    clock.heard(150)
    assert clock.told == [("raised", 30, False), ("escalated", 120, False), ("cleared", 150, False)]


def test_a_short_pause_is_nothing() -> None:
    clock = Clock(*rules())
    clock.silent_since(0, until=20)
    clock.heard(20)
    assert clock.told == []


def test_a_silence_overtaken_by_what_ended_it_is_a_record() -> None:
    """After a restart the backlog runs through: the reading that ends the silence may come before its beginning."""
    clock = Clock(*rules())
    clock.heard(45, before=0)
    clock.silent_since(0, until=45)
    assert clock.told == [("raised", 45, True), ("cleared", 45, True)]


def test_outside_its_calendar_silence_is_right() -> None:
    calendars = {"shift": {"timezone": "UTC", "weekly": [{"from": "11:00", "to": "15:00"}]}}
    clock = Clock(*rules(active="shift", calendars=calendars))
    clock.silent_since(0, until=90)
    assert clock.told == [("raised", 60, False)]


def test_a_muted_silence_is_told_when_the_mute_ends() -> None:
    calendars = {"stop": {"timezone": "UTC", "weekly": [{"from": "10:00", "to": "10:45"}]}}
    clock = Clock(*rules(mute="stop", calendars=calendars))
    clock.silent_since(0, until=90)
    assert clock.told == [("raised", 30, False), ("raised", 45, False)]


def test_a_gateway_is_all_meters_with_its_tag() -> None:
    document = [{"rule_id": "gateway", "severity": "major", "no_data": "10m", "per": "tag:gateway"}]
    watched = parse_rules(msgspec.json.encode({"rules": document})).of_no_data(Entity("m", "f/p/l/m", "gateway=g1"))
    assert list(watched) == [Entity("gateway=g1\x1df", "f", "gateway=g1")]
