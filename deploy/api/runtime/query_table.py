"""DynamoDB table of the queries that callers started: owner, sites and execution, one item per query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.kit.tenants import DEFAULT_TENANT

#: Retention of an item [s], the same as that of Athena's results.
KEEP_S = 7 * 86_400


@dataclass(frozen=True)
class StartedQuery:
    """A query that a caller started.

    `owner` is the caller's subject, `sites` the sites that the query covers (`*`: all), `question` the query's id in
    the library, `fingerprint` a hash of its SQL and parameters, `execution` Athena's id (empty until it is started).
    """

    query_id: str
    owner: str
    sites: tuple[str, ...]
    question: str
    fingerprint: str
    execution: str = ""
    tenant: str = DEFAULT_TENANT
    expires_s: int = 0

    @property
    def recorded_s(self) -> int:
        """The time at which the query was recorded [epoch s]."""
        return self.expires_s - KEEP_S


class QueryTable:
    """Reads and writes the items; `dynamodb` is a boto3 client, `name` the table's."""

    def __init__(self, dynamodb: Any, name: str) -> None:
        self._dynamodb, self._name = dynamodb, name

    def record(self, query: StartedQuery, now_s: int) -> bool:
        """Store a query before it is started; False if an item of its id exists."""
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
        """Store the id of a query's execution in Athena."""
        self._dynamodb.update_item(
            TableName=self._name,
            Key={"query_id": {"S": query_id}},
            UpdateExpression="SET execution = :execution",
            ExpressionAttributeValues={":execution": {"S": execution}},
        )

    def get(self, query_id: str) -> StartedQuery | None:
        """The query with an id, or None."""
        answer = self._dynamodb.get_item(TableName=self._name, Key={"query_id": {"S": query_id}}, ConsistentRead=True)
        item = answer.get("Item", {})
        return _query(item) if "owner" in item else None


def _query(item: Mapping[str, Any]) -> StartedQuery:
    return StartedQuery(
        item["query_id"]["S"],
        item["owner"]["S"],
        tuple(site["S"] for site in item["sites"]["L"]),
        item["question"]["S"],
        item["fingerprint"]["S"],
        item["execution"]["S"],
        item.get("tenant", {}).get("S", DEFAULT_TENANT),
        int(item["expires_s"]["N"]),
    )
