"""Records made to stop the job: each is rejected or left unpriced with its bytes, and its neighbours are costed."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from typing import Any

import pytest

from flink_job.lake.database import open_lake
from flink_job.metering.bounds import MAX_LINE_BYTES, MAX_RECORD_BYTES
from tests.harness.jobs import SAMPLES, run_files

GOOD = {"meter_id": "m", "interval_start": "2026-03-02T00:00:00Z", "interval_s": 900, "energy_kwh": 1.5}
BARE = {key: value for key, value in GOOD.items() if key != "energy_kwh"}
CONTRACT: dict[str, Any] = {
    "site_path": "plant/hall/line/m", "timezone": "UTC",
    "assignments": [{"tariff_id": "eur-flat", "valid_from": "2026-01-01"}],
}  # fmt: skip

#: What each is rejected as.
RECORDS: list[tuple[str, bytes]] = [
    ("bad_timestamp", json.dumps({**GOOD, "interval_start": "1" * 4400}).encode()),
    ("not_finite", json.dumps({**BARE, "signed_kwh": "NaN"}).encode()),
    ("not_finite", json.dumps({**BARE, "values": {"import": "sNaN"}}).encode()),
    ("out_of_range", json.dumps({**BARE, "signed_kwh": "1e5000000"}).encode()),
    ("out_of_range", json.dumps({**BARE, "register_kwh": "1", "register_rollover_kwh": "1e5000000"}).encode()),
    ("out_of_range", json.dumps({**GOOD, "meter_id": "m\x1fother"}).encode()),
    ("out_of_range", json.dumps({**GOOD, "device_id": "a\x00b"}).encode()),
    ("not_json", b'{"meter_id": "\\ud800", "interval_start": 1774688400000, "interval_s": 900, "energy_kwh": 1}'),
    ("not_json", b'{"x":' * 40_000),
    ("not_csv", b"\x1d" + b"a," * 100_000),
    ("unknown_channel", json.dumps({**BARE, "values": {f"c{n}": 1 for n in range(10_000)}}).encode()),
    ("newer_schema", json.dumps({**GOOD, "schema_version": 10**18}).encode()),
    ("too_old", json.dumps({**GOOD, "interval_start": "1999-12-31T23:59:59Z"}).encode()),
    ("in_future", json.dumps({**GOOD, "interval_start": "9999-12-31T23:59:59-23:59"}).encode()),
]
NESTED = b'{"meter_id": "n", "x": ' + b"[" * 100_000
CONTRACTS = [
    json.dumps({"meter_id": "m", **CONTRACT}).encode(),
    json.dumps({"meter_id": "huge", **CONTRACT, "multiplier": 100_000}).encode(),
    NESTED,
    b'{"meter_id": "n", "x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    json.dumps({"meter_id": "n", **CONTRACT, "x": "1" * MAX_RECORD_BYTES}).encode(),
    json.dumps({"meter_id": "n", **CONTRACT, "assignments": [
        {"tariff_id": "eur-flat", "valid_from": "0001-01-01", "contracted_kw": {"P1": "1e5000000"}}]}).encode(),
]  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("hostile")
    good = [json.dumps({**GOOD, "interval_start": f"2026-03-02T{n:02d}:00:00Z"}).encode() for n in range(20)]
    records = [record for pair in zip(good, (record for _, record in RECORDS), strict=False) for record in pair]
    records += good[len(RECORDS) :]
    records.append(json.dumps({**GOOD, "meter_id": "huge", "energy_kwh": 1_000_000_000}).encode())
    with gzip.open(folder / "readings.ndjson.gz", "wb") as out:
        # 64 MiB of one line are 64 kB in the file: the record is its beginning.
        for record in [*records, b"[" * (64 << 20)]:
            out.write(record + b"\n")
    (folder / "contracts.ndjson").write_bytes(b"\n".join(CONTRACTS))
    run_files(folder / "readings.ndjson.gz", folder / "contracts.ndjson", folder / "out", tariffs=SAMPLES / "tariffs")
    return open_lake(folder / "out")


def rows(lake: Any, sql: str) -> list[tuple[Any, ...]]:
    return list(lake.execute(sql).fetchall())


def test_every_good_reading_is_costed(lake: Any) -> None:
    """Twenty of 1.5 kWh."""
    assert rows(lake, "SELECT COUNT(*), SUM(energy_kwh) FROM costs") == [(20, 30)]


def test_each_hostile_record_is_rejected_with_its_bytes(lake: Any) -> None:
    found = rows(lake, "SELECT reason, payload FROM rejected WHERE reason NOT IN ('not_a_contract', 'oversized')")
    assert sorted((reason, b64decode(payload)) for reason, payload in found) == sorted(RECORDS)


def test_of_a_line_without_end_the_beginning_is_kept(lake: Any) -> None:
    found = rows(lake, "SELECT payload FROM rejected WHERE reason = 'oversized' ORDER BY part")
    assert b"".join(b64decode(payload) for (payload,) in found) == b"[" * (MAX_LINE_BYTES + 1)


def test_hostile_contracts_are_rejected(lake: Any) -> None:
    found = rows(lake, "SELECT detail FROM rejected WHERE reason = 'not_a_contract' AND part = 0")
    assert len(found) == 4, found


def test_a_product_that_is_too_large_is_left_unpriced(lake: Any) -> None:
    """A thousand million kWh times a multiplier of 100,000 would not fit the state: 2^50 micro-kWh are 1.1e9 kWh."""
    [(reason, payload)] = rows(lake, "SELECT reason, payload FROM unpriced")
    assert (reason, json.loads(b64decode(payload))["meter_id"]) == ("quantity_out_of_range", "huge")
