"""Athena quotas per caller: queries per day, bytes scanned per day, concurrent queries. One item per caller.

A query takes a slot when it starts. Its bytes are counted when the caller starts the next query, whether or not anybody
read its result. A caller can therefore exceed the bytes by at most the concurrent queries, each of which is limited by
the workgroup.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.kit.access import LimitError

DAY_S, KEEP_S = 86_400, 7 * 86_400
#: A recorded query without an execution is given up after this time [s].
START_S = 60
#: Retry-After [s] when all slots are in use.
BUSY_S = 15


@dataclass(frozen=True)
class Limits:
    """Limits per caller; `queries` and `scanned_bytes` per UTC day, `at_once` concurrent queries."""

    queries: int
    scanned_bytes: int
    at_once: int


#: Query id -> bytes scanned by a query that has ended, None while it runs.
Scanned = Callable[[str], int | None]


class Quota:
    """Enforces the limits with conditional updates; `dynamodb` is a boto3 client, `name` the table of the queries."""

    def __init__(self, dynamodb: Any, name: str, limits: Limits) -> None:
        self._dynamodb, self._name, self._limits = dynamodb, name, limits

    def take(self, subject: str, query_id: str, now_s: int, scanned: Scanned) -> None:
        """Take a slot for a query of a caller; the same query again takes none. Raises LimitError."""
        day = now_s // DAY_S
        item = self._today(subject, day, now_s)
        for running in item.get("running", {}).get("SS", ()):
            if running != query_id and (found := scanned(running)) is not None:
                self._settle(subject, running, found)
        limits = self._limits
        values = {
            ":one": {"N": "1"},
            ":query": {"S": query_id},
            ":set": {"SS": [query_id]},
            ":queries": {"N": str(limits.queries)},
            ":bytes": {"N": str(limits.scanned_bytes)},
            ":at_once": {"N": str(limits.at_once)},
            ":day": {"N": str(day)},
        }
        taken = self._update(
            subject,
            "ADD queries :one, running :set",
            "#day = :day AND queries < :queries AND scanned < :bytes AND NOT contains(running, :query)"
            " AND (attribute_not_exists(running) OR size(running) < :at_once)",
            values,
        )
        if not taken:
            self._refuse(subject, query_id, now_s)

    def release(self, subject: str, query_id: str) -> None:
        """Release the slot of a query that was not started."""
        self._settle(subject, query_id, 0)

    def _today(self, subject: str, day: int, now_s: int) -> dict[str, Any]:
        """The caller's item, with counters reset if it is from an earlier day; running queries keep their slots."""
        item = self._item(subject)
        if item.get("day", {}).get("N") == str(day):
            return item
        values = {
            ":zero": {"N": "0"},
            ":day": {"N": str(day)},
            ":expires": {"N": str(now_s + KEEP_S)},
        }
        update = "SET #day = :day, queries = :zero, scanned = :zero, expires_s = :expires"
        self._update(subject, update, "attribute_not_exists(#day) OR #day < :day", values)
        return self._item(subject)

    def _settle(self, subject: str, query_id: str, scanned: int) -> None:
        """Count the bytes of a query that has ended and release its slot, once."""
        values = {":query": {"S": query_id}, ":set": {"SS": [query_id]}, ":bytes": {"N": str(scanned)}}
        self._update(subject, "ADD scanned :bytes DELETE running :set", "contains(running, :query)", values)

    def _refuse(self, subject: str, query_id: str, now_s: int) -> None:
        item = self._item(subject)
        running = item.get("running", {}).get("SS", ())
        if query_id in running:
            return
        tomorrow_s = DAY_S - now_s % DAY_S
        if int(item["queries"]["N"]) >= self._limits.queries:
            raise LimitError(f"quota reached: {self._limits.queries} queries per day (UTC)", tomorrow_s)
        if int(item["scanned"]["N"]) >= self._limits.scanned_bytes:
            limit_gb = self._limits.scanned_bytes / 1e9
            raise LimitError(f"quota reached: your queries may scan {limit_gb:g} GB per day (UTC)", tomorrow_s)
        raise LimitError(f"{self._limits.at_once} of your queries are running: wait for one to end, or stop it", BUSY_S)

    def _item(self, subject: str) -> dict[str, Any]:
        answer = self._dynamodb.get_item(TableName=self._name, Key=_key(subject), ConsistentRead=True)
        return dict(answer.get("Item", {}))

    def _update(self, subject: str, update: str, condition: str, values: dict[str, Any]) -> bool:
        names = {"ExpressionAttributeNames": {"#day": "day"}} if "#day" in update + condition else {}
        try:
            self._dynamodb.update_item(
                TableName=self._name,
                Key=_key(subject),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                **names,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _key(subject: str) -> dict[str, Any]:
    return {"query_id": {"S": f"QUOTA#{subject}"}}
