"""Measured channels and sensors through the job: table `measurements`, its view, and the account of every record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flink_job.lake.database import query
from tests.harness.jobs import command, run_files, write_records
from tests.harness.plants import ENERGY_AND_PEAK
from tests.integration.test_supplies import ASSIGNED, contract

CONTRACTS = [
    contract("billed", "hall/line/billed", assignments=ASSIGNED),
    contract("waits", "hall/line/waits", assignments=[{"tariff_id": "later", "valid_from": "2026-01-01"}]),
    contract("s", "hall/line/s", role="sensor"),
    contract("ct", "hall/line/ct", role="sensor", multiplier=10),
    # A sensor until 10 March, 23:00 UTC; from then on a meter of its own supply.
    contract(
        "was",
        "hall/line/was",
        role="sensor",
        assignments=ASSIGNED,
        changes=[{"valid_from": "2026-03-11", "role": "main", "supply_point": "was"}],
    ),
]


def reading(meter: str, hour: int, **more: Any) -> bytes:
    start = f"2026-03-10T{hour:02d}:00:00Z"
    return json.dumps({"meter_id": meter, "interval_start": start, "interval_s": 900, **more}).encode()


READINGS = [
    reading("billed", 10, values={"import": 1.25, "temperature": 61.5, "vibration": 0.1}),
    reading("billed", 10, values={"import": 1.25, "temperature": 61.5, "vibration": 0.1}),  # a repeat
    reading("billed", 10, revision=1, quality="edited", values={"import": 1.25, "temperature": 58}),
    reading("billed", 11, energy_kwh=1),
    reading("billed", 12, channel="temperature", value=1e20, unit="degC", device_id="d", sequence=7),
    reading("waits", 10, values={"import": 2, "temperature": -3}),
    reading("unknown", 10, values={"import": 2, "temperature": 20}),
    reading("s", 10, power_kw=2),
    reading("s", 10, power_kw=2),  # a repeat
    reading("s", 11, values={"export": 0.3, "reactive_import": 0.000001, "frequency": 50.02}),
    reading("s", 12, value=1500, unit="varh", channel="reactive_export"),
    reading("s", 13, register_kwh=123.456, register_id="a, b: c"),
    reading("s", 14, channel="temperature", value=20, unit="degF"),
    reading("ct", 10, energy_kwh=1.5),
    reading("ct", 11, energy_kwh=900_000_000),
    reading("was", 22, energy_kwh=4),
    reading("was", 23, energy_kwh=5),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measurements")
    (folder / "tariffs").mkdir()
    (folder / "tariffs" / "t.json").write_text(json.dumps(ENERGY_AND_PEAK))
    contracts = write_records(folder / "contracts.ndjson", CONTRACTS)
    run_files(write_records(folder / "readings.ndjson", READINGS), contracts, folder / "out", folder / "tariffs")
    return folder / "out"


def values(lake: Path, meter: str) -> list[tuple[Any, ...]]:
    sql = "SELECT hour(interval_start), channel, value, unit, raw_unit FROM current_measurements "
    return query(lake, f"{sql} WHERE meter_id = '{meter}' ORDER BY ALL")[1]


def test_the_highest_revision_of_a_channel_is_valid(lake: Path) -> None:
    """The correction has no vibration, so the value of the first reading stays."""
    assert values(lake, "billed") == [
        (10, "temperature", 58.0, "degC", None),
        (10, "vibration", 0.1, "mm/s", None),
        (12, "temperature", 1e20, "degC", None),
    ]
    assert query(lake, "SELECT COUNT(*) FROM measurements WHERE meter_id = 'billed'")[1] == [(4,)]


def test_rows_have_what_the_record_says(lake: Path) -> None:
    sql = "SELECT site_path, role, revision, quality, device_id, sequence_number FROM current_measurements "
    _, rows = query(lake, f"{sql} WHERE meter_id = 'billed' ORDER BY interval_start, channel")
    assert rows == [
        ("plant/hall/line/billed", "main", 1, "edited", None, None),
        ("plant/hall/line/billed", "main", 0, "actual", None, None),
        ("plant/hall/line/billed", "main", 0, "actual", "d", 7),
    ]


def test_every_channel_of_a_sensor_is_stored_in_its_unit(lake: Path) -> None:
    """2 kW for a quarter hour are 0.5 kWh; 1,500 varh are 1.5 kvarh."""
    assert values(lake, "s") == [
        (10, "import", 0.5, "kWh", "kW"),
        (11, "export", 0.3, "kWh", None),
        (11, "frequency", 50.02, "Hz", None),
        (11, "reactive_import", 0.000001, "kvarh", None),
        (12, "reactive_export", 1.5, "kvarh", "varh"),
        (13, "register:a, b: c", 123.456, "kWh", None),
    ]
    assert values(lake, "ct") == [(10, "import", 15.0, "kWh", None)]


def test_a_reading_without_a_price_is_measured_and_waits(lake: Path) -> None:
    """One without a contract has no place yet: it is measured when it is published again."""
    assert values(lake, "waits") == [(10, "temperature", -3.0, "degC", None)]
    assert values(lake, "unknown") == []
    _, rows = query(lake, "SELECT meter_id, reason FROM unpriced ORDER BY meter_id")
    assert rows == [("unknown", "no_contract"), ("waits", "unknown_tariff")]


def test_a_sensor_is_neither_priced_nor_unpriced(lake: Path) -> None:
    _, rows = query(lake, "SELECT DISTINCT meter_id FROM costs ORDER BY 1")
    assert rows == [("billed",), ("was",)]
    assert query(lake, "SELECT COUNT(*) FROM register_reads")[1] == [(0,)]
    _, rejected = query(lake, "SELECT reason, COUNT(*) FROM rejected GROUP BY ALL ORDER BY ALL")
    assert rejected == [("out_of_range", 1), ("unknown_unit", 1)]


def test_a_meter_is_a_sensor_by_the_time_of_its_reading(lake: Path) -> None:
    assert values(lake, "was") == [(22, "import", 4.0, "kWh", None)]
    _, rows = query(lake, "SELECT hour(interval_start), energy_kwh, role FROM costs WHERE meter_id = 'was'")
    assert [(hour, float(kwh), role) for hour, kwh, role in rows] == [(23, 5.0, "main")]


def test_the_account_closes_with_sensors(lake: Path) -> None:
    """17 readings. The channels of a reading count once, a repeat too: five of `s`, one of `ct`, one of `was`."""
    _, rows = query(
        lake,
        """SELECT 'costs', COUNT(*) FROM costs UNION ALL SELECT 'duplicates', COUNT(*) FROM duplicates
        UNION ALL SELECT 'measurements', COUNT(*) FROM measurements WHERE is_counted
        UNION ALL SELECT 'rejected', COUNT(*) FROM rejected UNION ALL SELECT 'unpriced', COUNT(*) FROM unpriced""",
    )
    assert dict(rows) == {"costs": 5, "duplicates": 1, "measurements": 7, "rejected": 2, "unpriced": 2}


def test_a_run_of_sensors_alone_is_of_use(lake: Path, tmp_path: Path) -> None:
    """It ends with code 0; one in which no reading has a cost or is stored would end with 3."""
    contracts = write_records(tmp_path / "contracts.ndjson", [CONTRACTS[2]])
    only = write_records(tmp_path / "readings.ndjson", [READINGS[7]])
    assert "+ measurements" in run_files(only, contracts, tmp_path / "out", lake.parent / "tariffs")
    assert command("query", tmp_path / "out", "SELECT channel FROM measurements").count("import") == 1
