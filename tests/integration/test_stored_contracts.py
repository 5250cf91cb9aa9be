"""A job without state whose contracts stream is empty or old: the stored contracts price every reading."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from flink_job.batch.run import batch_settings, run_bounded
from flink_job.config import ContractSource, Job
from flink_job.lake.database import query
from tests.harness.jobs import SAMPLES, write_records


def contract(meter: str, published_ms: int = 0, site: str = "new") -> bytes:
    document = {
        "meter_id": meter,
        "site_path": f"{site}/p/l/{meter}",
        "timezone": "Europe/Madrid",
        "assignments": [{"tariff_id": "eur-flat", "valid_from": "2026-01-01"}],
        "published_ms": published_ms,
    }
    return json.dumps(document).encode()


def reading(meter: str, quarter: int) -> bytes:
    start = f"2026-03-28T10:{quarter * 15:02d}:00Z"
    return json.dumps({"meter_id": meter, "interval_start": start, "interval_s": 900, "energy_kwh": 1}).encode()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    # `moved` is in the stream with an older contract than the stored one, `only` in the store alone.
    stored = write_records(folder / "stored.ndjson", [contract("only"), contract("moved", 10**12)])
    stream = write_records(folder / "contracts.ndjson", [contract("moved", site="old"), contract("other")])
    records = [reading(meter, quarter) for quarter in range(4) for meter in ("only", "moved", "other")]
    readings = write_records(folder / "readings.ndjson", records)
    settings = batch_settings(str(SAMPLES / "tariffs"), "", Job())
    settings = dataclasses.replace(settings, contracts=ContractSource("-", snapshot_uri=str(stored)))
    account = run_bounded([str(readings)], [str(stream)], settings, folder / "out", lambda what, count: None)
    assert account.closes
    return folder / "out"


def test_every_reading_is_costed(lake: Path) -> None:
    rows = dict(query(lake, "SELECT meter_id, COUNT(*) FROM costs GROUP BY 1")[1])
    assert rows == {"only": 4, "moved": 4, "other": 4}
    assert query(lake, "SELECT COUNT(*) FROM unpriced")[1] == [(0,)]
