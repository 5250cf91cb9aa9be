"""Alerts of readings whose times are unusual: a clock that is ahead, a wild time stamp, a backlog newest first.

Each meter uses 1 kWh in five minutes (12 kW) from midnight in Madrid on 1 June, 22:00 UTC. A reading arrives 5 s after
its interval, unless stated otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flink_job.lake.database import query
from tests.harness.as_stream import run_as_stream

MINUTE_MS = 60_000
MIDNIGHT_MS = int(datetime(2026, 5, 31, 22, tzinfo=UTC).timestamp() * 1000)
RULES = """
rules:
  - {rule_id: hot, signal: temperature, severity: major, when: "> 80"}
  - {rule_id: clock, signal: clock_ahead_s, severity: minor, when: "> 120", min_samples: 2}
  - {rule_id: hour, per: meter, signal: kpi.energy_kwh, window: 1h, severity: minor, when: "> 11"}
"""
#: Minutes by which the clocks are ahead.
CLOCKS = {"five": 5, "twenty": 20, "fifty": 50, "right": 0}


def reading(meter: str, minute: float, degrees: float, arrival_min: float) -> tuple[int, bytes]:
    """A reading of five minutes that begins `minute` minutes after midnight, and its time of arrival."""
    record = {
        "meter_id": meter,
        "interval_start": datetime.fromtimestamp(MIDNIGHT_MS / 1000 + minute * 60, UTC).isoformat(),
        "interval_s": 300,
        "values": {"import": 1, "temperature": degrees},
    }
    return MIDNIGHT_MS + int(arrival_min * MINUTE_MS) + 5_000, json.dumps(record).encode()


def sent() -> Iterator[tuple[int, bytes]]:
    # An hour longer than the stored readings, so that none of their hours is open at the end of the input.
    for meter, ahead in CLOCKS.items():
        for minute in range(0, 360, 5):
            yield reading(meter, minute + ahead, 90 if minute in (60, 65) else 70, minute + 5)
    for minute in range(0, 300, 5):
        is_wild = minute == 100
        yield reading("wild", minute + 50 * is_wild, 90 if is_wild else 70, minute + 5)
    for number, minute in enumerate(range(240, -5, -5)):
        yield reading("stored", minute, 70 if minute == 240 else 90, 400 + number / 60)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    contracts = [
        json.dumps(
            {
                "meter_id": name,
                "site_path": f"plant/p/l/{name}",
                "timezone": "Europe/Madrid",
                "assignments": [{"tariff_id": "eur-flat", "valid_from": "2026-01-01"}],
            }
        ).encode()
        for name in (*CLOCKS, "wild", "stored")
    ]
    return run_as_stream(tmp_path_factory.mktemp("alert-times"), sent(), contracts, RULES)


def rows(lake: Path, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in query(lake, sql)[1]]


def test_a_meter_whose_clock_is_ahead_has_alerts(lake: Path) -> None:
    """90 degrees at 01:00 and 01:05, cleared at 01:10: at the times that the clock states."""
    sql = (
        f"SELECT entity, state, value, date_diff('minute', TIMESTAMP '2026-05-31 22:00', event_time) FROM alerts "
        f"WHERE rule_id = 'hot' AND entity IN {tuple(CLOCKS)} AND NOT historical ORDER BY ALL"
    )
    assert rows(lake, sql) == sorted(
        (name, state, value, at + ahead)
        for name, ahead in CLOCKS.items()
        for state, value, at in (("raised", 90, 60), ("cleared", 70, 70))
    )


def test_its_hours_have_alerts(lake: Path) -> None:
    sql = f"SELECT DISTINCT entity FROM alerts WHERE rule_id = 'hour' AND entity IN {tuple(CLOCKS)} ORDER BY 1"
    assert rows(lake, sql) == [(name,) for name in sorted(CLOCKS)]


def test_its_clock_is_named(lake: Path) -> None:
    """An interval ends 5 s before its arrival by the right clock, so 5 minutes ahead are 295 s."""
    sql = "SELECT entity, state, value FROM alerts WHERE rule_id = 'clock' ORDER BY value"
    expected = [(name, "raised", 60 * ahead - 5) for name, ahead in CLOCKS.items() if ahead]
    assert rows(lake, sql) == expected


def test_a_wild_time_stamp_raises_nothing(lake: Path) -> None:
    assert rows(lake, "SELECT * FROM alerts WHERE rule_id IN ('hot', 'clock') AND entity = 'wild'") == []


def test_the_hours_of_a_backlog_are_one_alert(lake: Path) -> None:
    """The meter is heard for the first time: four of its hours have 12 kWh, and 02:00 UTC has 1 kWh."""
    sql = (
        "SELECT COUNT(DISTINCT alert_id), strftime(MIN(episode_start), '%H:%M'), MAX(cost), "
        "strftime(MAX(event_time), '%H:%M') "
        "FROM alerts WHERE rule_id = 'hour' AND entity = 'stored'"
    )
    [(total,)] = rows(lake, "SELECT SUM(cost) FROM costs WHERE meter_id = 'stored'")
    assert rows(lake, sql) == [(1, "22:00", total, "02:00")]


def test_a_backlog_newest_first_is_one_alert(lake: Path) -> None:
    """From midnight to 04:00; its cost is that of 48 readings above the limit and the clear one, which is as dear."""
    sql = "SELECT DISTINCT alert_id FROM alerts WHERE rule_id = 'hot' AND entity = 'stored'"
    assert len(rows(lake, sql)) == 1
    [(start, over, cost)] = rows(
        lake,
        "SELECT strftime(episode_start, '%H:%M'), strftime(over_at, '%H:%M'), cost FROM alert_episodes "
        "WHERE rule_id = 'hot' AND entity = 'stored'",
    )
    [(total,)] = rows(lake, "SELECT SUM(cost) FROM costs WHERE meter_id = 'stored'")
    assert (start, over, cost) == ("22:00", "02:00", total)
