"""KPI rules at the end of a run of files: windows that the end cuts.

Each meter uses 1 kWh in a quarter hour from 00:00 UTC on, unless stated otherwise. The input ends at 04:00; that of the
site `cut` at 03:30.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flink_job.lake.database import query
from tests.harness.alerting import parse_lines
from tests.harness.jobs import command, run_files, write_records
from tests.integration.test_rules_of_the_stream import contract, reading

RULES = """
rules:
  - {rule_id: low, per: line, signal: kpi.energy_kwh, window: 1h, severity: major, when: "< 12", horizon: 3650d}
  - {rule_id: high, per: line, signal: kpi.energy_kwh, window: 1h, severity: major, when: "> 15", horizon: 3650d}
  - {rule_id: gaps, per: line, signal: kpi.completeness, window: 1h, severity: info, when: "< 0.6", horizon: 3650d}
  - {rule_id: short-day, per: line, signal: kpi.energy_kwh, window: 1d, severity: major, when: "< 500", horizon: 3650d}
  - {rule_id: long-day, per: line, signal: kpi.energy_kwh, window: 1d, severity: major, when: "> 30", horizon: 3650d}
"""


def meter(name: str, since: int = 0, until: int = 240, kwh: float = 1) -> Iterator[bytes]:
    """Readings from a minute to another."""
    return (reading(name, minute, kwh) for minute in range(since, until, 15))


SITES = {
    # The clock of the fourth meter is 50 minutes ahead.
    "ahead/p/l": {**{f"a{n}": meter(f"a{n}") for n in range(3)}, "a3": meter("a3", 50, 290)},
    "cut/p/l": {"c0": [*meter("c0", 0, 180), *meter("c0", 180, 210, 10)]},
    # Two of four meters are silent from 02:00 on.
    "silent/p/l": {
        **{f"s{n}": meter(f"s{n}", kwh=3) for n in (0, 1)},
        **{f"s{n}": meter(f"s{n}", until=120) for n in (2, 3)},
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rules, and the output in `out`."""
    folder: Path = tmp_path_factory.mktemp("input-end")
    meters = [(path, name, list(sent)) for path, sites in SITES.items() for name, sent in sites.items()]
    records = sorted((r for *_, sent in meters for r in sent), key=lambda r: str(json.loads(r)["interval_start"]))
    contracts = [contract(name, "eur-flat", site_path=f"{path}/{name}", timezone="UTC") for path, name, _ in meters]
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    files = write_records(folder / "r.ndjson", records), write_records(folder / "c.ndjson", contracts)
    run_files(*files, folder / "out", rules=folder / "rules.yaml")
    return folder


@pytest.fixture(scope="module")
def alerts(folder: Path) -> set[tuple[str, str, str, str, float]]:
    """(site, rule, state, time, value) of all changes of alerts."""
    sql = "SELECT entity, rule_id, state, strftime(event_time, '%H:%M'), value FROM alerts"
    return {(str(row[0]).split("/")[0], *row[1:]) for row in query(folder / "out", sql)[1]}


def of(alerts: set[tuple[str, str, str, str, float]], site: str) -> list[tuple[str, str, str, float]]:
    return sorted(alert[1:] for alert in alerts if alert[0] == site)


def test_an_hour_that_only_a_clock_that_is_ahead_has_reached_is_not_low(alerts: Any) -> None:
    """12 kWh of three meters, and of the fourth 1 kWh in the first hour, 4 kWh in the next three, 3 kWh after 04:00.

    The day has 36 + 12 + 1 + 12 + 3 = 64 kWh so far: more than 30, and perhaps not less than 500.
    """
    assert of(alerts, "ahead") == [("high", "raised", "01:00", 16), ("long-day", "raised", "00:00", 64)]


def test_what_is_exceeded_remains_exceeded(alerts: Any) -> None:
    """4 kWh an hour are low. From 03:00 there are 20 kWh in half an hour, which end no alert. 3 * 4 + 20 = 32."""
    assert of(alerts, "cut") == [
        ("high", "raised", "03:00", 20),
        ("long-day", "raised", "00:00", 32),
        ("low", "raised", "00:00", 4),
    ]


def test_the_last_hour_that_is_complete_counts(alerts: Any) -> None:
    """2 * 12 + 2 * 4 = 32 kWh an hour, from 02:00 on 24 kWh and 8 of 16 readings: in the hour that ends the input, too.

    2 * 32 + 2 * 24 = 112 kWh.
    """
    assert of(alerts, "silent") == [
        ("gaps", "raised", "02:00", 0.5),
        ("high", "raised", "00:00", 32),
        ("long-day", "raised", "00:00", 112),
    ]


def test_a_replay_of_the_output_makes_the_same_alerts(folder: Path, alerts: Any) -> None:
    out = folder / "changes.ndjson"
    command("alerts", "replay", folder / "rules.yaml", "--lake", folder / "out", "--out", out)
    assert alerts == {
        (
            row["entity"].split("/")[0],
            row["rule_id"],
            row["state"],
            datetime.fromtimestamp(row["event_ms"] / 1000, UTC).strftime("%H:%M"),
            row["value"],
        )
        for row in parse_lines(out)
    }
