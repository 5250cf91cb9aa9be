"""Reads the last values of a meter from the table that deploy/lake/runtime/writer.py writes."""

from __future__ import annotations

import json
from typing import Any

from deploy.kit.tenants import DEFAULT_TENANT

#: Maximum number of values returned.
NEWEST = 100
#: Sort key of the item with a meter's site. The keys of readings begin with digits and sort before it.
SITE = "SITE"


class LastValuesReader:
    """Queries the table; `dynamodb` is a boto3 client, `name` the table's."""

    def __init__(self, dynamodb: Any, name: str) -> None:
        self._dynamodb, self._name = dynamodb, name

    def site(self, meter_id: str, tenant: str) -> str | None:
        """The factory of a tenant's meter; None if the meter has no contract."""
        key = {"meter_id": {"S": meter_key(meter_id, tenant)}, "position": {"S": SITE}}
        item = self._dynamodb.get_item(TableName=self._name, Key=key).get("Item")
        return str(item["site"]["S"]) if item else None

    def newest(self, meter_id: str, tenant: str) -> list[dict[str, Any]]:
        """The last readings, latest interval first; of one interval, highest revision first."""
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
    """The partition key of a meter: its id; for tenants other than `default`, prefixed with the tenant and U+001F."""
    return meter_id if tenant == DEFAULT_TENANT and "\x1f" not in meter_id else f"{tenant}\x1f{meter_id}"
