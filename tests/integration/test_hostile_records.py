"""Records made to stop the job: each is rejected or left unpriced with its bytes, and its neighbours are costed."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from typing import Any

import pytest

from flink_job.lake.database import open_lake
from flink_job.metering.bounds import MAX_LINE_BYTES, MAX_RECORD_BYTES
from flink_job.metering.envelope import enclose
from flink_job.metering.framing import parts
from tests.harness.framing import BROKEN, SEVERAL
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
#: Several readings in a record: one repeated, one without a contract, one that is none.
SEVERAL_OF = [
    {**GOOD, "meter_id": "several"},
    {**GOOD, "meter_id": "several", "interval_start": "2026-03-02T01:00:00Z"},
    {**GOOD, "meter_id": "several"},
    {**GOOD, "meter_id": "nobody's"},
    {"meter_id": "several"},
]
ARRAY = json.dumps(SEVERAL_OF).encode()
LINES = b"\n".join(json.dumps(one).replace("03-02", "03-03").encode() for one in SEVERAL_OF)
NESTED = b'{"meter_id": "n", "x": ' + b"[" * 100_000
CONTRACTS = [
    json.dumps({"meter_id": "m", **CONTRACT}).encode(),
    json.dumps({"meter_id": "several", **CONTRACT}).encode(),
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
        out.write(ARRAY + b"\n" + enclose(LINES, "default") + b"\n")
        for record in [*BROKEN, *SEVERAL]:
            out.write(enclose(record, "framing") + b"\n")
    (folder / "contracts.ndjson").write_bytes(b"\n".join(CONTRACTS))
    run_files(folder / "readings.ndjson.gz", folder / "contracts.ndjson", folder / "out", tariffs=SAMPLES / "tariffs")
    return open_lake(folder / "out")


def rows(lake: Any, sql: str) -> list[tuple[Any, ...]]:
    return list(lake.execute(sql).fetchall())


def test_every_good_reading_is_costed(lake: Any) -> None:
    """Twenty of 1.5 kWh."""
    assert rows(lake, "SELECT COUNT(*), SUM(energy_kwh) FROM costs WHERE meter_id = 'm'") == [(20, 30)]


def test_each_hostile_record_is_rejected_with_its_bytes(lake: Any) -> None:
    found = rows(
        lake,
        "SELECT reason, payload FROM rejected WHERE reason NOT IN ('not_a_contract', 'oversized') "
        f"AND tenant = 'default' AND CAST(split_part(record_position, '.', 1) AS INT) <= {len(RECORDS) * 2}",
    )
    assert sorted((reason, b64decode(payload)) for reason, payload in found) == sorted(RECORDS)


def test_of_a_line_without_end_the_beginning_is_kept(lake: Any) -> None:
    found = rows(lake, "SELECT payload FROM rejected WHERE reason = 'oversized' ORDER BY part")
    assert b"".join(b64decode(payload) for (payload,) in found) == b"[" * (MAX_LINE_BYTES + 1)


def test_hostile_contracts_are_rejected(lake: Any) -> None:
    found = rows(lake, "SELECT detail FROM rejected WHERE reason = 'not_a_contract' AND part = 0")
    assert len(found) == 4, found


def test_a_product_that_is_too_large_is_left_unpriced(lake: Any) -> None:
    """A thousand million kWh times a multiplier of 100,000 would not fit the state: 2^50 micro-kWh are 1.1e9 kWh."""
    [(reason, payload)] = rows(lake, "SELECT reason, payload FROM unpriced WHERE reason <> 'no_contract'")
    assert (reason, json.loads(b64decode(payload))["meter_id"]) == ("quantity_out_of_range", "huge")


def test_each_reading_of_a_record_has_its_own_outcome_and_position(lake: Any) -> None:
    line = 20 + len(RECORDS) + 3
    for table, numbers in {"costs": (1, 2), "duplicates": (3,), "unpriced": (4,), "rejected": (5,)}.items():
        expected = [f"{of}.{number}" if number > 1 else f"{of}" for of in (line, line + 1) for number in numbers]
        lines = f"split_part(record_position, '.', 1) IN ('{line}', '{line + 1}')"
        found = rows(lake, f"SELECT record_position, shard FROM {table} WHERE {lines} ORDER BY 1")
        assert [position for position, _ in found] == expected, table
        assert len({shard for _, shard in found}) == 1
    assert rows(lake, "SELECT SUM(energy_kwh) FROM costs WHERE meter_id = 'several'") == [(6,)]
    [bytes_of] = rows(lake, f"SELECT payload FROM unpriced WHERE record_position = '{line}.4'")
    assert json.loads(b64decode(bytes_of[0])) == SEVERAL_OF[3]


def test_records_are_split_as_in_python(lake: Any) -> None:
    """flink_job/metering/framing.py and flink_job/java/main/metering/flink/Framing.java."""
    expected: dict[str, bytes] = {}
    for line, record in enumerate([*BROKEN, *SEVERAL], start=20 + len(RECORDS) + 5):
        for number, part in enumerate(parts(record), start=1):
            expected[f"{line}.{number}" if number > 1 else f"{line}"] = part
    found = rows(lake, "SELECT record_position, payload FROM rejected WHERE tenant = 'framing'")
    assert {position: b64decode(payload) for position, payload in found} == expected
