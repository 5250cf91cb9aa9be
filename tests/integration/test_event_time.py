"""KPI windows while readings arrive: late ones, long ones, ones that straddle, clocks that are ahead, silent meters.

Each meter uses 1 kWh in five minutes (12 kW) on 1 June in Madrid, which begins at 22:00 UTC. A reading arrives 5 s
after its interval, unless stated otherwise.
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
DAY_MIN = 24 * 60
#: Readings go on after midnight, so that the watermark closes the day.
END_MIN = DAY_MIN + 120
RULES = """
rules:
  - {rule_id: line-high, per: line, signal: kpi.energy_kwh, window: 1h, severity: major, when: "> 40"}
  - {rule_id: line-low, per: line, signal: kpi.energy_kwh, window: 1h, severity: major, when: "< 36"}
  - {rule_id: plant-incomplete, per: factory, signal: kpi.completeness, window: 1d, severity: major, when: "< 0.9"}
"""
#: Days that are closed, and emitted before the end of the input.
CLOSED = "window_start < TIMESTAMP '2026-06-01 22:00'"


def reading(meter: str, minute: float, interval_min: int, arrival_min: float | None = None) -> tuple[int, bytes]:
    """A reading that begins `minute` minutes after midnight, and its time of arrival."""
    record = {
        "meter_id": meter,
        "interval_start": datetime.fromtimestamp(MIDNIGHT_MS / 1000 + minute * 60, UTC).isoformat(),
        "interval_s": interval_min * 60,
        "energy_kwh": interval_min / 5,
    }
    arrival = minute + interval_min if arrival_min is None else arrival_min
    return MIDNIGHT_MS + int(arrival * MINUTE_MS) + 5_000, json.dumps(record).encode()


def meter(name: str, interval_min: int, offset_min: int = 0) -> Iterator[tuple[int, bytes]]:
    return (reading(name, minute, interval_min) for minute in range(offset_min, END_MIN, interval_min))


def ahead(name: str, minutes: int) -> Iterator[tuple[int, bytes]]:
    """A meter whose clock is ahead: its readings state later intervals than they measure."""
    for minute in range(0, END_MIN, 15):
        yield reading(name, minute + minutes, 15, arrival_min=minute + 15)


def offline(name: str, since: int, until: int, newest_first: bool) -> Iterator[tuple[int, bytes]]:
    """A meter that is offline, and then sends what it has buffered."""
    buffered = range(since, until, 15)
    for number, minute in enumerate(reversed(buffered) if newest_first else buffered):
        yield reading(name, minute, 15, arrival_min=until + number / 1000)
    for minute in range(0, END_MIN, 15):
        if minute not in buffered:
            yield reading(name, minute, 15)


SITES = {
    "ahead/p/l": {"a1": meter("a1", 15), "a2": meter("a2", 15), "a3": meter("a3", 15), "a4": ahead("a4", 50)},
    "mixed/p/l": {f"m{minutes}": meter(f"m{minutes}", minutes) for minutes in (5, 15, 30, 60)},
    "astride/p/l": {
        "ten1": meter("ten1", 10),
        "ten2": meter("ten2", 10),
        "off1": meter("off1", 15, offset_min=7),
        "off2": meter("off2", 15, offset_min=7),
    },
    "late/p/l": {
        "old": offline("old", 120, 360, newest_first=False),
        "new": offline("new", 120, 360, newest_first=True),
        "never": iter(()),
    },
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    arrivals = [arrival for meters in SITES.values() for sent in meters.values() for arrival in sent]
    assigned = [{"tariff_id": "eur-flat", "valid_from": "2026-01-01"}]
    contracts = [
        json.dumps(
            {
                "meter_id": name,
                "site_path": f"{path}/{name}",
                "timezone": "Europe/Madrid",
                "assignments": assigned,
                # Meters of the site `mixed` are called after it; of others it is learned.
                "interval_s": 60 * int(name[1:]) if path.startswith("mixed/") else 0,
            }
        ).encode()
        for path, meters in SITES.items()
        for name in meters
    ]
    return run_as_stream(tmp_path_factory.mktemp("event-time"), arrivals, contracts, RULES)


def rows(lake: Path, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in query(lake, sql)[1]]


def test_a_clock_that_is_ahead_makes_no_other_meter_late(lake: Path) -> None:
    sql = "SELECT DISTINCT emission FROM kpis_rows WHERE starts_with(site_path, 'ahead/')"
    assert rows(lake, sql) == [("on_time",)]


def test_a_clock_that_is_ahead_changes_no_other_hour(lake: Path) -> None:
    """From the second hour on the line has 12 kWh of each of four meters."""
    sql = (
        "SELECT DISTINCT energy_kwh FROM kpis WHERE entity = 'ahead/p/l' AND window_s = 3600 "
        f"AND window_start >= TIMESTAMP '2026-05-31 23:00' AND {CLOSED}"
    )
    assert rows(lake, sql) == [(48,)]


def test_meters_of_all_intervals_are_on_time_in_hours_and_days(lake: Path) -> None:
    """Four meters of 12 kW: 48 kWh an hour, 1,152 kWh on the day, in the first row that is emitted."""
    sql = (
        "SELECT window_s, emission, energy_kwh, readings, expected_readings, COUNT(*) FROM kpis_rows "
        f"WHERE entity = 'mixed' AND window_s > 900 AND {CLOSED} GROUP BY ALL ORDER BY 1, 5"
    )
    # 12 + 4 + 2 + 1 readings an hour.
    assert rows(lake, sql) == [(3600, "on_time", 48, 19, 19, 24), (86_400, "on_time", 1_152, 456, 456, 1)]


@pytest.mark.parametrize("name", ["old", "new"])
def test_buffered_readings_correct_the_windows_that_were_emitted(lake: Path, name: str) -> None:
    """Three hours are first emitted with nothing, then with 12 kWh. The fourth is still open when the meter is back."""
    sql = (
        "SELECT emission, readings, energy_kwh, COUNT(DISTINCT window_start) FROM "
        "(SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start ORDER BY emitted_at DESC) AS newest FROM kpis_rows "
        f"WHERE entity = '{name}' AND window_s = 3600 AND window_start >= TIMESTAMP '2026-06-01 00:00' "
        "AND window_start < TIMESTAMP '2026-06-01 04:00') WHERE {} GROUP BY ALL ORDER BY ALL"
    )
    assert rows(lake, sql.format("emission = 'on_time'")) == [("on_time", 0, 0, 3), ("on_time", 4, 12, 1)]
    assert rows(lake, sql.format("newest = 1")) == [("corrected", 4, 12, 3), ("on_time", 4, 12, 1)]


def test_the_newest_totals_are_those_of_the_costs(lake: Path) -> None:
    """Late or not, table `kpis` has what the views compute from the costs."""
    for view, window_s in (("kpis_1h", 3600), ("kpis_1d", 86_400)):
        columns = "level, entity, window_start, readings, expected_readings, energy_kwh, cost, max_kw::DECIMAL(18, 6)"
        stream = rows(lake, f"SELECT {columns} FROM kpis WHERE window_s = {window_s} ORDER BY ALL")
        assert stream == rows(lake, f"SELECT {columns} FROM {view} ORDER BY ALL")
        assert len(stream) >= 40


def test_readings_that_straddle_quarter_hours_have_their_power_in_both(lake: Path) -> None:
    """Ten-minute readings, and quarter hours from 00:07 on: 12 kW in every quarter hour, four times 12 as line.

    Two readings of ten minutes that begin in one quarter hour are not 16 kW. The reading over midnight counts until
    midnight; the first one, from 00:07 on, stands for the seven minutes before it, too.
    """
    sql = (
        "SELECT entity, window_s, MIN(min_kw), MAX(max_kw), COUNT(*) FROM kpis WHERE window_s > 900 AND "
        f"(entity = 'astride/p/l' OR starts_with(site_path, 'astride/p/l/')) AND {CLOSED} GROUP BY ALL ORDER BY ALL"
    )
    kw = {"astride/p/l": 48, "off1": 12, "off2": 12, "ten1": 12, "ten2": 12}
    assert rows(lake, sql) == [
        (entity, window_s, kw[entity], kw[entity], number)
        for entity in kw
        for window_s, number in ((3600, 24), (86_400, 1))
    ]


def test_days_show_what_is_missing(lake: Path) -> None:
    """Two of the line's three meters have sent all of their 96 readings, one has sent none."""
    sql = (
        "SELECT entity, readings, expected_readings, completeness FROM kpis_1d "
        f"WHERE entity IN ('late', 'never') AND {CLOSED} ORDER BY 1"
    )
    assert rows(lake, sql) == [("late", 192, 288, pytest.approx(2 / 3)), ("never", 0, 96, 0)]


def test_alarms_follow_the_totals(lake: Path) -> None:
    """Lines of four meters use 48 kWh an hour, 39 kWh in the first of the clock that is ahead; the late line 24 kWh."""
    sql = (
        "SELECT DISTINCT rule_id, entity FROM alerts WHERE state = 'raised' "
        f"AND {CLOSED.replace('window_start', 'event_time')} ORDER BY ALL"
    )
    assert rows(lake, sql) == [
        ("line-high", "ahead/p/l"),
        ("line-high", "astride/p/l"),
        ("line-high", "mixed/p/l"),
        ("line-low", "late/p/l"),
        ("plant-incomplete", "late"),
    ]
