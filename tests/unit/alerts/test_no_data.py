"""No-data alerts: raised when nothing arrives, escalated with time, cleared by the next arrival."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from flink_job.alerts.document import parse_rules
from flink_job.alerts.no_data import (
    drop_all_no_data,
    drop_inapplicable_no_data,
    evaluate_no_data,
    next_deadline_ms,
    resumed,
    stopped_reporting,
)
from flink_job.alerts.no_data_state import NoDataState, pack_no_data, unpack_no_data
from flink_job.alerts.replay import Replay
from flink_job.alerts.rules import Rule, RuleSet
from flink_job.alerts.samples import Batch, Sample
from flink_job.metering.site import Entity

MINUTE_MS = 60_000
TEN = 1_774_692_000_000
STEPS = [{"severity": "minor", "no_data": "30m"}, {"severity": "critical", "no_data": "2h"}]


def rules(**changes: Any) -> tuple[Rule, ...]:
    calendars = changes.pop("calendars", {})
    document = {"rules": [{"rule_id": "quiet", "levels": STEPS, **changes}], "calendars": calendars}
    return parse_rules(msgspec.json.encode(document)).rules


METER = Entity("m", "f/p/l/m", "gateway=g1")


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

    def edited(self, minute: int, *rules: Rule, entity: Entity = METER) -> list[str]:
        """Replace the rules; returns the reasons of the alerts that end."""
        self.rules, now_ms = rules, TEN + minute * MINUTE_MS
        ended = list(drop_inapplicable_no_data(RuleSet("edited", rules), self.state, entity, now_ms))
        applicable = tuple(rule for rule in rules if rule.covers(entity))
        ended += evaluate_no_data(applicable, "m", self.state, now_ms)
        self._record(ended)
        return [change.detail for _, change in ended if change.state == "cleared"]

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


@pytest.mark.parametrize(
    ("edited", "reason"),
    [
        ([], "the rule was removed"),
        ([{"scope": {"site": "other/*"}}], "outside the rule's scope"),
        ([{"scope": {"tags": {"gateway": "g2"}}}], "outside the rule's scope"),
        # A meter and its line are monitored by different rules, even if the rule has the same name.
        ([{"per": "line"}], "the rule was changed"),
        # 40 minutes without data are not two hours.
        ([{"levels": [{"severity": "minor", "no_data": "2h"}]}], "the rule was changed"),
    ],
)
def test_an_edit_of_the_rule_ends_the_alert(edited: list[dict[str, Any]], reason: str) -> None:
    """Raised after 30 minutes, ended at the edit in minute 40, and nothing more when data arrive."""
    clock = Clock(*rules())
    clock.no_data_since(0, until=40)
    assert clock.edited(40, *(rule for changes in edited for rule in rules(**changes))) == [reason]
    clock.resumed(45)
    assert clock.changes == [("raised", 30, False), ("cleared", 40, False)]


def test_a_rule_that_compares_values_now_ends_the_alert() -> None:
    clock = Clock(*rules())
    clock.no_data_since(0, until=40)
    document = [{"rule_id": "quiet", "severity": "major", "signal": "temperature", "when": "> 80"}]
    [values] = parse_rules(msgspec.json.encode({"rules": document})).rules
    clock.rules = ()
    assert [c.detail for _, c in drop_inapplicable_no_data(RuleSet("2", (values,)), clock.state, METER, TEN)] == [
        "the rule was changed"
    ]


def test_an_edit_that_keeps_the_meter_keeps_the_alert() -> None:
    """The longer duration of the critical level, and another title, change nothing after 40 minutes."""
    clock = Clock(*rules())
    clock.no_data_since(0, until=40)
    levels = [STEPS[0], {"severity": "critical", "no_data": "3h"}]
    assert clock.edited(40, *rules(title="Quiet", levels=levels)) == []
    clock.resumed(50)
    assert clock.changes == [("raised", 30, False), ("cleared", 50, False)]


def test_a_removed_level_eases_the_alert() -> None:
    """After three hours the alert is critical; without that level it is minor, and it ends with the next arrival."""
    clock = Clock(*rules())
    clock.no_data_since(0, until=180)
    clock.edited(180, *rules(levels=STEPS[:1]))
    clock.resumed(190)
    assert [change[:2] for change in clock.changes] == [
        ("raised", 30), ("escalated", 120), ("eased", 180), ("cleared", 190),
    ]  # fmt: skip


def test_a_rule_that_is_added_again_continues_the_alert() -> None:
    """It is the same time without data, so the same alert: its changes are numbered on."""
    clock = Clock(*rules())
    clock.no_data_since(0, until=40)
    clock.edited(40)
    clock.edited(50, *rules())
    assert clock.changes == [("raised", 30, False), ("cleared", 40, False), ("raised", 50, False)]
    assert clock.state.alerts["quiet"].changes == 3


def test_a_clock_that_is_behind_after_a_restart_ends_nothing() -> None:
    clock = Clock(*rules())
    clock.no_data_since(0, until=40)
    assert clock.edited(5, *rules()) == []


def test_an_arrival_ends_the_alert_of_a_rule_that_is_not_known() -> None:
    """As after a restart while the document cannot be read."""
    clock = Clock(*rules())
    clock.no_data_since(0, until=40)
    clock.rules = ()
    clock.resumed(45)
    assert clock.changes == [("raised", 30, False), ("cleared", 45, False)]


def test_a_gateway_that_is_gone_ends_its_alert() -> None:
    """After 40 minutes; then nothing is known of it."""
    clock = Clock(*rules(per="tag:gateway"))
    gateway = Entity("gateway=g1\x1df", "f", "gateway=g1")
    clock.no_data_since(0, until=40)
    [(_, change)] = drop_all_no_data(
        RuleSet("1", clock.rules), clock.state, gateway, TEN + 40 * MINUTE_MS, "no meter is left"
    )
    assert (change.state, change.detail, change.value) == ("cleared", "no meter is left", 2400)
    assert clock.state == NoDataState(last_ms=TEN)


@pytest.mark.parametrize(
    ("scope", "is_covered"),
    [
        ({}, True),
        ({"site": "f/p/*"}, True),
        ({"site": "other/*"}, False),
        ({"tags": {"gateway": "g1"}}, True),
        ({"tags": {"gateway": "g2"}}, False),
        ({"tags": {"class": "press"}}, True),
    ],
)
def test_a_rule_per_tag_covers_the_gateways_of_its_scope(scope: dict[str, Any], is_covered: bool) -> None:
    [rule] = rules(per="tag:gateway", scope=scope)
    assert rule.covers(Entity("gateway=g1\x1df", "f", "gateway=g1")) == is_covered


def test_a_replay_waits_for_meters_that_never_send() -> None:
    """Meter `a` sends every quarter hour from 10:00 to 13:00, `b` until 11:00, and `c` has a contract and never sends.

    `c` is waited for from 10:00, the first arrival: its alerts are at 11:00 and 12:00. Those of `b` are at 12:00 and,
    with two hours, at 13:00; but then the history has ended.
    """
    document = [{"rule_id": name, "severity": "major", "no_data": name} for name in ("1h", "2h")]
    found = parse_rules(msgspec.json.encode({"rules": document}))
    meters = [Entity(name, f"f/p/l/{name}") for name in "abc"]
    batches = [
        Batch(
            *meters[number],
            "reading",
            "meter",
            0,
            TEN + minute * MINUTE_MS,
            "",
            (Sample(TEN, 900, 0, 0, {"power_kw": 1}),),
        )
        for minute in range(0, 181, 15)
        for number in range(2)
        if number == 0 or minute <= 60
    ]
    rows = Replay(found, meters).run(batches)
    assert [(row.rule_id, row.entity, row.state, (row.event_ms - TEN) // MINUTE_MS) for row in rows] == [
        ("1h", "c", "raised", 60),
        ("1h", "b", "raised", 120),
        ("2h", "c", "raised", 120),
    ]


def test_the_state_survives_serialization() -> None:
    clock = Clock(*rules())
    clock.no_data_since(0, until=40)
    entity = METER
    assert unpack_no_data(pack_no_data(entity, clock.state)) == (entity, clock.state)
    assert unpack_no_data(None) == (None, NoDataState())
