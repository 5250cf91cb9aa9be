"""Texts of messages, routes, and the view `alert_health` against values computed by hand."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from deploy.alerting.runtime.messages import body, digest, paragraph, subject
from deploy.alerting.runtime.model import read_change
from deploy.alerting.runtime.routes import RoutesError, read_routes
from flink_job.lake.database import read_view
from tests.harness.alerting import alert

RECIPIENTS = {"crew": {"sns": "arn:aws:sns:eu-west-1:1:crew"}}


def routes(*given: dict[str, Any], recipients: Any = None) -> Any:
    return read_routes(json.dumps({"recipients": recipients or RECIPIENTS, "routes": given}))


def change(**changed: Any) -> Any:
    return read_change(json.dumps(alert("a", **changed)).encode())


def test_a_paragraph_has_every_field() -> None:
    assert paragraph(alert("abc"), "https://x/alerts/").splitlines() == [
        "MAJOR Bearing too hot",
        "Where: zaragoza/casting/line-1/m-1",
        "Since: 2026-03-28 10:00 UTC; this change: 2026-03-28 10:00 UTC",
        "Value: temperature 85.5 degC, limit 80 degC",
        "Cost so far: 12.50 EUR",
        "What to do: Stop the machine.",
        "Details: https://x/alerts/abc",
    ]


def test_missing_data_is_given_in_hours() -> None:
    row = alert("a", signal="no_data", unit="s", value=5400.0, threshold=3600.0, cost=0, currency="")
    assert "No data for 1 h 30 min (limit 1 h 0 min)" in paragraph(row, "")


def test_a_cleared_alert_has_no_hint() -> None:
    text = paragraph(alert("a", 1, "cleared"), "")
    assert text.startswith("MAJOR cleared: Bearing too hot")
    assert "What to do" not in text


def test_the_subject_names_the_highest_severity_and_fits() -> None:
    rows = [alert("a"), alert("b", severity="critical", title="Öl " + "x" * 200)]
    assert subject(rows).startswith("[critical] ?l xxx")
    assert len(subject(rows)) <= 100
    assert subject(rows).endswith(" (+1 more)")


def test_long_lists_are_truncated() -> None:
    assert body([alert(f"a{n}") for n in range(30)], "").endswith("... and 10 more.")
    assert "3 x Bearing too hot (major)" in digest([alert("a")] * 3, 3)


def test_routes_match_by_site_and_severity() -> None:
    found = routes({"site": "zaragoza/*", "to": ["crew"], "min_severity": "major"}, {"site": "*", "to": ["crew"]})
    assert [r.name for r in found.of(change())] == ["crew"]
    only = routes({"site": "zaragoza/*", "to": ["crew"], "min_severity": "critical"})
    assert only.of(change()) == []
    assert [r.name for r in only.of(change(severity="critical", site_path="zaragoza"))] == ["crew"]
    assert only.of(change(severity="critical", site_path="zaragoza-2/p")) == []


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("[]", "routes"),
        ({"recipients": {"x": {}}, "routes": []}, "exactly one of sns, sqs, webhook"),
        ({"recipients": {"x": {"webhook": "https://x"}}, "routes": []}, "needs a secret"),
        ({"recipients": {"x": {"sns": "a", "tokens": 0}}, "routes": []}, "at least 1"),
        ({"recipients": RECIPIENTS, "routes": [{"site": "*", "to": ["who"]}]}, "no recipient who"),
        ({"recipients": RECIPIENTS, "routes": [{"site": "*", "to": [], "min_severity": "x"}]}, "min_severity"),
    ],
)
def test_invalid_routes_are_refused(document: Any, problem: str) -> None:
    with pytest.raises(RoutesError, match=problem):
        read_routes(document if isinstance(document, str) else json.dumps(document))


def test_alert_health_against_values_by_hand() -> None:
    """Eleven alerts in ten minutes are a flood; a rule and meter raised three times in an hour is chattering."""
    with duckdb.connect() as lake:
        lake.execute(
            "CREATE TABLE alerts (tenant TEXT, alert_id TEXT, rule_id TEXT, title TEXT, entity TEXT, "
            "site_path TEXT, state TEXT, episode_start TIMESTAMP, event_time TIMESTAMP, arrival TIMESTAMP, "
            "historical BOOLEAN, muted BOOLEAN, cost DOUBLE)"
        )
        lake.execute("CREATE TABLE alert_actions (tenant TEXT, alert_id TEXT, action TEXT, done_at TIMESTAMP)")

        def add(
            alert_id: str, entity: str, minute: int, site: str = "f", state: str = "raised", old: bool = False
        ) -> None:
            at = f"2026-03-28 10:{minute:02d}:00"
            values = ("default", alert_id, "r", "R", entity, f"{site}/{entity}", state, at, at, at, old, False, 0)
            lake.execute(f"INSERT INTO alerts VALUES ({', '.join('?' * len(values))})", values)

        for n in range(11):
            add(f"flood-{n}", f"m-{n}", n % 10)
        for n in range(3):
            add(f"chatter-{n}", "m", n * 15, site="g")
            add(f"chatter-{n}", "m", n * 15 + 5, site="g", state="cleared")
        add("record", "m", 0, site="g", old=True)
        lake.execute("INSERT INTO alert_actions VALUES ('default', 'chatter-0', 'ack', '2026-03-28 10:04:00')")
        for view in ("alert_episodes", "alert_health"):
            lake.execute(f"CREATE VIEW {view} AS {read_view(view)}")
        rows = lake.execute(
            "SELECT site, alerts, most_in_10_min, is_flood, chattering, acknowledged, mean_time_to_acknowledge_s "
            "FROM alert_health ORDER BY site"
        ).fetchall()
        # Closed by hand at 10:30: `flood-0`, which never cleared, ends then; `chatter-0` cleared at 10:05.
        closing = [("flood-0", "close"), ("chatter-0", "close")]
        lake.executemany("INSERT INTO alert_actions VALUES ('default', ?, ?, '2026-03-28 10:30:00')", closing)
        over = lake.execute(
            "SELECT alert_id, strftime(over_at, '%H:%M'), acknowledged_at IS NOT NULL FROM alert_episodes "
            "WHERE alert_id IN ('flood-0', 'flood-1', 'chatter-0') ORDER BY alert_id"
        ).fetchall()
    assert over == [("chatter-0", "10:05", True), ("flood-0", "10:30", False), ("flood-1", None, False)]
    assert rows == [("f", 11, 11, True, 0, 0, None), ("g", 3, 1, False, 1, 1, 240.0)]
