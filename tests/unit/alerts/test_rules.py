"""Rules documents: faults, conditions, scopes, calendars, and the rule registry."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from flink_job.alerts.calendars import Calendar, CalendarDocument, WeeklyWindow, days_of
from flink_job.alerts.conditions import clear_condition, parse_condition
from flink_job.alerts.document import RuleError, parse_rules
from flink_job.alerts.durations import parse_duration, show_duration
from flink_job.alerts.registry import RuleRegistry
from flink_job.alerts.rules import CLEAR, HELD, RuleSet
from flink_job.io.locations import FolderLocation
from flink_job.metering.site import Entity, supply_of

RULE = {"rule_id": "hot", "signal": "temperature", "severity": "major", "when": "> 80"}
BUDGET = {"signal": "bill", "per": "supply", "when": "> 10"}
METER = Entity("m-1", "f/p/l/m-1", "class=press;gateway=g1")


def rules(*changed: dict[str, Any], calendars: Any = None, silence_s: int = 0) -> Any:
    documents = [{k: v for k, v in {**RULE, **changes}.items() if v is not None} for changes in changed]
    content = msgspec.json.encode({"rules": documents, "calendars": calendars or {}})
    return parse_rules(content, silence_s=silence_s).rules


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"when": "80"}, "not a condition"),
        ({"when": None}, "give either|not a condition"),
        ({"signal": "noise"}, "signal is 'noise'"),
        ({"severity": "loud"}, "severity is 'loud'"),
        ({"abov": 3}, "abov"),
        (
            {"signal": "kpi.power_factor", "window": "1h", "when": "> 1"},
            "can never fire: kpi.power_factor is between 0",
        ),
        ({"signal": "humidity", "when": "< 0"}, "can never fire"),
        ({"signal": "power_kw", "when": ">= 0"}, "can never clear"),
        ({"signal": "humidity", "when": "inside 0..100"}, "can never clear"),
        ({"clear_at": "85"}, "is above the limit"),
        ({"when": "< 10", "clear_at": "5"}, "is below the limit"),
        ({"when": "outside 48..52", "clear_at": "47..51"}, "must be within"),
        ({"when": "outside 52..48"}, "is not below"),
        ({"for": "ten minutes"}, "not a duration"),
        ({"active": "shift"}, "names calendar 'shift'"),
        ({"inhibited_by": ["gone"]}, "not a rule of this document"),
        ({"inhibited_by": ["hot"]}, "cannot inhibit itself"),
        ({"window": "1h"}, "window applies to KPIs"),
        ({"signal": "kpi.cost"}, "for a KPI it must be one of"),
        ({"per": "line"}, "a reading belongs to its meter"),
        ({"per": "supply"}, "per supply applies to bill, contracted_share, demand_kw, projected_bill only"),
        ({**BUDGET, "scope": {"meters": ["m"]}}, "scope supplies by site, supply_points"),
        ({**BUDGET, "scope": {"site": "f/p/*"}}, "can never fire: the place of a supply is its factory"),
        ({"scope": {"supply_points": ["sp"]}}, "applies to rules per supply only"),
        ({**BUDGET, "window": "1h"}, "window applies to KPIs"),
        ({"min_samples": 0}, "at least 1"),
        ({"signal": "kpi.cost", "window": "1h", "for": "2h", "max_gap": "10m"}, "can never fire: max_gap"),
        ({"flapping": {"changes": 1, "within": "1h"}}, "at least 2"),
        ({"signal": None, "when": None, "no_data": "5m"}, "shorter than the job's silence_s"),
        ({"signal": None, "when": None, "no_data": "1h", "for": "5m"}, "no_data is its duration"),
    ],
)
def test_faulty_rules_are_rejected(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        rules(changes, silence_s=600)


def test_rules_on_supplies_concern_no_meter_of_the_name() -> None:
    """A meter with a contract of its own is a supply point, too, of the same name."""
    found = RuleSet("1", rules({**BUDGET, "scope": {"site": "f/*", "supply_points": ["m-1"]}}, {"rule_id": "meter"}))
    assert [rule.rule_id for rule in found.of_reading(METER)] == ["meter"]
    supply = supply_of("m-1", METER.site_path)
    assert (supply.shown, supply.site_path, supply.name == METER.name) == ("m-1", "f", False)
    assert [rule.rule_id for rule in found.of_supply(supply)] == ["hot"]
    assert found.of_supply(supply_of("m-2", METER.site_path)) == ()
    assert found.of_supply(supply_of("m-1", "g/p/l/m-1")) == ()


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(RuleError) as error:
        rules({"when": "> x"}, {"rule_id": "other", "severity": "loud", "for": "soon"})
    assert len(error.value.problems) == 3


def test_higher_levels_must_imply_lower_ones() -> None:
    wrong = [{"severity": "minor", "when": "> 90"}, {"severity": "major", "when": "> 80"}]
    with pytest.raises(RuleError, match=r"minor \(> 90\) must hold whenever major \(> 80\) does"):
        rules({"severity": None, "when": None, "levels": wrong})


def test_rule_ids_are_unique() -> None:
    with pytest.raises(RuleError, match="two rules have the rule_id 'hot'"):
        rules({}, {})


@pytest.mark.parametrize(
    ("when", "clear_at", "ranks"),
    [
        ("> 80", "", {80: CLEAR, 80.1: 2}),
        (">= 80", "", {79.9: CLEAR, 80: 2}),
        ("> 80", "75", {75: CLEAR, 75.1: HELD, 80: HELD, 81: 2}),
        ("< 10", "12", {9.9: 2, 10: HELD, 11.9: HELD, 12: CLEAR}),
        ("outside 48..52", "49..51", {47.9: 2, 48: HELD, 50: CLEAR, 51.5: HELD, 52.1: 2}),
        ("inside 10..20", "8..22", {15: 2, 9: HELD, 8: HELD, 7.9: CLEAR, 23: CLEAR}),
    ],
)
def test_rank_of_a_value(when: str, clear_at: str, ranks: dict[float, int]) -> None:
    [rule] = rules({"when": when, **({"clear_at": clear_at} if clear_at else {})})
    assert {value: rule.rank_of(value) for value in ranks} == ranks


def test_the_threshold_of_a_band_is_the_nearer_side() -> None:
    band = parse_condition("outside 48..52")
    assert (band.threshold(47), band.threshold(53)) == (48, 52)
    assert clear_condition(band, "").holds(50)


@pytest.mark.parametrize(
    ("scope", "matches"),
    [
        ({}, True),
        ({"site": "f/p/*"}, True),
        ({"site": "f/q/*"}, False),
        ({"meters": ["m-1"]}, True),
        ({"meters": ["m-2"]}, False),
        ({"tags": {"gateway": "g1"}}, True),
        ({"tags": {"gateway": "g1", "class": "oven"}}, False),
    ],
)
def test_scope(scope: dict[str, Any], matches: bool) -> None:
    [rule] = rules({"scope": scope})
    assert rule.scope.matches(METER) is matches


def test_durations() -> None:
    assert [parse_duration(text) for text in ("90s", "1h30m", "2d", "250ms")] == [90_000, 5_400_000, 172_800_000, 250]
    assert [show_duration(ms) for ms in (0, 90_000, 5_400_000, 90_061_000)] == ["0s", "1m30s", "1h30m", "1d1h"]


@pytest.mark.parametrize(
    ("local", "is_open"),
    [
        # Madrid, 29 March 2026: clocks go from 2:00 to 3:00. The shift of Saturday ends at 6:00 local time.
        ("2026-03-28T21:59", False),
        ("2026-03-28T22:00", True),
        ("2026-03-29T03:30", True),
        ("2026-03-29T05:59", True),
        ("2026-03-29T06:00", False),
        # 25 October: 2:30 occurs twice, both times in the shift.
        ("2026-10-25T02:30", True),
        ("2026-10-25T02:30+01:00", True),
        # There is no shift on Sunday night.
        ("2026-03-29T23:00", False),
    ],
)
def test_a_night_shift_follows_local_time(local: str, is_open: bool) -> None:
    shift = Calendar(CalendarDocument("Europe/Madrid", (WeeklyWindow("22:00", "06:00", "mon-sat"),)))
    moment = datetime.fromisoformat(local)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("Europe/Madrid"))
    assert shift.is_open(int(moment.timestamp() * 1000)) is is_open


def test_yaml_times_and_dates_need_no_quotes() -> None:
    text = b"""
