"""Items of the table: how values are stored, and what an alert's state holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from .model import Change

OPEN, ENDED, LATCHED = "open", "ended", "latched"
KEEP_ENDED_S = 90 * 86_400
_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def from_item(item: dict[str, Any]) -> dict[str, Any]:
    """Plain values of an item; numbers as int or float."""
    return {key: _number(_deserialize(value)) for key, value in item.items()}


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _number(inner) for key, inner in value.items()}
    return value


def to_item(values: dict[str, Any]) -> dict[str, Any]:
    """An item, or values of an expression, as DynamoDB takes them."""
    return {key: _serialize(Decimal(str(v)) if isinstance(v, float) else v) for key, v in values.items()}


def setting(changes: dict[str, Any]) -> dict[str, Any]:
    """The part of an update that sets attributes."""
    names = {f"#{n}": key for n, key in enumerate(changes)}
    values = {f":{n}": value for n, value in enumerate(changes.values())}
    return {
        "UpdateExpression": "SET " + ", ".join(f"#{n} = :{n}" for n in range(len(changes))),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_item(values),
    }


def state_after(change: Change, now_ms: int, place: Callable[[str, str], str]) -> dict[str, Any]:
    """The part of an update that makes an alert's state that after a change, unless a later one has been noted.
    `place` makes the index's key of a site and status.

    Changes of an entity are in one shard and mostly in order; a record that the stream refused comes after later ones.
    """
    status = {"cleared": ENDED, "latched": LATCHED}.get(change.state, OPEN)
    values: dict[str, Any] = {
        "alert_id": change.alert_id,
        "change_number": change.number,
        "status": status,
        "state": change.state,
        "severity": change.severity,
        "rule_id": change.rule_id,
        "entity": change.entity,
        "site": change.site,
        "line": change.line,
        "site_status": place(change.site, status),
        "historical": change.historical,
        "row": json.dumps(change.row),
        "changed_ms": now_ms,
    }
    if status == ENDED:
        values |= {"ended_ms": now_ms, "expires_s": now_ms // 1000 + KEEP_ENDED_S}
    found = setting(values)
    found["UpdateExpression"] += ", raised_ms = if_not_exists(raised_ms, :raised), told = if_not_exists(told, :nobody)"
    found["ExpressionAttributeValues"] |= to_item({":raised": now_ms, ":nobody": {}, ":number": change.number})
    found["ConditionExpression"] = "attribute_not_exists(change_number) OR change_number < :number"
    return found
