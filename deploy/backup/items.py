"""Backup and restore of a DynamoDB table: one line of DynamoDB JSON per item."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from deploy.backup.store import BackupError
from flink_job.io.batches import batched

#: Items per BatchWriteItem request.
BATCH = 25
ATTEMPTS = 12


def lines(dynamodb: Any, table: str, done: Callable[[int], None]) -> Iterator[bytes]:
    """Yield a line for each item. Reads are consistent per item; writes to the table continue during the scan."""
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
    """Put every item, replacing items of the same key; returns their number. Raises BackupError when throttled."""
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
            raise BackupError(
                f"table {table} is throttled: {len(waiting[table])} items failed {ATTEMPTS} times; run it again later"
            )
        count += len(batch)
        done(len(batch))
    return count


def _encoded(value: Any) -> str:
    """Encode a binary value as in DynamoDB JSON."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not a DynamoDB type")


def _decoded(value: dict[str, Any]) -> dict[str, Any]:
    """Decode binary values for boto3. `B` and `BS` with strings are types; with dictionaries they are attributes."""
    if len(value) == 1:
        if isinstance(value.get("B"), str):
            return {"B": base64.b64decode(value["B"])}
        if isinstance(value.get("BS"), list):
            return {"BS": [base64.b64decode(one) for one in value["BS"]]}
    return value
