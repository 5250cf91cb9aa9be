"""The contract store: what is kept of the stream, and the snapshot that runs of files read."""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path
from typing import Any

from deploy.contracts.runtime.exporter import Keys, Store, export
from deploy.contracts.runtime.keeper import contract_item
from flink_job.batch.snapshot import write_snapshot
from flink_job.io.records import read_records, stage
from flink_job.metering.contract_document import parse_contract

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
    assert later["version_ms"]["N"] == "1774700000123"


def test_what_is_no_contract_is_not_kept() -> None:
    assert contract_item(record("1", assignments=[])) is None


class Table:
    """Two pages of a scan, and a bucket."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def scan(self, TableName: str, ExclusiveStartKey: Any = None) -> dict[str, Any]:
        number = ExclusiveStartKey or 0
        item = contract_item(record(f"5{number}", meter_id=f"m{number}", tenant=("", "acme")[number]))
        assert item
        item["version_ms"] = {"N": str(number)}
        return {"Items": [item], **({} if number else {"LastEvaluatedKey": 1})}

    def upload_fileobj(self, file: io.BytesIO, bucket: str, key: str) -> None:
        self.objects[bucket, key] = file.read()


def test_both_objects_have_every_page(tmp_path: Path) -> None:
    place = Table()
    assert export(Store(place, "t"), place, "b", Keys("contracts", "snapshot")) == 2
    path = tmp_path / "contracts.ndjson.gz"
    path.write_bytes(place.objects["b", "contracts"])
    found = [payload for _, payload in read_records(str(path))]
    lines = [json.loads(payload) for payload in found]
    versions = {line["meter_id"]: line["issued_at"][17:] for line in lines}
    assert versions == {"m0": "00.000+00:00", "m1": "00.001+00:00"}
    assert [parse_contract(payload).meter_id for payload in found] == ["m0", "m1"]
    stored = [json.loads(line) for line in gzip.decompress(place.objects["b", "snapshot"]).splitlines()]
    expected = {"m0": (0, "50"), "acme\x1fm1": (1, "51")}
    assert {line["key"]: (line["version_ms"], line["position"]) for line in stored} == expected
    assert [parse_contract(line["value"]).meter_id for line in stored] == ["m0", "m1"]


def test_terms_of_a_supply_are_stored_beside_a_meter_of_its_name() -> None:
    terms = {**CONTRACT, "supply_point": "m"}
    del terms["meter_id"], terms["site_path"]
    kept = {"data": base64.b64encode(json.dumps(terms).encode()).decode()}
    found = contract_item({**record("1"), **kept})
    assert found and found["meter_id"]["S"] == "\x1dm"
    assert found["meter_id"] != contract_item(record("1"))["meter_id"]  # type: ignore[index]


def test_a_bounded_run_starts_with_all_that_are_contracts(tmp_path: Path) -> None:
    documents = [CONTRACT, CONTRACT | {"timezone": "UTC+1"}, CONTRACT | {"tenant": "acme"}]
    (tmp_path / "contracts.ndjson").write_text("\n".join(map(json.dumps, documents)))
    stage([str(tmp_path / "contracts.ndjson")], tmp_path / "staged.json", 0, lambda count: None)
    assert write_snapshot(tmp_path / "staged.json", tmp_path / "snapshot.gz", "mill", 5) == 2
    lines = [json.loads(line) for line in gzip.decompress((tmp_path / "snapshot.gz").read_bytes()).splitlines()]
    assert [(line["key"], line["version_ms"], line["position"]) for line in lines] == [
        ("mill\x1fm", 5, "1"),
        ("acme\x1fm", 7, "3"),
    ]
    assert [json.loads(line["value"]) for line in lines] == [documents[0], documents[2]]


def test_meters_of_tenants_are_apart() -> None:
    mine, theirs = contract_item(record("1")), contract_item(record("1", tenant="acme"))
    assert mine and theirs
    assert (mine["tenant"]["S"], theirs["tenant"]["S"]) == ("default", "acme")
