"""Whose query is whose: an item by query, for as long as its result is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.kit.tenants import DEFAULT_TENANT

KEEP_S = 7 * 86_400


@dataclass(frozen=True)
class Query:
    """A query that was asked. `sites` are those it covers, `*` for every site; `execution` is Athena's id."""

    query_id: str
    owner: str
    sites: tuple[str, ...]
    question: str
    fingerprint: str
    execution: str = ""
    tenant: str = DEFAULT_TENANT
    expires_s: int = 0

    @property
    def noted_s(self) -> int:
        """When it was noted."""
        return self.expires_s - KEEP_S


class Asked:
    """The table, by name; `dynamodb` is a boto3 client."""

    def __init__(self, dynamodb: Any, name: str) -> None:
        self._dynamodb, self._name = dynamodb, name

    def note(self, query: Query, now_s: int) -> bool:
        """Note a query before it is asked; False where it was noted before."""
        item = {
            "query_id": {"S": query.query_id},
            "owner": {"S": query.owner},
            "question": {"S": query.question},
            "fingerprint": {"S": query.fingerprint},
            "execution": {"S": query.execution},
            "sites": {"L": [{"S": site} for site in query.sites]},
            "tenant": {"S": query.tenant},
            "expires_s": {"N": str(now_s + KEEP_S)},
        }
        try:
            self._dynamodb.put_item(
                TableName=self._name, Item=item, ConditionExpression="attribute_not_exists(query_id)"
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def started(self, query_id: str, execution: str) -> None:
        """Note what Athena calls it."""
        self._dynamodb.update_item(
            TableName=self._name,
            Key={"query_id": {"S": query_id}},
            UpdateExpression="SET execution = :execution",
            ExpressionAttributeValues={":execution": {"S": execution}},
        )

    def get(self, query_id: str) -> Query | None:
        """The query of an id."""
        answer = self._dynamodb.get_item(TableName=self._name, Key={"query_id": {"S": query_id}}, ConsistentRead=True)
        item = answer.get("Item", {})
        return _query(item) if "owner" in item else None


def _query(item: Mapping[str, Any]) -> Query:
    return Query(
        item["query_id"]["S"],
        item["owner"]["S"],
        tuple(site["S"] for site in item["sites"]["L"]),
        item["question"]["S"],
        item["fingerprint"]["S"],
        item["execution"]["S"],
        item.get("tenant", {}).get("S", DEFAULT_TENANT),
        int(item["expires_s"]["N"]),
    )
