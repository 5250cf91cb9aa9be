"""Every kind of signal through the job, compared with values calculated by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flink_job.lake.database import query
from tests.harness.jobs import run_files, write_records

LONG_AGO = {"severity": "major", "horizon": "3650d"}
RULES = [
    {"rule_id": "power", "signal": "power_kw", "when": "> 19", "scope": {"meters": ["plain"]}},
    {"rule_id": "tagged", "signal": "power_kw", "when": "> 19", "scope": {"tags": {"class": "press"}}},
    {"rule_id": "demand", "signal": "demand_kw", "when": "> 10"},
    {"rule_id": "contracted", "signal": "contracted_share", "when": ">= 0.9"},
    {"rule_id": "heat", "signal": "temperature", "when": "> 80"},
    {"rule_id": "heating", "signal": "temperature", "change_per": "1h", "when": "> 30"},
    {"rule_id": "register", "signal": "power_kw", "when": "> 7", "scope": {"meters": ["register"]}},
    {"rule_id": "bill", "signal": "bill", "when": "> 3", "scope": {"meters": ["plain"]}},
    {
        "rule_id": "budget",
        "signal": "projected_bill",
        "when": "> 0.01",
        "scope": {"meters": ["plain", "late-in-month"]},
    },
    {"rule_id": "factor", "signal": "kpi.power_factor", "window": "1h", "when": "< 0.9"},
    {"rule_id": "gaps", "signal": "kpi.completeness", "window": "1h", "when": "< 0.8", "scope": {"meters": ["holes"]}},
    {"rule_id": "low", "signal": "kpi.energy_kwh", "window": "1h", "when": "< 3", "scope": {"meters": ["midnight"]}},
    {"rule_id": "line", "signal": "kpi.energy_kwh", "window": "1h", "per": "line", "when": "> 19"},
    {
        "rule_id": "shared",
        "signal": "kpi.energy_kwh",
        "window": "1h",
        "per": "line",
        "when": "> 10",
        "scope": {"site": "s/*"},
    },
    {"rule_id": "spend", "signal": "kpi.cost", "window": "1h", "per": "line", "when": "> 0", "scope": {"site": "s/*"}},
]


def contract(meter: str, tariff: str = "eur-flat", **more: Any) -> bytes:
    kw = more.pop("contracted_kw", {})
    assigned = [{"tariff_id": tariff, "valid_from": "2026-01-01", "contracted_kw": kw}]
    place = {"meter_id": meter, "site_path": f"f/p/l-{meter}/{meter}", "timezone": "Europe/Madrid"}
    return json.dumps({**place, "assignments": assigned, **more}).encode()


def reading(meter: str, minute: int, interval_s: int = 900, day: str = "03-10", **quantity: Any) -> bytes:
    start = f"2026-{day}T{minute // 60:02d}:{minute % 60:02d}:00Z"
    return json.dumps({"meter_id": meter, "interval_start": start, "interval_s": interval_s, **quantity}).encode()


CONTRACTS = [
    contract("plain"),
    contract("press", tags={"class": "press"}),
    contract("demand", "eur-demand", contracted_kw={"any": "12.5"}),
    contract("hot"),
    contract("register"),
    contract("reactive"),
    contract("holes"),
    contract("late-in-month"),
    contract("midnight", site_path="k/p/l/midnight", timezone="Asia/Kolkata"),
    contract("euro", site_path="s/p/l/euro"),
    contract("rupee", "inr-tiered", site_path="s/p/l/rupee"),
]
RECORDS = [
    *(reading(meter, 15 * n, energy_kwh=5) for meter in ("plain", "press") for n in range(4)),
    # 1 kWh every five minutes: demand of the quarter hour so far is 4, 8, 12 kW; 12 of 12.5 kW contracted are 96 %.
    *(reading("demand", 5 * n, 300, energy_kwh=1) for n in range(3)),
    # Temperatures are in separate records; for the bill the second record of an interval is a duplicate.
    reading("hot", 0, energy_kwh=1),
    reading("hot", 0, channel="temperature", value=75),
    reading("hot", 15, channel="temperature", value=85),
    reading("hot", 15, energy_kwh=1),
    # 2 kWh in a quarter hour are 8 kW. An increase over three hours has no quarter-hour power.
    *(
        reading("register", minute, day="03-09", register_kwh=kwh)
        for minute, kwh in ((0, 100), (15, 101), (30, 103), (210, 151))
    ),
    *(reading("reactive", 15 * n, values={"import": 1, "reactive_import": 1}) for n in range(4)),
    *(reading("holes", minute, energy_kwh=1) for minute in (0, 45)),
    *(reading("midnight", 17 * 60 + 15 * n, energy_kwh=1) for n in range(12)),
    reading("late-in-month", 0, day="02-21", energy_kwh=5),
    # Two hours of a line that is billed in two currencies: 16 and 1 kWh in EUR, 1 and 1 kWh in INR.
    *(reading("euro", 15 * n, energy_kwh=4 if n < 4 else 0.25) for n in range(8)),
    *(reading("rupee", 15 * n, energy_kwh=0.25) for n in range(8)),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of a run with all rules."""
    folder: Path = tmp_path_factory.mktemp("signals")
    rules = [{**LONG_AGO, **rule} for rule in RULES]
    (folder / "rules.json").write_text(json.dumps({"rules": rules}))
    in_order = sorted(RECORDS, key=lambda record: json.loads(record)["interval_start"])
    readings = write_records(folder / "readings.ndjson", in_order)
    contracts = write_records(folder / "contracts.ndjson", CONTRACTS)
    run_files(readings, contracts, folder / "out", rules=folder / "rules.json")
    return folder / "out"


