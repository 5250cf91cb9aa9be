"""The contract store: what is kept of the stream, and the snapshot that runs of files read."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

from deploy.contracts.runtime.exporter import Store, export
from deploy.contracts.runtime.keeper import contract_item
from flink_job.batch.stage import read_records
from flink_job.metering.contract import parse_contract

CONTRACT = {
    "meter_id": "m",
    "site_path": "f/p/l/m",
    "timezone": "UTC",
    "assignments": [{"tariff_id": "t", "valid_from": "2026-01-01"}],
}


def record(sequence: str, **changes: Any) -> dict[str, Any]:
    payload = json.dumps(CONTRACT | changes).encode()
    data = base64.b64encode(payload).decode()
    return {"data": data, "sequenceNumber": sequence, "approximateArrivalTimestamp": 1774700000.123}


def test_positions_sort_as_the_stream_does() -> None:
    earlier, later = contract_item(record("9" * 29)), contract_item(record("1" + "0" * 29))
    assert earlier and later
    assert earlier["position"]["S"] < later["position"]["S"]
    assert later["published_ms"]["N"] == "1774700000123"


def test_what_is_no_contract_is_not_kept() -> None:
    assert contract_item(record("1", assignments=[])) is None


class Table:
    """Two pages of a scan, and a bucket."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def scan(self, TableName: str, ExclusiveStartKey: Any = None) -> dict[str, Any]:
        number = ExclusiveStartKey or 0
        document = json.dumps(CONTRACT | {"meter_id": f"m{number}"})
        item = {"document": {"S": document}, "published_ms": {"N": str(number)}}
        return {"Items": [item], **({} if number else {"LastEvaluatedKey": 1})}

    def upload_fileobj(self, file: io.BytesIO, bucket: str, key: str) -> None:
        self.objects[bucket, key] = file.read()


def test_the_snapshot_has_every_page_and_is_read_as_contracts(tmp_path: Path) -> None:
    place = Table()
    assert export(Store(place, "t"), place, "b", "k") == 2
    path = tmp_path / "contracts.ndjson.gz"
    path.write_bytes(place.objects["b", "k"])
    found = [payload for _, payload in read_records(str(path))]
    lines = [json.loads(payload) for payload in found]
    assert [(line["meter_id"], line["published_ms"]) for line in lines] == [("m0", 0), ("m1", 1)]
    assert [parse_contract(payload).meter_id for payload in found] == ["m0", "m1"]


def test_meters_of_tenants_are_apart() -> None:
    mine, theirs = contract_item(record("1")), contract_item(record("1", tenant="acme"))
    assert mine and theirs
    assert (mine["tenant"]["S"], theirs["tenant"]["S"]) == ("default", "acme")
