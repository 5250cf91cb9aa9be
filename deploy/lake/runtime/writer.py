"""Writes readings and contracts of the streams to the table of last values.

| meter_id | position | content |
| --- | --- | --- |
| meter | `start ms#revision#reading id` | a reading as it was sent, with its arrival |
| meter | `SITE` | the factory of the meter, from its contract |

The key of a meter of a tenant other than `default` is the tenant, U+001F and the meter id. Contracts are accepted from
the contracts stream only (its name is in `CONTRACTS`): senders of readings must not define the site of a meter.

A position identifies a reading, so writes are idempotent and may arrive in any order. Readers use the highest revision,
which sorts first in a descending query. Invalid records are ignored here; the job writes them to table `rejected`.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from deploy.kit.errors import reported
from flink_job.metering.bounds import MAX_FUTURE_S, MAX_RECORD_BYTES
from flink_job.metering.contract import ContractError, of_tenant
from flink_job.metering.contract_document import parse_contract
from flink_job.metering.envelope import Enclosed
from flink_job.metering.framing import readings_in
from flink_job.metering.reading import parse_reading
from flink_job.metering.site import factory_of
from flink_job.tenants import plain

logger = Logger(service="last-values")
BATCH, ATTEMPTS = 25, 8

SITE = "SITE"
_RETRIES = Config(retries={"mode": "standard", "max_attempts": 5})


class UnwrittenError(RuntimeError):
    """The table is throttled; Lambda retries the batch."""


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, int]:
    """Lambda entry point. Writes are idempotent, so a failed batch is retried as a whole."""
    retention_s = int(os.environ["RETENTION_DAYS"]) * 86_400
    items = {(item["meter_id"]["S"], item["position"]["S"]): item for item in _items(event["Records"], retention_s)}
    found = list(items.values())
    for start in range(0, len(found), BATCH):
        _write([{"PutRequest": {"Item": item}} for item in found[start : start + BATCH]])
    return {"written": len(found)}


def _items(records: list[dict[str, Any]], retention_s: int) -> Iterator[dict[str, Any]]:
    for record in records:
        payload = base64.b64decode(record["kinesis"]["data"])
        arrival_s = float(record["kinesis"]["approximateArrivalTimestamp"])
        stream = str(record["eventSourceARN"]).rpartition("/")[2]
        is_contract = stream == os.environ["CONTRACTS"]
        found = [contract_item(payload)] if is_contract else reading_items(payload, arrival_s, retention_s)
        for item in found:
            if item is None:
                logger.debug("not a valid record of its stream")
            else:
                yield item


def reading_items(record: bytes, arrival_s: float, retention_s: int) -> Iterator[dict[str, Any] | None]:
    """Yield the item of each reading in a record; None for an invalid or expired one."""
    for enclosed in readings_in(record):
        yield reading_item(enclosed, arrival_s, retention_s)


def reading_item(enclosed: Enclosed, arrival_s: float, retention_s: int) -> dict[str, Any] | None:
    """Item of a reading; None if it is invalid, or expired when it arrived."""
    payload, tenant, device = enclosed
    reading = parse_reading(payload, int(arrival_s * 1000), MAX_RECORD_BYTES, MAX_FUTURE_S, tenant, device)
    if reading.reason is not None or reading.start_ms is None or not payload.startswith(b"{"):
        return None
    expires_s = reading.start_ms // 1000 + retention_s
    if expires_s < arrival_s:
        return None
    document = {**json.loads(payload), "arrival_ms": int(arrival_s * 1000)}
    return {
        "meter_id": {"S": reading.meter_id},
        "position": {"S": f"{reading.start_ms:015d}#{reading.revision:06d}#{reading.reading_id}"},
        "reading": {"S": json.dumps(document)},
        "expires_s": {"N": str(expires_s)},
    }


def contract_item(payload: bytes) -> dict[str, Any] | None:
    """Item with the site of a meter; None for an invalid contract or one without site."""
    try:
        contract = of_tenant(parse_contract(payload, accept_unknown=True))
    except ContractError:
        return None
    site = factory_of(plain(contract.site_path))
    return {"meter_id": {"S": contract.meter_id}, "position": {"S": SITE}, "site": {"S": site}} if site else None


def _write(requests: list[dict[str, Any]]) -> None:
    table = os.environ["TABLE"]
    for attempt in range(ATTEMPTS):
        answer = _client().batch_write_item(RequestItems={table: requests})
        requests = answer.get("UnprocessedItems", {}).get(table, [])
        if not requests:
            return
        time.sleep(0.05 * 2**attempt)
    raise UnwrittenError(f"{len(requests)} items were not written after {ATTEMPTS} attempts")


@cache
def _client() -> Any:
    return boto3.client("dynamodb", config=_RETRIES)
