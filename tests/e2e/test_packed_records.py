"""Several rows in a Firehose record: each row reaches its partition, or the error prefix, by itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow.parquet as pq
import pytest

from deploy.kit.names import Names
from deploy.local.endpoint import endpoint, free_port
from deploy.local.lake import Received, received
from deploy.local.resources import create
from flink_job.io.kinesis import client
from tests.harness.deployment import cost_row, on_the_wire, wait_for
from tests.harness.jobs import SAMPLES

NAMES = Names("packed")
STEP_BYTES, MAX_ROWS = 5 * 1024, 500


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
        create(NAMES, url, SAMPLES / "tariffs", SAMPLES / "rules.yaml", 1)
        yield url


def put(url: str, output: str, record: bytes) -> None:
    client("firehose", url).put_record(DeliveryStreamName=NAMES.delivery(output), Record={"Data": record})


def objects(url: str, prefix: str) -> dict[str, bytes]:
    s3 = client("s3", url)
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=NAMES.lake, Prefix=prefix).get("Contents", ())]
    return {key: s3.get_object(Bucket=NAMES.lake, Key=key)["Body"].read() for key in keys}


def raw_data(url: str, output: str) -> list[bytes]:
    """Bytes of what lies in the error prefix of an output."""
    found = (json.loads(body) for body in objects(url, f"errors/{output}/").values())
    return [base64.b64decode(error["rawData"]) for error in found]


def packed(output: str, *rows: dict[str, Any]) -> bytes:
    return "".join(json.dumps(on_the_wire(output, row)) for row in rows).encode()


def test_each_row_of_a_record_reaches_its_partition_or_the_error_prefix(url: str, tmp_path: Any) -> None:
    good = [cost_row("pune", "2026-03-28", 1), cost_row("pune", "2026-03-29", 2), cost_row("pune", "2026-03-29", 3)]
    undated, unconverted = {"meter_id": "undated"}, {**good[0], "energy_kwh": "not a number"}
    record = packed("costs", good[0], undated, good[1], unconverted, good[2])
    put(url, "costs", record)
    wait_for(lambda: len(raw_data(url, "costs")) == 2 and len(objects(url, "costs/")) >= 2)
    assert sorted(raw_data(url, "costs")) == sorted([packed("costs", undated), packed("costs", unconverted)])
    starts = []
    for key, body in objects(url, "costs/").items():
        path = tmp_path / "rows.parquet"
        path.write_bytes(body)
        for row in pq.read_table(path, partitioning=None).to_pylist():
            assert key.startswith(f"costs/event_date={row['interval_start']:%Y-%m-%d}/")
            starts.append(row["interval_start"])
    assert sorted(starts) == [datetime.fromisoformat(row["interval_start"]) for row in good]
    assert received(NAMES.delivery("costs"), url) == Received(1, len(record), STEP_BYTES)


def test_a_record_of_too_many_rows_fails_as_a_whole(url: str) -> None:
    rows = [{"interval_start": "2026-03-28 00:00:00", "meter_id": f"m{number}"} for number in range(MAX_ROWS + 1)]
    put(url, "duplicates", packed("duplicates", *rows))
    wait_for(lambda: bool(raw_data(url, "duplicates")))
    assert raw_data(url, "duplicates") == [packed("duplicates", *rows)]
    assert objects(url, "duplicates/") == {}
    put(url, "duplicates", packed("duplicates", *rows[:MAX_ROWS]))
    wait_for(lambda: bool(objects(url, "duplicates/")))
    assert len(raw_data(url, "duplicates")) == 1
    billed = sum(-(-len(packed("duplicates", *sent)) // STEP_BYTES) * STEP_BYTES for sent in (rows, rows[:MAX_ROWS]))
    assert received(NAMES.delivery("duplicates"), url).billed_bytes == billed
