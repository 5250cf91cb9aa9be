"""A plant with submeters through the job: one bill, energy of levels counted once, contracts in any order.

One day of hourly readings at 0.10 EUR per kWh and 1 EUR per kW of the highest hour. The main measures 100 kWh an hour;
m-17 (hall-2) 40, m-18 behind it 10, m-19 (hall-1) 20. So hall-2 used 40, hall-1 20, and 40 are the rest.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flink_job.lake.database import query
from tests.harness.jobs import command, run_files, write_records
from tests.harness.plants import ENERGY_AND_PEAK

HOURS = 24
START = datetime(2026, 3, 9, 23, tzinfo=UTC)  # midnight in Madrid
ASSIGNED = [{"tariff_id": "t", "valid_from": "2026-01-01"}]
LONG_AGO = {"severity": "major", "horizon": "3650d"}
RULES = [
    {"rule_id": "peak", "per": "supply", "signal": "demand_kw", "when": "> 11"},
    {"rule_id": "budget", "per": "supply", "signal": "bill", "when": "> 300"},
    {"rule_id": "halls", "signal": "demand_kw", "when": "> 30", "scope": {"site": "plant/hall-*"}},
    {"rule_id": "bills-of-halls", "signal": "bill", "when": "> 0", "scope": {"site": "plant/hall-2/*"}},
]
KWH = {"main-1": 100, "m-17": 40, "m-18": 10, "m-19": 20, "p-1": 7, "p-2": 5, "lost": 1, "own": 3, "own-sub": 2}


def contract(meter: str, path: str, **more: Any) -> bytes:
    return json.dumps(
        {"meter_id": meter, "site_path": f"plant/{path}", "timezone": "Europe/Madrid", "billing_day": 1, **more}
    ).encode()


#: Submeters come before the main that has their terms, and parts before the terms of their supply.
CONTRACTS = [
    contract("m-18", "hall-2/line-1/m-18", supply_point="sp-1", role="sub", upstream="m-17"),
    contract("m-17", "hall-2/line-1/m-17", supply_point="sp-1", role="sub"),
    contract("m-19", "hall-1/line-1/m-19", supply_point="sp-1", role="sub"),
    contract("main-1", "main", supply_point="sp-1", role="main", assignments=ASSIGNED),
    contract("p-1", "hall-3/line-1/p-1", supply_point="sp-2", role="part"),
    contract("p-2", "hall-3/line-2/p-2", supply_point="sp-2", role="part"),
    json.dumps(
        {"supply_point": "sp-2", "timezone": "Europe/Madrid", "billing_day": 1, "assignments": ASSIGNED}
    ).encode(),
    contract("lost", "hall-3/line-3/lost", supply_point="sp-9", role="sub"),
    contract("own", "hall-4/line-1/own", assignments=ASSIGNED),
    # Its supply is that of a meter that names none.
    contract("own-sub", "hall-4/line-1/own-sub", supply_point="own", role="sub"),
]


def readings() -> list[bytes]:
    found = [
        json.dumps(
            {
                "meter_id": meter,
                "interval_start": (START + timedelta(hours=hour)).isoformat(),
                "interval_s": 3600,
                "values": {"import": kwh},
            }
        ).encode()
        for meter, kwh in KWH.items()
        for hour in range(HOURS)
    ]
    random.Random(3).shuffle(found)
    return found


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("supplies")
    (folder / "tariffs").mkdir()
    (folder / "tariffs" / "t.json").write_text(json.dumps(ENERGY_AND_PEAK))
    contracts = write_records(folder / "contracts.ndjson", CONTRACTS)
    (folder / "rules.json").write_text(json.dumps({"rules": [LONG_AGO | rule for rule in RULES]}))
    places = contracts, folder / "out", folder / "tariffs", folder / "rules.json"
    run_files(write_records(folder / "readings.ndjson", readings()), *places)
    return folder / "out"


def test_the_bill_is_that_of_the_mains_or_of_the_sum_of_the_parts(lake: Path) -> None:
    """sp-1: 2,400 kWh x 0.10 + 100 kW; sp-2: 288 kWh x 0.10 + 12 kW at one time; own: 72 x 0.10 + 3."""
    sums = "SELECT supply_point, SUM(cost) AS cost, SUM(demand_cost) AS demand FROM costs GROUP BY ALL ORDER BY ALL"
    _, rows = query(lake, sums)
    assert [(name, float(cost), float(demand)) for name, cost, demand in rows] == [
        ("own", 10.2, 3),
        ("sp-1", 340, 100),
        ("sp-2", 40.8, 12),
    ]


def test_a_submeter_has_energy_and_costs_nothing(lake: Path) -> None:
    _, rows = query(
        lake,
        "SELECT meter_id, supply_point, role, upstream, upstream_path, SUM(energy_kwh), SUM(cost), MAX(provisional) "
        "FROM costs WHERE role = 'sub' GROUP BY ALL ORDER BY ALL",
    )
    assert [(*row[:5], float(row[5]), float(row[6]), row[7]) for row in rows] == [
        ("m-17", "sp-1", "sub", "main-1", "plant/main", 960, 0, False),
        ("m-18", "sp-1", "sub", "m-17", "plant/hall-2/line-1/m-17", 240, 0, False),
        ("m-19", "sp-1", "sub", "main-1", "plant/main", 480, 0, False),
        ("own-sub", "own", "sub", "own", "plant/hall-4/line-1/own", 48, 0, False),
    ]


def test_alerts_on_a_supply_see_all_of_its_mains_or_parts(lake: Path) -> None:
    """The parts of sp-2 draw 7 and 5 kW at one time. A submeter has its own demand, and no bill."""
    _, rows = query(
        lake,
        "SELECT rule_id, entity, site_path, MAX(value), MAX(currency) FROM alerts WHERE state = 'raised' GROUP BY ALL "
        "ORDER BY ALL",
    )
    assert [(*row[:3], row[4]) for row in rows] == [
        ("budget", "sp-1", "plant", "EUR"),
        ("halls", "m-17", "plant/hall-2/line-1/m-17", "EUR"),
        ("peak", "sp-1", "plant", "EUR"),
        ("peak", "sp-2", "plant", "EUR"),
    ]
    assert 300 < rows[0][3] <= 340  # type: ignore[operator]
    assert [row[3] for row in rows[1:]] == [40, 100, 12]


def test_a_submeter_of_a_supply_without_terms_waits_for_them(lake: Path) -> None:
    _, rows = query(lake, "SELECT meter_id, reason, COUNT(*) FROM unpriced GROUP BY ALL")
    assert rows == [("lost", "no_supply", HOURS)]


#: By day: each kWh once. The rest of sp-1 is that of the path of its main.
DAY = {
    ("factory", "plant"): 2400 + 288 + 72,
    ("process", "plant/hall-1"): 480,
    ("process", "plant/hall-2"): 960,
    ("process", "plant/hall-3"): 288,
    ("process", "plant/hall-4"): 72,
    ("process", "plant/main"): 2400 - 960 - 480,
}


def test_levels_count_every_kwh_once(lake: Path) -> None:
    priced = "level IN ('factory', 'process') AND cost IS NOT NULL AND energy_kwh <> 0"
    _, rows = query(lake, f"SELECT level, entity, energy_kwh FROM kpis_1d WHERE {priced}")
    assert {(level, entity): float(kwh) for level, entity, kwh in rows} == DAY


def test_the_stream_has_the_same_levels_as_the_view(lake: Path) -> None:
    """Energy and demand of the newest row of each window. An hour is 100 kW less 40 and 20 for the rest."""
    of_levels = "level IN ('factory', 'process') AND cost IS NOT NULL AND energy_kwh <> 0"
    select = "SELECT level, entity, {} FROM {} WHERE {} " + of_levels
    streamed = select.format("energy_kwh, max_kw", "kpis", "window_s = 86400 AND")
    _, rows = query(lake, f"{streamed} QUALIFY row_number() OVER (PARTITION BY kpi_id ORDER BY emitted_at DESC) = 1")
    found = {(level, entity): (float(kwh), float(kw)) for level, entity, kwh, kw in rows}
    assert {key: kwh for key, (kwh, _) in found.items()} == DAY
    assert found["process", "plant/main"][1] == 40
    assert found["factory", "plant"][1] == 115


def test_a_submeter_has_kpis_and_its_own_energy(lake: Path) -> None:
    _, rows = query(
        lake, "SELECT entity, energy_kwh, completeness FROM kpis_1d WHERE level = 'meter' AND entity LIKE 'm%'"
    )
    assert {entity: (float(kwh), completeness) for entity, kwh, completeness in rows} == {
        "m-17": (960, 1.0),
        "m-18": (240, 1.0),
        "m-19": (480, 1.0),
        "main-1": (2400, 1.0),
    }


def totals(lake: Path, table: str, role: str = "") -> dict[tuple[str, str], float]:
    """(cost, energy) by supply point and cycle."""
    condition = f"WHERE {role}" if role else ""
    sums = f"SELECT supply_point, cycle_start, SUM(cost), SUM(energy_kwh) FROM {table} {condition} GROUP BY ALL"
    return {(row[0], row[1]): (row[2], row[3]) for row in query(lake, sums)[1]}  # type: ignore[misc]


def test_shares_add_up_to_the_costs_before_and_after_settlement(lake: Path) -> None:
    """Before it they are estimates. Then m-17 bears 30 kWh an hour of its own, and the rest 40 of 100."""
    bills = totals(lake, "costs", "role IN ('main', 'part')")
    assert totals(lake, "shared_costs") == bills
    assert {row[0] for row in query(lake, "SELECT DISTINCT status FROM bills")[1]} == {"open"}
    arguments = ("--contracts", lake.parent / "contracts.ndjson", "--tariffs", lake.parent / "tariffs")
    command("settle", lake, *arguments)
    assert totals(lake, "shared_costs") == bills == totals(lake, "bills")
    _, rows = query(
        lake,
        "SELECT meter_id, SUM(energy_kwh), SUM(energy_cost), SUM(demand_cost), SUM(cost) FROM shared_costs "
        "WHERE supply_point = 'sp-1' GROUP BY ALL ORDER BY 1",
    )
    assert [(row[0], *map(float, row[1:])) for row in rows] == [
        ("m-17", 720, 72, 30, 102),
        ("m-18", 240, 24, 10, 34),
        ("m-19", 480, 48, 20, 68),
        ("sp-1:rest", 960, 96, 40, 136),
    ]
    settled = query(lake, "SELECT COUNT(*) FROM settlements")[1]
    command("settle", lake, *arguments)
    assert query(lake, "SELECT COUNT(*) FROM settlements")[1] == settled
