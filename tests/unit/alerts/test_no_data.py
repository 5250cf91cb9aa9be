"""No-data alerts: raised when nothing arrives, escalated with time, cleared by the next arrival."""

from __future__ import annotations

from typing import Any

import msgspec

from flink_job.alerts.document import parse_rules
from flink_job.alerts.no_data import (
    NoDataState,
    evaluate_no_data,
    next_deadline_ms,
    pack_no_data,
    resumed,
    stopped_reporting,
    unpack_no_data,
)
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
    """The state machine of an entity, evaluated at its deadlines, as timers do."""

    def __init__(self, *rules: Rule) -> None:
        self.rules, self.state, self.changes = rules, NoDataState(), list[tuple[str, int, bool]]()

    def no_data_since(self, minute: int, until: int) -> None:
        now = TEN + (minute + 10) * MINUTE_MS
        stopped_reporting(self.state, TEN + minute * MINUTE_MS)
        self._evaluate(now)
        while (due := next_deadline_ms(self.rules, self.state, now)) is not None and due <= TEN + until * MINUTE_MS:
            now = due
            self._evaluate(now)

    def resumed(self, minute: int, before: int | None = None) -> None:
        before_ms = -1 if before is None else TEN + before * MINUTE_MS
        self._record(resumed(self.rules, "m", self.state, TEN + minute * MINUTE_MS, before_ms))

    def _evaluate(self, now_ms: int) -> None:
        self._record(evaluate_no_data(self.rules, "m", self.state, now_ms))

    def _record(self, changes: Any) -> None:
        self.changes += [(c.state, (c.event_ms - TEN) // MINUTE_MS, c.historical) for _, c in changes]


def test_no_data_is_raised_escalated_and_cleared() -> None:
    clock = Clock(*rules())
    clock.no_data_since(0, until=150)
    clock.resumed(150)
    assert clock.changes == [("raised", 30, False), ("escalated", 120, False), ("cleared", 150, False)]


def test_a_short_pause_raises_nothing() -> None:
    clock = Clock(*rules())
    clock.no_data_since(0, until=20)
    clock.resumed(20)
    assert clock.changes == []


def test_an_outage_that_is_detected_after_its_end_is_historical() -> None:
    """In a backlog after a restart, the reading that ends an outage can be processed before its detection."""
    clock = Clock(*rules())
    clock.resumed(45, before=0)
    clock.no_data_since(0, until=45)
    assert clock.changes == [("raised", 45, True), ("cleared", 45, True)]


def test_outside_its_calendar_a_rule_raises_nothing() -> None:
    calendars = {"shift": {"timezone": "UTC", "weekly": [{"from": "11:00", "to": "15:00"}]}}
    clock = Clock(*rules(active="shift", calendars=calendars))
    clock.no_data_since(0, until=90)
    assert clock.changes == [("raised", 60, False)]


def test_a_muted_alert_is_raised_again_when_the_mute_ends() -> None:
    calendars = {"stop": {"timezone": "UTC", "weekly": [{"from": "10:00", "to": "10:45"}]}}
    clock = Clock(*rules(mute="stop", calendars=calendars))
    clock.no_data_since(0, until=90)
    assert clock.changes == [("raised", 30, False), ("raised", 45, False)]


def test_a_rule_per_tag_monitors_all_meters_with_the_tag() -> None:
    document = [{"rule_id": "gateway", "severity": "major", "no_data": "10m", "per": "tag:gateway"}]
    monitored = parse_rules(msgspec.json.encode({"rules": document})).of_no_data(Entity("m", "f/p/l/m", "gateway=g1"))
    assert list(monitored) == [Entity("gateway=g1\x1df", "f", "gateway=g1")]


def test_the_state_survives_serialization() -> None:
    clock = Clock(*rules())
    clock.no_data_since(0, until=40)
    entity = Entity("m", "f/p/l/m", "gateway=g1")
    assert unpack_no_data(pack_no_data(entity, clock.state)) == (entity, clock.state)
    assert unpack_no_data(None) == (None, NoDataState())
