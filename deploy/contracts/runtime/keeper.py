"""Contracts of the stream to the table: the newest of each meter.

An item: `meter_id` and `tenant`, `position` (where it lay in the stream), `published_ms`, `document` (the contract as
published). It is replaced only by a contract that was published later, or at the same time and lies later in the
stream, as in the job (flink_job/dataflow/sql/contracts/valid_contracts.sql); so repeats and retries change nothing.
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
from flink_job.metering.contract import ContractError, parse_contract
from flink_job.tenants import DEFAULT

logger = Logger(service="contracts-keeper")
#: Sequence numbers are decimal numbers of at most 56 digits: padded, text sorts as they do.
DIGITS = 64
_IS_NEWER = (
    "attribute_not_exists(meter_id) OR published_ms < :published"
    " OR (published_ms = :published AND #position < :position)"
)


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, int]:
    """Entry of the function. Keeping twice is keeping once, so a batch that fails comes again as a whole."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for record in event["Records"]:
        item = contract_item(record["kinesis"])
        if item is None:
            logger.debug("no contract")
            continue
        key = item["tenant"]["S"], item["meter_id"]["S"]
        newest[key] = max(newest.get(key, item), item, key=_version)
    return {"kept": sum(_keep(item) for item in newest.values())}


def contract_item(record: dict[str, Any]) -> dict[str, Any] | None:
    """The item of a Kinesis record; None for what is no contract, which the job rejects with its bytes."""
    payload = base64.b64decode(record["data"])
    try:
        contract = parse_contract(payload)
    except ContractError:
        return None
    return {
        "meter_id": {"S": contract.meter_id},
        "tenant": {"S": contract.tenant or DEFAULT},
        "position": {"S": record["sequenceNumber"].zfill(DIGITS)},
        "published_ms": {"N": str(round(float(record["approximateArrivalTimestamp"]) * 1000))},
        "document": {"S": payload.decode()},
    }


def _version(item: dict[str, Any]) -> tuple[int, str]:
    return int(item["published_ms"]["N"]), item["position"]["S"]


def _keep(item: dict[str, Any]) -> bool:
    """True when the item is newer than the one that was kept."""
    try:
        _client().put_item(
            TableName=os.environ["TABLE"],
            Item=item,
            ConditionExpression=_IS_NEWER,
            ExpressionAttributeNames={"#position": "position"},
            ExpressionAttributeValues={":published": item["published_ms"], ":position": item["position"]},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


@cache
def _client() -> Any:
    return boto3.client("dynamodb")