calendars:
  shift: {timezone: UTC, weekly: [{from: 22:00, to: 06:00, days: "fri-mon"}], except: [2026-12-25]}
  stop: {timezone: UTC, once: [{from: 2026-03-28T10:00, to: 2026-03-28 11:00:00}]}
rules:
  - {rule_id: a, signal: temperature, severity: info, when: "> 1", active: not shift, mute: stop}
"""
    [rule] = parse_rules(text).rules
    assert rule.active is not None and rule.active.weekly == [(frozenset({4, 5, 6, 0}), 1320, 360)]
    assert rule.is_muted(1_774_692_000_000)


@pytest.mark.parametrize(
    ("calendar", "problem"),
    [
        ({"timezone": "Mars/Base"}, "not an IANA time zone"),
        ({"timezone": "UTC"}, "never open"),
        ({"timezone": "UTC", "weekly": [{"from": "00:00", "to": "24:00"}]}, "every minute of the week"),
        ({"timezone": "UTC", "weekly": [{"from": "late", "to": "24:00"}]}, "not a time of day"),
        ({"timezone": "UTC", "weekly": [{"from": "1:00", "to": "2:00", "days": "x"}]}, "days 'x'|not a time of day"),
        ({"timezone": "UTC", "once": [{"from": "2026-01-02T00:00", "to": "2026-01-01T00:00"}]}, "before it begins"),
    ],
)
def test_faulty_calendars_are_rejected(calendar: Any, problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        rules({}, calendars={"c": calendar})


def test_days() -> None:
    assert days_of("mon-fri") == frozenset(range(5))


def test_the_registry_keeps_the_last_usable_rules() -> None:
    """A faulty version is rejected, a valid one accepted, and an unchanged document is not read again."""
    good = msgspec.json.encode({"rules": [RULE]})
    better = msgspec.json.encode({"rules": [RULE, {**RULE, "rule_id": "other"}]})
    answers = [("1", good), None, ("2", b"rules: 3"), ("3", better)]
    asked: list[str] = []

    class Changing(FolderLocation):
        def read_changed(self, name: str, tag: str) -> tuple[str, bytes] | None:
            asked.append(tag)
            return answers[len(asked) - 1]

    registry = RuleRegistry(Changing(Path()), "rules.yaml", refresh_s=10)
    seen = [
        (len(registry.refresh(now).rules.rules), bool(registry.fault), registry.generation)
        for now in (0, 5, 10, 20, 30)
    ]
    assert seen == [(1, False, 1), (1, False, 1), (1, False, 1), (1, True, 1), (2, False, 2)]
    assert asked == ["", "1", "1", "2"]
