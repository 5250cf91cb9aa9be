"""Items of a table into a backup and back, as DynamoDB's own JSON, a line each."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from deploy.backup.store import BackupError
from flink_job.io.batches import batched

#: What one call of BatchWriteItem takes.
BATCH = 25
ATTEMPTS = 12


def lines(dynamodb: Any, table: str, done: Callable[[int], None]) -> Iterator[bytes]:
    """A line for each item. Every item is read consistently; the table as a whole is not frozen meanwhile."""
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        for item in page["Items"]:
            yield json.dumps(item, default=_encoded, separators=(",", ":"), sort_keys=True).encode()
        done(len(page["Items"]))


def is_empty(dynamodb: Any, table: str) -> bool:
    """True when a table holds no item."""
    return not dynamodb.scan(TableName=table, Limit=1)["Items"]


def restore(
    dynamodb: Any,
    table: str,
    found: Iterable[bytes],
    done: Callable[[int], None],
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Write every item, over one of the same key; returns their number. Raises BackupError where DynamoDB refuses."""
    items = (json.loads(line, object_hook=_decoded) for line in found)
    count = 0
    for batch in batched(items, BATCH):
        waiting = {table: [{"PutRequest": {"Item": item}} for item in batch]}
        for attempt in range(ATTEMPTS):
            waiting = dynamodb.batch_write_item(RequestItems=waiting).get("UnprocessedItems") or {}
            if not waiting:
                break
            wait(0.05 * 2**attempt)
        else:
            raise BackupError(f"table {table} is throttled: {len(waiting[table])} items were refused {ATTEMPTS} times")
        count += len(batch)
        done(len(batch))
    return count


def _encoded(value: Any) -> str:
    """Binary values as DynamoDB's JSON has them."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is no value of DynamoDB")


def _decoded(value: dict[str, Any]) -> dict[str, Any]:
    """Binary values as boto3 wants them. `B` and `BS` with text in them are types; as names they hold a type."""
    if len(value) == 1:
        if isinstance(value.get("B"), str):
            return {"B": base64.b64decode(value["B"])}
        if isinstance(value.get("BS"), list):
            return {"BS": [base64.b64decode(one) for one in value["BS"]]}
    return value
