"""A superseded contract prices no reading, however many contracts are between it and the latest."""

from __future__ import annotations

import json
from pathlib import Path

from flink_job.lake.database import query
from tests.harness.jobs import run_files, write_records

METERS, HOURS, OTHERS = 50, 24, 100_000
OLD, NEW = "0.10", "0.20"


def tariff(price: str) -> str:
    """A tariff with one price, which is its id."""
    energy = {"periods": {"all": [{"price": price}]}}
    valid = {"tariff_id": price, "version": "1", "currency": "EUR", "valid_from": "2026-01-01"}
    return json.dumps(valid | {"name": price, "source": "a test", "energy": energy})


def contract(meter: str, tariff_id: str, site: str = "plant", **more: object) -> bytes:
    """A contract of a meter."""
    assignments = [{"tariff_id": tariff_id, "valid_from": "2026-01-01"}]
    place = {"site_path": f"{site}/hall/line/{meter}", "timezone": "UTC"}
    return json.dumps({"meter_id": meter, "assignments": assignments} | place | more).encode()


def test_readings_are_priced_by_the_latest_contract_of_a_long_list(tmp_path: Path) -> None:
    meters = [f"m{number}" for number in range(METERS)]
    contracts = [
        *(contract(meter, OLD) for meter in meters),
        # At a site without readings, where none are expected: KPIs of silent meters are not what is tested.
        *(contract(f"other{number}", OLD, site="elsewhere") for number in range(OTHERS)),
        *(contract(meter, NEW) for meter in meters),
        # Neither a contract of the same meter id of another tenant nor an invalid record supersedes it.
        contract("m0", OLD, tenant="acme"),
        b'{"meter_id": "m1"}',
    ]
    readings = [
        json.dumps({"meter_id": m, "interval_start": f"2026-06-01T{h:02d}:00:00Z", "interval_s": 3600, "energy_kwh": 1})
        for h in range(HOURS)
        for m in meters
    ]
    (tmp_path / "tariffs").mkdir()
    for price in (OLD, NEW):
        (tmp_path / "tariffs" / f"{price}.json").write_text(tariff(price))
    run_files(
        write_records(tmp_path / "readings.ndjson", (reading.encode() for reading in readings)),
        write_records(tmp_path / "contracts.ndjson", contracts),
        tmp_path / "out",
        tmp_path / "tariffs",
    )
    _, rows = query(tmp_path / "out", "SELECT tariff_id, COUNT(*), SUM(cost) FROM costs GROUP BY ALL ORDER BY 1")
    assert [(name, count, float(cost)) for name, count, cost in rows] == [(NEW, METERS * HOURS, 240.0)]
