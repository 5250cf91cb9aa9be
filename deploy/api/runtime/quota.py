"""What a caller may ask of Athena: queries a day, bytes a day, queries at once. One item a caller, beside the queries.

A query takes its place when it starts, and its bytes are counted when the next one is asked for: nobody has to look at
a result for it to count. So a caller exceeds the bytes by at most the queries that run at once, each of which the
workgroup's own limit bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.kit.access import LimitError

DAY_S, KEEP_S = 86_400, 7 * 86_400
#: How long a query that is noted may have no execution until it is given up.
START_S = 60
BUSY_S = 15


@dataclass(frozen=True)
class Limits:
    """Per caller. Bytes and queries are those of a UTC day."""

    queries: int
    scanned_bytes: int
    at_once: int


#: The bytes of a query that has ended, None while it runs, by its id.
Scanned = Callable[[str], int | None]


class Quota:
    """The quotas in the table of queries, by name; `dynamodb` is a boto3 client."""

    def __init__(self, dynamodb: Any, name: str, limits: Limits) -> None:
        self._dynamodb, self._name, self._limits = dynamodb, name, limits

    def take(self, subject: str, query_id: str, now_s: int, scanned: Scanned) -> None:
        """Let a query of a caller start; the same one again takes nothing. Raises LimitError."""
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
        """Give back the place of a query that was not started."""
        self._settle(subject, query_id, 0)

    def _today(self, subject: str, day: int, now_s: int) -> dict[str, Any]:
        """The caller's item, begun anew where it is of an earlier day; what runs goes on."""
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
        """Count the bytes of a query that has ended, once."""
        values = {":query": {"S": query_id}, ":set": {"SS": [query_id]}, ":bytes": {"N": str(scanned)}}
        self._update(subject, "ADD scanned :bytes DELETE running :set", "contains(running, :query)", values)

    def _refuse(self, subject: str, query_id: str, now_s: int) -> None:
        item = self._item(subject)
        running = item.get("running", {}).get("SS", ())
        if query_id in running:
            return
        tomorrow_s = DAY_S - now_s % DAY_S
        if int(item["queries"]["N"]) >= self._limits.queries:
            raise LimitError(f"you may ask {self._limits.queries} queries a day (UTC)", tomorrow_s)
        if int(item["scanned"]["N"]) >= self._limits.scanned_bytes:
            limit_gb = self._limits.scanned_bytes / 1e9
            raise LimitError(f"your queries may read {limit_gb:g} GB a day (UTC)", tomorrow_s)
        raise LimitError(f"{self._limits.at_once} of your queries run; wait for one to end, or stop it", BUSY_S)

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
