"""The `alerts` commands, and the alerts of the stream compared with a replay of the same rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flink_job.lake.database import query
from tests.harness.alerting import parse_lines
from tests.harness.jobs import SAMPLES, command, write_records

RULES = SAMPLES / "rules.yaml"
HISTORY = ("--readings", SAMPLES / "readings.ndjson.gz", "--contracts", SAMPLES / "contracts.ndjson")


def reading(minute: int, temperature: float) -> bytes:
    start = f"2026-03-28T{10 + minute // 60}:{minute % 60:02d}:00Z"
    values = {"temperature": temperature}
    return json.dumps({"meter_id": "m", "interval_start": start, "interval_s": 300, "values": values}).encode()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a rule, a contract and half an hour of readings."""
    (tmp_path / "rules.yaml").write_text(
        'rules: [{rule_id: hot, signal: temperature, severity: major, when: "> 80", for: 10m, clear_for: 5m}]'
    )
    assigned = [{"tariff_id": "eur-flat", "valid_from": "2026-01-01"}]
    contract = {"meter_id": "m", "site_path": "f/p/l/m", "timezone": "UTC", "assignments": assigned}
    write_records(tmp_path / "contracts.ndjson", [json.dumps(contract).encode()])
    temperatures = (70, 85, 90, 86, 70, 70, 70)
    write_records(tmp_path / "readings.ndjson", [reading(5 * n, t) for n, t in enumerate(temperatures)])
    return tmp_path


def history(place: Path) -> tuple[object, ...]:
    return "--readings", place / "readings.ndjson", "--contracts", place / "contracts.ndjson"


def test_check_shows_the_scope_of_each_rule() -> None:
    shown = command("alerts", "check", RULES, "--contracts", SAMPLES / "contracts.ndjson")
    assert "casting-power-high: power_kw minor > 95, critical > 120; 36 of 215 meters" in shown
    assert "no faults" in shown


def test_check_reports_every_fault(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        'rules: [{rule_id: a, signal: humidity, severity: major, when: "> 100"}, {rule_id: b, signal: x, severity: y}]'
    )
    shown = command("alerts", "check", rules, code=2)
    assert "rule 'a': it can never fire: humidity is between 0 and 100" in shown
    assert "rule 'b': signal is 'x'" in shown
    assert "rule 'b': severity is 'y'" in shown


def test_a_run_with_faulty_rules_does_not_start(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{rule_id: a}]")
    places = ("--contracts", SAMPLES / "contracts.ndjson", "--tariffs", SAMPLES / "tariffs", "--output", tmp_path)
    shown = command("run", "--input", SAMPLES / "readings.ndjson.gz", *places, "--rules", rules, code=2)
    assert "rule 'a'" in shown


def test_explain_shows_why(place: Path) -> None:
    shown = command("alerts", "explain", place / "rules.yaml", "--rule", "hot", "--entity", "m", *history(place))
    for line in ("pending: 5m of 10m", "active (major)", "recovering: 0s of 5m", "raised", "cleared", "raised 1 times"):
        assert line in shown
    assert "no rule 'cold'" in command(
        "alerts", "explain", place / "rules.yaml", "--rule", "cold", "--entity", "m", *history(place), code=2
    )


def test_replay_tries_limits(place: Path) -> None:
    shown = command("alerts", "replay", place / "rules.yaml", *history(place), "--rule", "hot", "--limits", "80,86,99")
    rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in shown.splitlines() if line.startswith("│")]
    # One reading is above 86, and `for` requires ten minutes.
    assert rows == [["80", "1"], ["86", "0"], ["99", "0"]]


def test_the_schema_has_the_fields() -> None:
    described = json.loads(command("alerts", "schema"))
    assert "for" in described["$defs"]["RuleDocument"]["properties"]


def test_the_stream_and_a_replay_raise_the_same_alerts(sample_run: Path, tmp_path: Path) -> None:
    """Pre-filters, keyed state and SQL on one side, the state machines alone on the other.

    Times of arrival differ, because files have none, so `historical` could differ, too; with the horizons of the
    sample's rules no alert is historical.
    """
    out = tmp_path / "changes.ndjson"
    command("alerts", "replay", RULES, *HISTORY, "--out", out)
    replayed = sorted(
        (row["alert_id"], row["change_number"], row["state"], row["severity"], row["event_ms"])
        for row in parse_lines(out)
        if row["rule_id"] == "casting-power-high"
    )
    _, rows = query(
        sample_run,
        "SELECT alert_id, change_number, state, severity, epoch_ms(event_time) FROM alerts "
        "WHERE rule_id = 'casting-power-high'",
    )
    assert sorted(rows) == replayed
    assert len(replayed) >= 20


def test_health_shows_targets(sample_run: Path) -> None:
    shown = command("alerts", "health", sample_run, "--operators", "2")
    assert "hours with a flood" in shown
    assert "zaragoza" in shown
