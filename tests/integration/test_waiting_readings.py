"""A meter without a price has energy and KPIs: in windows without a currency, on its levels, in table and views alike.

Hourly readings of one day in Madrid. `waits` has a tariff that is not in the registry; `upper` measures what `lower`
does, too, in a supply without terms.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flink_job.lake.database import query
from tests.harness.jobs import run_files, write_records
from tests.harness.plants import ENERGY_AND_PEAK
from tests.integration.test_supplies import ASSIGNED, contract

START = datetime(2026, 3, 9, 23, tzinfo=UTC)  # midnight in Madrid
CONTRACTS = [
    contract("priced", "hall/line/priced", assignments=ASSIGNED),
    contract(
        "waits", "hall/line/waits", assignments=[{"tariff_id": "later", "valid_from": "2026-01-01"}], multiplier=2
    ),
    contract("upper", "hall/other/upper", supply_point="sp-9", role="sub"),
    contract("lower", "hall/other/lower", supply_point="sp-9", role="sub", upstream="upper"),
]


def reading(meter: str, hour: int, kwh: float, **more: Any) -> bytes:
    start = (START + timedelta(hours=hour)).isoformat()
    return json.dumps(
        {"meter_id": meter, "interval_start": start, "interval_s": 3600, "values": {"import": kwh}, **more}
    ).encode()


READINGS = [
    *(reading(meter, hour, kwh) for hour in range(24) for meter, kwh in (("priced", 7), ("upper", 10), ("lower", 4))),
    *(reading("waits", hour, 1.5) for hour in range(24)),
    reading("waits", 3, 1.5),  # a repeat
    reading("waits", 4, 5, revision=2),
    reading("waits", 4, 9, revision=1),  # older than the one before
    reading("unknown", 4, 9),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("waiting")
    (folder / "tariffs").mkdir()
    (folder / "tariffs" / "t.json").write_text(json.dumps(ENERGY_AND_PEAK))
    contracts = write_records(folder / "contracts.ndjson", CONTRACTS)
    run_files(write_records(folder / "readings.ndjson", READINGS), contracts, folder / "out", folder / "tariffs")
    return folder / "out"


#: (level, entity): kWh and highest kW of the day. `waits`: 2 x (23 x 1.5 + 5) kWh, and 10 kW in its fifth hour; the
#: line of the others has 24 x 10 kWh once, 24 x 4 of it on `lower`. The day of the hall: 79 + 240.
DAY = {
    ("meter", "waits"): (24, 79.0, 10.0),
    ("meter", "upper"): (24, 240.0, 10.0),
    ("meter", "lower"): (24, 96.0, 4.0),
    ("line", "plant/hall/line"): (24, 79.0, 10.0),
    ("line", "plant/hall/other"): (48, 240.0, 10.0),
    ("process", "plant/hall"): (72, 319.0, 20.0),
    ("factory", "plant"): (72, 319.0, 20.0),
}


@pytest.mark.parametrize("source", ["kpis WHERE window_s = 86400 AND", "kpis_1d WHERE"])
def test_readings_without_a_price_have_kpis_without_a_currency(lake: Path, source: str) -> None:
    sql = f"SELECT level, entity, readings, energy_kwh, max_kw, cost FROM {source} currency IS NULL"
    rows = query(lake, sql)[1]
    assert {(level, name): (count, float(kwh), float(kw)) for level, name, count, kwh, kw, _ in rows} == DAY
    assert {row[-1] for row in rows} == {None}


@pytest.mark.parametrize("source", ["kpis WHERE window_s = 86400 AND", "kpis_1d WHERE"])
def test_money_and_what_has_a_price_stay_apart(lake: Path, source: str) -> None:
    _, rows = query(lake, f"SELECT level, readings, energy_kwh FROM {source} currency = 'EUR'")
    assert sorted((level, count, float(kwh)) for level, count, kwh in rows) == [
        (level, 24, 168.0) for level in ("factory", "line", "meter", "process")
    ]


def test_the_table_and_the_views_agree_by_quarter_hour_and_hour(lake: Path) -> None:
    for view, window_s in (("kpis_15m", 900), ("kpis_1h", 3600)):
        columns = "level, entity, window_start, readings, energy_kwh, export_kwh, reactive_kvarh, cost"
        _, seen = query(lake, f"SELECT {columns} FROM {view} WHERE currency IS NULL ORDER BY ALL")
        _, emitted = query(
            lake, f"SELECT {columns} FROM kpis WHERE window_s = {window_s} AND currency IS NULL ORDER BY ALL"
        )
        assert len(seen) == 7 * 24
        assert seen == emitted


def test_they_still_wait(lake: Path) -> None:
    """Each record is `unpriced`, and nothing has a cost: 27 of `waits`, 24 of each submeter, one without a contract."""
    assert query(lake, "SELECT COUNT(*) FROM unpriced")[1] == [(76,)]
    assert query(lake, "SELECT DISTINCT meter_id FROM costs")[1] == [("priced",)]
    _, missing = query(lake, "SELECT meter_id FROM gaps WHERE meter_id <> 'unknown'")
    assert missing == []
