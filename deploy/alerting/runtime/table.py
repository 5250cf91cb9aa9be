"""The state of alerts in one DynamoDB table, and their history.

| pk | sk | what |
| --- | --- | --- |
| `A#alert` | `STATE` | the alert now: its last change, status, who acknowledged, snooze, whom it was told |
| `A#alert` | `C#number` | a change; its being there says that the change has been taken in |
| `A#alert` | `D#time#id` | a deed of somebody: acknowledged, assigned, commented, snoozed |
| `O#rule#entity` | `OPEN` | an alert of the rule on the entity is open: for inhibition |
| `N#recipient` | `time#alert#number` | a notice to be sent from `time` on |
| `M#recipient` | `message` | a message that goes out; it is gone once it is known to be sent |
| `SITES` | site | sites that have had alerts |
| `R#recipient` | `RATE` | tokens, digest, when each line may be told again |

| `TENANTS` | tenant | tenants other than `default` that have had alerts |

Index `by_site`: alerts by `site#status`, newest first. A `Table` is that of one tenant: partition keys of every tenant
but `default`, and its values of `site#status`, begin with `T#`, the tenant and U+001F, which no tenant's name has.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from deploy.kit.tenants import DEFAULT_TENANT

from .items import from_item, setting, state_after, to_item
from .model import Change
from .routes import Recipient

UNIT = "\x1f"
#: Messages to several recipients of an alert are noted at once.
CONFLICT_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)


def change_key(change: Change) -> str:
    """Sort key of a change among what is kept of its alert."""
    return f"C#{change.number:06d}"


class Table:
    """What the table, by name, holds of a tenant; `dynamodb` is a boto3 client."""

    def __init__(self, dynamodb: Any, name: str, tenant: str = DEFAULT_TENANT) -> None:
        self.dynamodb, self.name, self.tenant = dynamodb, name, tenant
        self._prefix = "" if tenant == DEFAULT_TENANT else f"T#{tenant}{UNIT}"

    def take_in(self, change: Change, told: Iterable[Recipient], not_before_ms: int, now_ms: int) -> bool:
        """Note a change and the notices that follow from it, all or nothing; False where it was noted before.

        One that comes after a later change of its alert leaves the state as it is.
        """
        if change.tenant != self.tenant:
            raise ValueError(f"a change of tenant {change.tenant!r} for the table of {self.tenant!r}")
        alert = f"A#{change.alert_id}"
        record = {"pk": alert, "sk": change_key(change), "at_ms": now_ms, "row": json.dumps(change.row)}
        noted = [self._put(record, "attribute_not_exists(pk)")]
        changes = state_after(change, now_ms, self.place)
        state = [{"Update": {"TableName": self.name, "Key": self._key(alert, "STATE"), **changes}}]
        if not change.historical:
            state += [self._open_marker(change), self._put({"pk": "SITES", "sk": change.site})]
            if self._prefix:
                tenant = to_item({"pk": "TENANTS", "sk": self.tenant})
                state.append({"Put": {"TableName": self.name, "Item": tenant}})
        for recipient in told:
            notice = {
                "pk": f"N#{recipient.name}",
                "sk": f"{not_before_ms:015d}#{change.alert_id}#{change.number:06d}",
                "row": json.dumps(change.row),
            }
            noted.append(self._put(notice))
        return self.transact([*noted, *state]) or self.transact(noted)

    def transact(self, steps: list[dict[str, Any]]) -> bool:
        """All of the steps or none; False where a condition did not hold. A transaction that meets another one is tried
        again. Raises ClientError for anything else.
        """
        for pause_s in (*CONFLICT_PAUSES_S, None):
            try:
                self.dynamodb.transact_write_items(TransactItems=steps)
                return True
            except ClientError as error:
                codes = _cancelled(error)
                if codes and codes <= {"ConditionalCheckFailed"}:
                    return False
                if "TransactionConflict" not in codes or pause_s is None:
                    raise
                time.sleep(pause_s * random.uniform(0.5, 1.5))
        return False

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        answer = self.dynamodb.get_item(TableName=self.name, Key=self._key(pk, sk), ConsistentRead=True)
        return self._read(answer["Item"]) if "Item" in answer else None

    def alert(self, alert_id: str) -> dict[str, Any] | None:
        """The state of an alert."""
        return self.get(f"A#{alert_id}", "STATE")

    def history(self, alert_id: str) -> list[dict[str, Any]]:
        """Changes and deeds of an alert, in order of time."""
        found = [item for item in self.query(f"A#{alert_id}") if item["sk"] != "STATE"]
        return sorted(found, key=lambda item: item["at_ms"])

    def lacks_earlier(self, change: Change) -> bool:
        """Whether changes of the alert before this one have not been noted."""
        return sum(1 for _ in self.query(f"A#{change.alert_id}", change_key(change))) < change.number

    def waits_earlier(self, recipient: Recipient, change: Change) -> bool:
        """Whether notices of changes of the alert before this one wait to be told to a recipient."""
        waiting = (item["sk"].split("#")[1:] for item in self.query(f"N#{recipient.name}"))
        return any(alert_id == change.alert_id and int(number) < change.number for alert_id, number in waiting)

    def query(self, pk: str, before: str = "~", limit: int = 0) -> Iterator[dict[str, Any]]:
        """Items of a partition whose sort key lies below `before`, in order."""
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
    ) -> tuple[list[dict[str, Any]], tuple[int, str] | None]:
        """(alerts of a site and status, newest first; where the next page begins: the time at which the last alert of
        this one was raised, and its id).
        """
        place = self.place(site, status)
        after = {}
        if start:
            last = {"site_status": place, "raised_ms": start[0]}
            after["ExclusiveStartKey"] = to_item(last) | self._key(f"A#{start[1]}", "STATE")
        page = self.dynamodb.query(
            TableName=self.name,
            IndexName="by_site",
            KeyConditionExpression="site_status = :key",
            ExpressionAttributeValues=to_item({":key": place}),
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
        """Tenants that have had alerts, whosever this table is; `default` always."""
        return [DEFAULT_TENANT, *(item["sk"] for item in Table(self.dynamodb, self.name).query("TENANTS"))]

    def place(self, site: str, status: str) -> str:
        """The key of a site's alerts of a status in the index."""
        prefix = self._prefix or (f"T#{DEFAULT_TENANT}{UNIT}" if UNIT in site else "")
        return f"{prefix}{site}#{status}"

    def is_open(self, rule_id: str, entities: Iterable[str]) -> bool:
        """True when an alert of the rule is open on one of the entities."""
        return any(self.get(f"O#{rule_id}#{entity}", "OPEN") for entity in entities)

    def deed(
        self, alert: dict[str, Any], deed: dict[str, Any], changes: dict[str, Any], deed_id: str, once: bool
    ) -> bool:
        """Note what somebody did and what of the state it sets; False where a deed of that id was noted before.

        `once`: the id is the caller's, who may send the deed again.
        """
        key = {"pk": alert["pk"], "sk": f"D#{deed_id}" if once else f"D#{deed['at_ms']:015d}#{deed_id}"}
        steps = [self._put({**key, **deed}, "attribute_not_exists(pk)")]
        if changes:
            steps.append(
                {
                    "Update": {
                        "TableName": self.name,
                        "Key": self._key(alert["pk"], "STATE"),
                        **setting(changes),
                    }
                }
            )
        return self.transact(steps)

    def update(self, pk: str, sk: str, changes: dict[str, Any]) -> dict[str, Any]:
        """An Update step of a transaction that sets attributes."""
        return {"Update": {"TableName": self.name, "Key": self._key(pk, sk), **setting(changes)}}

    def told(self, alert_id: str, recipient: str, now_ms: int) -> dict[str, Any]:
        """An Update step that notes whom an alert was told, and when."""
        return {
            "Update": {
                "TableName": self.name,
                "Key": self._key(f"A#{alert_id}", "STATE"),
                "UpdateExpression": "SET told.#recipient = :now",
                "ExpressionAttributeNames": {"#recipient": recipient},
                "ExpressionAttributeValues": to_item({":now": now_ms}),
            }
        }

    def put(self, item: dict[str, Any], condition: str = "", values: dict[str, Any] | None = None) -> dict[str, Any]:
        """A Put step of a transaction."""
        return self._put(item, condition, values)

    def delete(self, pk: str, sk: str, condition: str = "") -> dict[str, Any]:
        """A Delete step of a transaction."""
        step = {"TableName": self.name, "Key": self._key(pk, sk)}
        return {"Delete": step | ({"ConditionExpression": condition} if condition else {})}

    def _put(self, item: dict[str, Any], condition: str = "", values: dict[str, Any] | None = None) -> dict[str, Any]:
        step: dict[str, Any] = {"TableName": self.name, "Item": {**to_item(item), **self._key(item["pk"], item["sk"])}}
        if condition:
            step["ConditionExpression"] = condition
        if values:
            step["ExpressionAttributeValues"] = to_item(values)
        return {"Put": step}

    def _key(self, pk: str, sk: str) -> dict[str, Any]:
        return to_item({"pk": self._prefix + pk, "sk": sk})

    def _read(self, item: dict[str, Any]) -> dict[str, Any]:
        """Plain values of an item, its key as the tenant has it."""
        found = from_item(item)
        return {**found, "pk": found["pk"].removeprefix(self._prefix)}

    def _open_marker(self, change: Change) -> dict[str, Any]:
        pk = f"O#{change.rule_id}#{change.entity}"
        if change.has_ended:
            return self.delete(pk, "OPEN")
        return self._put({"pk": pk, "sk": "OPEN", "alert_id": change.alert_id})


def _cancelled(error: ClientError) -> set[str]:
    """The codes for which a transaction was cancelled; none for any other error."""
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        return set()
    reasons = error.response.get("CancellationReasons") or ()
    return {str(reason.get("Code")) for reason in reasons} - {"None"}
