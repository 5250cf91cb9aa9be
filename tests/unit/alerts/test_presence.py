"""Marks of readings and contracts: which entities a meter reports for, joins and leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from flink_job.alerts.document import parse_rules
from flink_job.alerts.presence import Heartbeats, contract_marks
from flink_job.alerts.registry import open_rule_registry
from flink_job.alerts.rules import RuleSet
from flink_job.metering.site import Entity

METER = Entity("m", "f/p/l/m", "gateway=g1")
SILENT = {"rule_id": "silent", "severity": "major", "no_data": "20m"}


def rules(*documents: dict[str, Any]) -> RuleSet:
    return parse_rules(msgspec.json.encode({"rules": documents}))


def shown(marks: list[str]) -> list[str]:
    return [mark.replace("\x1e", "|").replace("\x1d", "@") for mark in marks]


def test_a_meter_joins_itself_its_levels_and_its_tags() -> None:
    marks = contract_marks(rules(SILENT), METER, None)
    assert shown(marks) == [
        "mm|f/p/l/m|gateway=g1|watched",
        "gf|f||joined",
        "gf/p|f/p||joined",
        "gf/p/l|f/p/l||joined",
        "ggateway=g1@f|f|gateway=g1|joined",
    ]


def test_entities_are_watched_that_a_rule_monitors_through_the_meter() -> None:
    """The second rule is per line, the third per gateway but of other meters."""
    found = rules(
        {**SILENT, "per": "factory", "scope": {"tags": {"gateway": "g1"}}},
        {**SILENT, "rule_id": "line", "per": "line"},
        {**SILENT, "rule_id": "gateway", "per": "tag:gateway", "scope": {"meters": ["other"]}},
    )
    watched = [mark.split("|")[0] for mark in shown(contract_marks(found, METER, None)) if mark.endswith("watched")]
    assert watched == ["gf", "gf/p/l"]


def test_a_meter_that_moves_leaves_what_it_no_longer_belongs_to() -> None:
    """It stays in its factory and process, and remains itself."""
    moved = Entity("m", "f/p/l2/m", "gateway=g2")
    marks = shown(contract_marks(rules(), moved, METER))
    assert [mark for mark in marks if mark.endswith("left")] == [
        "gf/p/l|f/p/l||left",
        "ggateway=g1@f|f|gateway=g1|left",
    ]
    assert "mm|f/p/l2/m|gateway=g2|joined" in marks
    assert len(marks) == 7


def test_a_short_path_has_few_levels_and_a_meter_may_have_their_name() -> None:
    """The path names a factory; with tags, the meter of that name is another entity."""
    assert shown(contract_marks(rules(), Entity("f", "f", "a=b"), None)) == [
        "mf|f|a=b|joined",
        "gf|f||joined",
        "ga=b@f|f|a=b|joined",
    ]


def test_heartbeats_are_marks_of_monitored_entities(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_bytes(
        msgspec.json.encode({"rules": [{**SILENT, "per": "tag:gateway"}, {**SILENT, "rule_id": "meter"}]})
    )
    heartbeats = Heartbeats(open_rule_registry(str(tmp_path / "rules.yaml"), refresh_s=0))
    heartbeats.refresh()
    assert heartbeats.needed
    assert shown(heartbeats.marks(METER) or []) == ["ggateway=g1@f|f|gateway=g1", "mm|f/p/l/m|gateway=g1"]
    (tmp_path / "rules.yaml").write_text("rules: []")
    heartbeats.refresh()
    assert not heartbeats.needed
    assert heartbeats.marks(METER) is None