@pytest.fixture(scope="module")
def alerts(lake: Path) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(value, event time, cost) of the first raise by (rule, entity)."""
    _, rows = query(
        lake,
        "SELECT rule_id, entity, value, strftime(event_time, '%H:%M'), cost, historical FROM alerts "
        "WHERE state = 'raised' ORDER BY event_time DESC",
    )
    assert not any(row[5] for row in rows)
    return {(str(row[0]), str(row[1])): row[2:5] for row in rows}


def test_the_parts_of_an_hour_on_either_side_of_midnight_are_no_hours(alerts: Any) -> None:
    """Each hour has 4 kWh. Midnight in Kolkata is at 18:30 UTC, so two parts have 2 kWh each."""
    assert ("low", "midnight") not in alerts


def test_power_is_the_mean_of_the_interval(alerts: Any) -> None:
    assert alerts["power", "plain"][:2] == (20, "00:00")
    assert ("power", "press") not in alerts


def test_tags_of_the_contract(alerts: Any) -> None:
    assert [entity for rule, entity in alerts if rule == "tagged"] == ["press"]


def test_demand_and_its_share_of_the_contracted_power(alerts: Any) -> None:
    assert alerts["demand", "demand"][:2] == (12, "00:10")
    assert [entity for rule, entity in alerts if rule == "contracted"] == ["demand"]
    assert alerts["contracted", "demand"][:2] == (0.96, "00:10")


def test_channels_in_records_of_their_own(alerts: Any) -> None:
    assert alerts["heat", "hot"][:2] == (85, "00:15")
    # Ten degrees in a quarter hour are 40 per hour.
    assert alerts["heating", "hot"][:2] == (40, "00:15")


def test_register_power_between_consecutive_reads(alerts: Any) -> None:
    assert alerts["register", "register"][:2] == (8, "00:30")


def test_bills(alerts: Any) -> None:
    value, _, cost = alerts["bill", "plain"]
    # The bill includes charges that accrued before the first reading.
    assert value > 3 > 0 < cost
    # On 10 March (29 % of the month) and 21 February the bill is projected; the projection exceeds the bill so far.
    assert alerts["budget", "plain"][0] > 1
    assert ("budget", "late-in-month") in alerts


def test_windows(alerts: Any) -> None:
    # 4 kWh and 4 kvarh: power factor 1 / sqrt(2).
    assert alerts["factor", "reactive"][0] == pytest.approx(0.5**0.5)
    # Two of four quarter hours.
    assert alerts["gaps", "holes"][:2] == (0.5, "00:00")
    # Four times 5 kWh on the lines of two meters, and the 48 kWh that a register counted in three hours.
    assert sorted(entity for rule, entity in alerts if rule == "line") == [
        "f/p/l-plain", "f/p/l-press", "f/p/l-register",
    ]  # fmt: skip
    assert alerts["line", "f/p/l-register"][0] == 48
    assert alerts["line", "f/p/l-plain"][0] == 20


def test_each_currency_of_a_line_has_its_own_alerts(lake: Path) -> None:
    """The clear hours in INR do not end the alert on the energy in EUR; its second hour does. Costs have two alerts."""
    changes = "currency, state, value, strftime(event_time, '%H:%M')"
    _, rows = query(lake, f"SELECT {changes} FROM alerts WHERE rule_id = 'shared' ORDER BY change_number")
    assert rows == [("EUR", "raised", 16, "00:00"), ("EUR", "cleared", 1, "01:00")]
    _, rows = query(
        lake, "SELECT currency, unit, COUNT(DISTINCT alert_id) FROM alerts WHERE rule_id = 'spend' GROUP BY ALL"
    )
    assert sorted(rows) == [("EUR", "EUR", 1), ("INR", "INR", 1)]
