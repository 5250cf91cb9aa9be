"""Reading the last values of a meter; deploy/lake/runtime/writer.py writes them."""

from __future__ import annotations

import json
from typing import Any

from deploy.kit.tenants import DEFAULT_TENANT

NEWEST = 100
#: Sort key of the item that says where a meter is. Readings' begin with digits and come before it.
SITE = "SITE"


class LastValues:
    """The table, by name; `dynamodb` is a boto3 client."""

    def __init__(self, dynamodb: Any, name: str) -> None:
        self._dynamodb, self._name = dynamodb, name

    def site(self, meter_id: str, tenant: str) -> str | None:
        """The factory of a meter of a tenant; None where its contract is not known."""
        key = {"meter_id": {"S": meter_key(meter_id, tenant)}, "position": {"S": SITE}}
        item = self._dynamodb.get_item(TableName=self._name, Key=key).get("Item")
        return str(item["site"]["S"]) if item else None

    def newest(self, meter_id: str, tenant: str) -> list[dict[str, Any]]:
        """The newest intervals first, the highest revision of each first."""
        answer = self._dynamodb.query(
            TableName=self._name,
            KeyConditionExpression="meter_id = :meter AND #position < :site",
            ExpressionAttributeNames={"#position": "position"},
            ExpressionAttributeValues={":meter": {"S": meter_key(meter_id, tenant)}, ":site": {"S": SITE}},
            ScanIndexForward=False,
            Limit=NEWEST,
        )
        return [json.loads(item["reading"]["S"]) for item in answer["Items"]]


def meter_key(meter_id: str, tenant: str) -> str:
    """The partition key of a meter: its id, with the tenant and U+001F before it for every tenant but `default`."""
    return meter_id if tenant == DEFAULT_TENANT and "\x1f" not in meter_id else f"{tenant}\x1f{meter_id}"
