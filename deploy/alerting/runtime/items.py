"""DynamoDB items: conversion of values, update expressions, and the attributes of an alert's state."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from .model import Change

OPEN, ENDED, LATCHED = "open", "ended", "latched"
#: Retention of an alert after its end [s].
KEEP_ENDED_S = 90 * 86_400
#: Attributes that only an alert that has ended has.
OF_ENDED = ("ended_ms", "expires_s", "closed_ms", "closed_by", "closed_by_subject")
_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def from_item(item: dict[str, Any]) -> dict[str, Any]:
    """The plain values of an item; numbers as int or float."""
    return {key: _number(_deserialize(value)) for key, value in item.items()}


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _number(inner) for key, inner in value.items()}
    return value


def to_item(values: dict[str, Any]) -> dict[str, Any]:
    """Values in DynamoDB's wire format, for an item or for the values of an expression."""
    return {key: _serialize(Decimal(str(v)) if isinstance(v, float) else v) for key, v in values.items()}


def update_expression(changes: dict[str, Any], status: str = "") -> dict[str, Any]:
    """The parameters of an update that sets attributes; if one is the status, only while it is `status`."""
    names = {f"#{n}": key for n, key in enumerate(changes)}
    values = {f":{n}": value for n, value in enumerate(changes.values())}
    condition = {}
    if status and "status" in changes:
        values[":status"] = status
        condition = {"ConditionExpression": f"#{list(changes).index('status')} = :status"}
    return {
        **condition,
        "UpdateExpression": "SET " + ", ".join(f"#{n} = :{n}" for n in range(len(changes))),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_item(values),
    }


def state_after(
    change: Change, now_ms: int, site_status_key: Callable[[str, str], str], is_closed: bool = False
) -> dict[str, Any]:
    """The parameters of an update that sets an alert's state after a change, unless a later change was recorded.

    `is_closed`: it was closed by hand and stays so. `site_status_key` makes the key of the index from a site and a
    status. Changes of an entity are in one shard and nearly always in order; a record that the stream rejected and the
    job sent again arrives after later ones.
    """
    status = ENDED if is_closed else {"cleared": ENDED, "latched": LATCHED}.get(change.state, OPEN)
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
        "site_status": site_status_key(change.site, status),
        "historical": change.historical,
        "row": json.dumps(change.row),
        "changed_ms": now_ms,
    }
    if status == ENDED and not is_closed:
        values |= {"ended_ms": now_ms, "expires_s": now_ms // 1000 + KEEP_ENDED_S}
    update = update_expression(values)
    update["UpdateExpression"] += (
        ", raised_ms = if_not_exists(raised_ms, :raised), notified = if_not_exists(notified, :nobody)"
    )
    if status != ENDED:
        update["UpdateExpression"] += f" REMOVE {', '.join(OF_ENDED)}"
    update["ExpressionAttributeValues"] |= to_item({":raised": now_ms, ":nobody": {}, ":number": change.number})
    update["ConditionExpression"] = "attribute_not_exists(change_number) OR change_number < :number"
    return update
