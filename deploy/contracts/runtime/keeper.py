"""Stores the latest contract of each meter, and the latest terms of each supply point, from the contracts stream.

An item has `tenant` and `meter_id` (key; the terms of a supply point have TERMS and its name in place of a meter),
`position` (sequence number in the stream), `version_ms` (time of issue, or of publication) and `document` (the contract
as published). It is replaced only by a contract of a later version, or of the same version with a later position, as in
the job (flink_job/dataflow/sql/contracts/valid_records.sql). Duplicates and retries change nothing.
"""

from __future__ import annotations

import base64
import os
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from deploy.kit.errors import reported
from flink_job.io.contract_snapshot import stored_record
from flink_job.metering.contract import ContractError
from flink_job.tenants import plain

logger = Logger(service="contracts-keeper")
#: Sequence numbers have at most 56 decimal digits; padded strings sort like the numbers.
DIGITS = 64
#: Begins the key of terms: no meter has a name with this character.
TERMS = "\x1d"
_IS_NEWER = (
    "attribute_not_exists(meter_id) OR version_ms < :version OR (version_ms = :version AND #position < :position)"
)


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, int]:
    """Lambda entry point. Writes are idempotent, so a failed batch is retried as a whole."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for record in event["Records"]:
        item = contract_item(record["kinesis"])
        if item is None:
            logger.debug("not a contract")
            continue
        key = item["tenant"]["S"], item["meter_id"]["S"]
        newest[key] = max(newest.get(key, item), item, key=_version)
    return {"stored": sum(_store(item) for item in newest.values())}


def contract_item(record: dict[str, Any]) -> dict[str, Any] | None:
    """Item of a Kinesis record; None for an invalid contract, which the job writes to table `rejected`."""
    payload = base64.b64decode(record["data"])
    arrival_ms = round(float(record["approximateArrivalTimestamp"]) * 1000)
    try:
        found = stored_record(payload, arrival_ms, record["sequenceNumber"])
    except ContractError:
        return None
    return {
        "meter_id": {"S": plain(found.key) if found.key else TERMS + plain(found.name.partition(":")[2])},
        "tenant": {"S": found.tenant},
        "position": {"S": found.position.zfill(DIGITS)},
        "version_ms": {"N": str(found.version_ms)},
        "document": {"S": found.document},
    }


def _version(item: dict[str, Any]) -> tuple[int, str]:
    return int(item["version_ms"]["N"]), item["position"]["S"]


def _store(item: dict[str, Any]) -> bool:
    """Put an item if it is newer than the stored one; returns True if it was."""
    try:
        _client().put_item(
            TableName=os.environ["TABLE"],
            Item=item,
            ConditionExpression=_IS_NEWER,
            ExpressionAttributeNames={"#position": "position"},
            ExpressionAttributeValues={":version": item["version_ms"], ":position": item["position"]},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


@cache
def _client() -> Any:
    return boto3.client("dynamodb")
