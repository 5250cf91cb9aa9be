"""Items of the last values: the same record is the same item; what is neither reading nor contract is none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from deploy.api.runtime.last_values_reader import meter_key
from deploy.lake.runtime import writer
from deploy.lake.runtime.writer import contract_item, reading_items
from flink_job.metering.envelope import enclose

ARRIVAL_S = 1_774_700_000.0  # 2026-03-28 12:13:20 UTC
READING = {"meter_id": "m", "interval_start": "2026-03-28T12:00:00Z", "interval_s": 300, "energy_kwh": 1.5}
DAY_S = 86_400


def item_of(record: bytes, arrival_s: float, retention_s: int) -> dict[str, Any] | None:
    [item] = reading_items(record, arrival_s, retention_s)
    return item


def test_a_reading_is_placed_by_interval_revision_and_identity() -> None:
    item = item_of(json.dumps(READING).encode(), ARRIVAL_S, DAY_S)
    assert item is not None
    start_ms = 1_774_699_200_000
    assert item["position"]["S"].startswith(f"{start_ms:015d}#000000#")
    assert item["expires_s"] == {"N": str(start_ms // 1000 + DAY_S)}
    assert json.loads(item["reading"]["S"]) == {**READING, "arrival_ms": int(ARRIVAL_S * 1000)}


def test_a_repeat_is_the_same_item_and_a_correction_comes_after_it() -> None:
    first = item_of(json.dumps(READING).encode(), ARRIVAL_S, DAY_S)
    again = item_of(json.dumps(READING).encode(), ARRIVAL_S + 60, DAY_S)
    corrected = item_of(json.dumps({**READING, "revision": 2, "energy_kwh": 1}).encode(), ARRIVAL_S, DAY_S)
    assert first and again and corrected
    assert first["position"] == again["position"]
    assert corrected["position"]["S"] > first["position"]["S"]


def test_old_readings_and_other_records_are_no_items() -> None:
    assert item_of(json.dumps({**READING, "interval_start": "2026-03-20T12:00:00Z"}).encode(), ARRIVAL_S, DAY_S) is None
    assert item_of(b"{", ARRIVAL_S, DAY_S) is None
    assert contract_item(json.dumps(READING).encode()) is None


def test_a_contract_says_the_site() -> None:
    contract = {"meter_id": "m", "site_path": "zaragoza/p/l/m", "timezone": "Europe/Madrid", "assignments": []}
    assert contract_item(
        json.dumps({**contract, "assignments": [{"tariff_id": "t", "valid_from": "2026-01-01"}]}).encode()
    ) == {
        "meter_id": {"S": "m"},
        "position": {"S": "SITE"},
        "site": {"S": "zaragoza"},
    }


CONTRACT = {
    "meter_id": "m",
    "site_path": "pune/p/l/m",
    "timezone": "UTC",
    "assignments": [{"tariff_id": "t", "valid_from": "2026-01-01"}],
}


def items(stream: str, *documents: bytes) -> list[dict[str, Any]]:
    arn = f"arn:aws:kinesis:eu-west-1:123456789012:stream/{stream}"
    records = [
        {
            "eventSourceARN": arn,
            "kinesis": {"data": base64.b64encode(data).decode(), "approximateArrivalTimestamp": ARRIVAL_S},
        }
        for data in documents
    ]
    return list(writer._items(records, DAY_S))


def test_only_the_stream_of_contracts_says_where_a_meter_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that sends a contract of somebody's meter would have made that site's users see it."""
    monkeypatch.setenv("CONTRACTS", "metering-x-contracts")
    contract, reading = json.dumps(CONTRACT).encode(), json.dumps(READING).encode()
    assert items("metering-x-readings", contract, enclose(contract, device="thing")) == []
    assert [i["site"]["S"] for i in items("metering-x-contracts", contract)] == ["pune"]
    assert items("metering-x-contracts", reading) == []
    assert len(items("metering-x-readings", reading)) == 1


def test_each_reading_of_a_record_is_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACTS", "metering-x-contracts")
    later = {**READING, "interval_start": "2026-03-28T12:05:00Z"}
    array, lines = json.dumps([READING, 5, later]).encode(), f"{json.dumps(READING)}\n{json.dumps(later)}\n".encode()
    for record in (array, lines, enclose(array, device="acme:g"), b"\n".join([enclose(array), enclose(lines)])):
        found = items("metering-x-readings", record)
        assert len({item["position"]["S"] for item in found}) == 2
    assert items("metering-x-contracts", json.dumps([CONTRACT]).encode()) == []


def test_meters_of_tenants_are_apart() -> None:
    reading = json.dumps(READING).encode()
    for tenant in ("default", "acme"):
        found = item_of(enclose(reading, device=f"{tenant}:thing"), ARRIVAL_S, DAY_S)
        contract = contract_item(json.dumps({**CONTRACT, "tenant": tenant}).encode())
        assert found is not None
        assert contract is not None
        assert found["meter_id"] == contract["meter_id"] == {"S": meter_key("m", tenant)}
        assert contract["site"] == {"S": "pune"}
