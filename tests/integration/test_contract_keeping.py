"""The functions of the contract store at the endpoint: stream records to the table, the table to the snapshot."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.contracts.runtime import exporter, keeper
from deploy.kit.names import CONTRACTS, SNAPSHOT
from deploy.local.endpoint import endpoint, free_port
from flink_job.io.kinesis import client
from flink_job.io.records import InputError, read_records
from flink_job.metering.contract import of_tenant
from flink_job.metering.contract_document import parse_contract

TABLE, BUCKET = "contracts", "registry"
VARIABLES = {"TABLE": TABLE, "BUCKET": BUCKET, "CONTRACTS_KEY": CONTRACTS, "SNAPSHOT_KEY": SNAPSHOT}


def record(position: int, meter: str, site: str, tenant: str = "", published: int = 0) -> dict[str, Any]:
    contract = {
        "meter_id": meter,
        "tenant": tenant,
        "site_path": site,
        "timezone": "UTC",
        "assignments": [{"tariff_id": "t", "valid_from": "2026-01-01"}],
    }
    data = base64.b64encode(json.dumps(contract).encode()).decode()
    return {
        "kinesis": {"data": data, "sequenceNumber": str(position), "approximateArrivalTimestamp": published or position}
    }


def test_the_newest_is_kept_in_any_order_and_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoint(tmp_path / "endpoint.log", free_port()) as url:
        for name, value in VARIABLES.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        keys = ("meter_id", "HASH"), ("tenant", "RANGE")
        client("dynamodb", url).create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        )
        client("s3", url).create_bucket(Bucket=BUCKET)
        uri = f"s3://{BUCKET}/{CONTRACTS}"
        with pytest.raises(InputError, match="no such object"):
            list(read_records(uri))

        later = [record(100, "a", "new"), record(99, "a", "old"), record(50, "a", "acmes", "acme")]
        assert keeper.handler({"Records": later}, None) == {"stored": 2}
        # An older batch is read again, with a record that is no contract.
        older = [record(9, "a", "oldest"), record(60, "b", "only"), {"kinesis": {**later[0]["kinesis"], "data": ""}}]
        assert keeper.handler({"Records": older}, None) == {"stored": 1}

        # Of two that were published at the same time the one that lies later holds, in either order.
        at_once = [record(70, "b", "newest", published=60), record(65, "b", "before", published=60)]
        assert [keeper.handler({"Records": [one]}, None)["stored"] for one in at_once] == [1, 0]

        assert exporter.handler({}, None) == {"exported": 3}
        lines = [json.loads(payload) for _, payload in read_records(uri)]
        found = {
            of_tenant(parse_contract(json.dumps(c))).meter_id: (c["site_path"], c["issued_at"][14:19]) for c in lines
        }
        assert found == {"a": ("new", "01:40"), "acme\x1fa": ("acmes", "00:50"), "b": ("newest", "01:00")}
