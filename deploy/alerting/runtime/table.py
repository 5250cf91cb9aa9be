"""State and history of alerts in one DynamoDB table, with the pending notifications and messages.

| pk | sk | item |
| --- | --- | --- |
| `A#alert` | `STATE` | current state: last change, status, acknowledgement, snooze, recipients that were notified |
| `A#alert` | `C#number` | a change; the item exists once the change has been recorded |
| `A#alert` | `D#time#id` | an action of a user: acknowledge, assign, comment, snooze, close |
| `O#rule#entity` | `OPEN` | the rule has an open alert on the entity: for inhibition |
| `N#recipient` | `time#alert#number` | a notification, due at `time` |
| `M#recipient` | `time#message` | a message that is being sent; deleted once it has been sent |
| `R#recipient` | `RATE` | tokens, budget, digest, and when each line may be notified again |
| `R#recipient` | `BREAKER` | failures of the recipient's channel |
| `ROUTES` | `LAST` | the last valid routes document |
| `SITES` | site | sites that have had alerts |
| `TENANTS` | tenant | tenants other than `default` that have had alerts |

The index `by_site` lists alerts by `site#status`, latest first. An `AlertTable` is limited to one tenant: the partition
keys of every tenant but `default`, and their values of `site#status`, begin with `T#`, the tenant and U+001F, which no
tenant's name contains.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from deploy.kit.tenants import DEFAULT_TENANT

from .items import from_item, state_after, to_item, update_expression
from .model import Change
from .routes import Recipient

UNIT = "\x1f"
#: Pauses between attempts of a transaction that conflicts with another, such as messages to recipients of one alert.
CONFLICT_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)

Item = dict[str, Any]


def change_key(change: Change) -> str:
    """Sort key of a change in the partition of its alert."""
    return f"C#{change.number:06d}"


def notification_key(due_ms: int, alert_id: str, number: int) -> str:
    """Sort key of a notification in the partition of its recipient: by due time."""
    return f"{due_ms:015d}#{alert_id}#{number:06d}"


class AlertTable:
    """The items of one tenant; `dynamodb` is a boto3 client, `name` the table's."""

    def __init__(self, dynamodb: Any, name: str, tenant: str = DEFAULT_TENANT) -> None:
        self.dynamodb, self.name, self.tenant = dynamodb, name, tenant
        self._prefix = "" if tenant == DEFAULT_TENANT else f"T#{tenant}{UNIT}"

    def record_change(
        self, change: Change, recipients: Iterable[Recipient], due_ms: int, now_ms: int, is_closed: bool = False
    ) -> bool:
        """Record a change and its notifications in one transaction; False if the change was recorded before.

        A change that arrives after a later change of its alert does not alter the state. `is_closed`: the alert was
        closed by hand and stays so.
        """
        if change.tenant != self.tenant:
            raise ValueError(f"a change of tenant {change.tenant!r} for the table of {self.tenant!r}")
        alert, row = f"A#{change.alert_id}", json.dumps(change.row)
        recorded = [
            self.put({"pk": alert, "sk": change_key(change), "at_ms": now_ms, "row": row}, "attribute_not_exists(pk)")
        ]
        for recipient in recipients:
            key = notification_key(due_ms, change.alert_id, change.number)
            recorded.append(self.put({"pk": f"N#{recipient.name}", "sk": key, "row": row}))
        state = [self._update(alert, state_after(change, now_ms, self.site_status_key, is_closed))]
        if not change.historical:
            state += [*self._open_marker(change, is_closed), self.put({"pk": "SITES", "sk": change.site})]
            if self._prefix:
                tenant = to_item({"pk": "TENANTS", "sk": self.tenant})
                state.append({"Put": {"TableName": self.name, "Item": tenant}})
        return self.transact([*recorded, *state]) or self.transact(recorded)

    def record_action(
        self, alert: Item, action: Item, changes: Item, action_id: str, is_idempotent: bool, more: list[Item]
    ) -> bool:
        """Record a user's action and the state that it changes; False if an action of the id was recorded before.

        `is_idempotent`: the id is derived from the caller's Idempotency-Key, so the request may be repeated. `more` are
        further steps of the transaction. An alert ends once: False, too, if it has ended since it was read.
        """
        sort_key = f"D#{action_id}" if is_idempotent else f"D#{action['at_ms']:015d}#{action_id}"
        steps = [self.put({"pk": alert["pk"], "sk": sort_key, **action}, "attribute_not_exists(pk)")]
        if changes:
            steps.append(self._update(alert["pk"], update_expression(changes, alert["status"])))
        return self.transact([*steps, *more])

    def recorded_action(self, alert: Item, action_id: str) -> Item | None:
        """The action that was recorded with an idempotent id, or None."""
        return self.get(alert["pk"], f"D#{action_id}")

    def transact(self, steps: list[dict[str, Any]]) -> bool:
        """Run all steps in one transaction; False if a condition failed.

        A transaction that conflicts with another is retried. Raises ClientError for any other failure.
        """
        for pause_s in (*CONFLICT_PAUSES_S, None):
            try:
                self.dynamodb.transact_write_items(TransactItems=steps)
                return True
            except ClientError as error:
                codes = _cancellation_codes(error)
                if codes and codes <= {"ConditionalCheckFailed"}:
                    return False
                if "TransactionConflict" not in codes or pause_s is None:
                    raise
                time.sleep(pause_s * random.uniform(0.5, 1.5))
        return False

    def get(self, pk: str, sk: str) -> Item | None:
        """The item with a key, or None; a consistent read."""
        answer = self.dynamodb.get_item(TableName=self.name, Key=self._key(pk, sk), ConsistentRead=True)
        return self._read(answer["Item"]) if "Item" in answer else None

    def alert(self, alert_id: str) -> Item | None:
        """The state of an alert, or None."""
        return self.get(f"A#{alert_id}", "STATE")

    def history(self, alert_id: str) -> list[Item]:
        """Changes and actions of an alert, by time."""
        found = [item for item in self.query(f"A#{alert_id}") if item["sk"] != "STATE"]
        return sorted(found, key=lambda item: item["at_ms"])

    def lacks_earlier_changes(self, change: Change) -> bool:
        """True if changes of the alert before this one have not been recorded."""
        return sum(1 for _ in self.query(f"A#{change.alert_id}", change_key(change))) < change.number

    def has_earlier_notifications(self, recipient: Recipient, change: Change) -> bool:
        """True if notifications of earlier changes of the alert are pending for a recipient."""
        pending = (item["sk"].split("#")[1:] for item in self.query(f"N#{recipient.name}"))
        return any(alert_id == change.alert_id and int(number) < change.number for alert_id, number in pending)

    def query(self, pk: str, before: str = "~", limit: int = 0) -> Iterator[Item]:
        """The items of a partition with a sort key below `before`, in order; at most `limit` if it is not 0."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": "pk = :pk AND sk < :before",
            "ExpressionAttributeValues": to_item({":pk": self._prefix + pk, ":before": before}),
            "ConsistentRead": True,
            **({"Limit": limit} if limit else {}),
        }
        while True:
            page = self.dynamodb.query(**request)
            yield from map(self._read, page["Items"])
            if limit or "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def of_site(
        self, site: str, status: str, limit: int = 100, start: tuple[int, str] | None = None
    ) -> tuple[list[Item], tuple[int, str] | None]:
        """(alerts of a site and status, latest first; start of the next page, None after the last).

        The start of a page is (time at which the last alert of the page before was raised, id of that alert).
        """
        key, after = self.site_status_key(site, status), {}
        if start:
            last = {"site_status": key, "raised_ms": start[0]}
            after["ExclusiveStartKey"] = to_item(last) | self._key(f"A#{start[1]}", "STATE")
        page = self.dynamodb.query(
            TableName=self.name,
            IndexName="by_site",
            KeyConditionExpression="site_status = :key",
            ExpressionAttributeValues=to_item({":key": key}),
            ScanIndexForward=False,
            Limit=limit,
            **after,
        )
        following = self._read(page["LastEvaluatedKey"]) if page.get("LastEvaluatedKey") else None
        alerts = [self._read(item) for item in page["Items"]]
        return alerts, (following["raised_ms"], following["pk"].removeprefix("A#")) if following else None

    def sites(self) -> list[str]:
        """Sites that have had alerts."""
        return [item["sk"] for item in self.query("SITES")]

    def tenants(self) -> list[str]:
        """All tenants that have had alerts, and `default`; the same for the table of any tenant."""
        return [DEFAULT_TENANT, *(item["sk"] for item in AlertTable(self.dynamodb, self.name).query("TENANTS"))]

    def site_status_key(self, site: str, status: str) -> str:
        """The key of a site and status in the index `by_site`."""
        prefix = self._prefix or (f"T#{DEFAULT_TENANT}{UNIT}" if UNIT in site else "")
        return f"{prefix}{site}#{status}"

    def is_open(self, rule_id: str, entities: Iterable[str]) -> bool:
        """True if the rule has an open alert on one of the entities."""
        return any(self.get(f"O#{rule_id}#{entity}", "OPEN") for entity in entities)

    def mark_notified(self, alert_id: str, recipient: str, now_ms: int) -> dict[str, Any]:
        """An Update step that records that a recipient was notified of an alert, and when."""
        return {
            "Update": {
                "TableName": self.name,
                "Key": self._key(f"A#{alert_id}", "STATE"),
                "UpdateExpression": "SET notified.#recipient = :now",
                "ExpressionAttributeNames": {"#recipient": recipient},
                "ExpressionAttributeValues": to_item({":now": now_ms}),
            }
        }

    def put(self, item: Item, condition: str = "", values: dict[str, Any] | None = None) -> dict[str, Any]:
        """A Put step of a transaction."""
        step: dict[str, Any] = {"TableName": self.name, "Item": {**to_item(item), **self._key(item["pk"], item["sk"])}}
        if condition:
            step["ConditionExpression"] = condition
        if values:
            step["ExpressionAttributeValues"] = to_item(values)
        return {"Put": step}

    def delete(self, pk: str, sk: str, condition: str = "") -> dict[str, Any]:
        """A Delete step of a transaction."""
        step = {"TableName": self.name, "Key": self._key(pk, sk)}
        return {"Delete": step | ({"ConditionExpression": condition} if condition else {})}

    def _update(self, alert: str, expression: dict[str, Any]) -> dict[str, Any]:
        """An Update step on the state of an alert, by the alert's partition key."""
        return {"Update": {"TableName": self.name, "Key": self._key(alert, "STATE"), **expression}}

    def _key(self, pk: str, sk: str) -> dict[str, Any]:
        return to_item({"pk": self._prefix + pk, "sk": sk})

    def _read(self, item: Item) -> Item:
        """Plain values of an item, its partition key without the tenant's prefix."""
        found = from_item(item)
        return {**found, "pk": found["pk"].removeprefix(self._prefix)}

    def _open_marker(self, change: Change, is_closed: bool) -> list[dict[str, Any]]:
        """Steps that set or remove the marker of an open alert; that of a later alert of the rule and entity stays."""
        pk = f"O#{change.rule_id}#{change.entity}"
        if not change.has_ended and not is_closed:
            return [self.put({"pk": pk, "sk": "OPEN", "alert_id": change.alert_id})]
        marker = self.get(pk, "OPEN")
        is_own = marker is not None and marker["alert_id"] == change.alert_id
        return [self.delete(pk, "OPEN")] if is_own else []


def _cancellation_codes(error: ClientError) -> set[str]:
    """The reasons for which a transaction was cancelled; empty for any other error."""
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        return set()
    reasons = error.response.get("CancellationReasons") or ()
    return {str(reason.get("Code")) for reason in reasons} - {"None"}
