"""Stores the latest contract of each meter from the contracts stream.

An item has `meter_id` and `tenant` (key), `position` (sequence number in the stream), `version_ms` (time of issue, or
of publication) and `document` (the contract as published). It is replaced only by a contract of a later version, or of
the same version with a later position, as in the job (flink_job/dataflow/sql/contracts/valid_contracts.sql). Duplicates
and retries change nothing.
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
from flink_job.metering.contract import ContractError
from flink_job.metering.contract_document import parse_contract
from flink_job.tenants import DEFAULT

logger = Logger(service="contracts-keeper")
#: Sequence numbers have at most 56 decimal digits; padded strings sort like the numbers.
DIGITS = 64
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
    try:
        contract = parse_contract(payload)
    except ContractError:
        return None
    return {
        "meter_id": {"S": contract.meter_id},
        "tenant": {"S": contract.tenant or DEFAULT},
        "position": {"S": record["sequenceNumber"].zfill(DIGITS)},
        "version_ms": {"N": str(contract.version_ms(round(float(record["approximateArrivalTimestamp"]) * 1000)))},
        "document": {"S": payload.decode()},
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
