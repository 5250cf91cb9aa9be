"""Readings and contracts to the table of last values.

| meter_id | position | what |
| --- | --- | --- |
| meter | `start ms#revision#reading id` | a reading as it was sent, with when it arrived |
| meter | `SITE` | the factory of the meter, from its contract |

A meter of a tenant other than `default` has the tenant and U+001F before its id. Contracts count in the stream of
contracts alone: what sends readings says nothing about where a meter is. `CONTRACTS` names that stream.

A position says all that tells one reading from another: writing it again changes nothing, in any order. Which revision
counts is decided by who reads: the highest comes first. What is no reading is left to the job, which accounts for it.
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
from flink_job.metering.contract import ContractError, of_tenant, parse_contract
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
    """The table would not take items; the batch comes again."""


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, int]:
    """Entry of the function. Writing twice is writing once, so a batch that fails comes again as a whole."""
    keep_s = int(os.environ["KEEP_DAYS"]) * 86_400
    items = {(item["meter_id"]["S"], item["position"]["S"]): item for item in _items(event["Records"], keep_s)}
    found = list(items.values())
    for start in range(0, len(found), BATCH):
        _write([{"PutRequest": {"Item": item}} for item in found[start : start + BATCH]])
    return {"written": len(found)}


def _items(records: list[dict[str, Any]], keep_s: int) -> Iterator[dict[str, Any]]:
    for record in records:
        payload = base64.b64decode(record["kinesis"]["data"])
        arrival_s = float(record["kinesis"]["approximateArrivalTimestamp"])
        stream = str(record["eventSourceARN"]).rpartition("/")[2]
        is_contract = stream == os.environ["CONTRACTS"]
        found = [contract_item(payload)] if is_contract else reading_items(payload, arrival_s, keep_s)
        for item in found:
            if item is None:
                logger.debug("neither a reading nor a contract of its stream")
            else:
                yield item


def reading_items(record: bytes, arrival_s: float, keep_s: int) -> Iterator[dict[str, Any] | None]:
    """What `reading_item` makes of each reading of a record."""
    for enclosed in readings_in(record):
        yield reading_item(enclosed, arrival_s, keep_s)


def reading_item(enclosed: Enclosed, arrival_s: float, keep_s: int) -> dict[str, Any] | None:
    """The item of a reading; None for anything else, and for one whose interval is older than what is kept."""
    payload, tenant, device = enclosed
    reading = parse_reading(payload, int(arrival_s * 1000), MAX_RECORD_BYTES, MAX_FUTURE_S, tenant, device)
    if reading.reason is not None or reading.start_ms is None or not payload.startswith(b"{"):
        return None
    expires_s = reading.start_ms // 1000 + keep_s
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
    """The item that says where a meter is; None for what is no contract."""
    try:
        contract = of_tenant(parse_contract(payload))
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
    raise UnwrittenError(f"{len(requests)} items were not taken after {ATTEMPTS} attempts")


@cache
def _client() -> Any:
    return boto3.client("dynamodb", config=_RETRIES)
