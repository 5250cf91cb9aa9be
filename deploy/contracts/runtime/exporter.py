"""Exports the contract table to two objects: contracts for bounded runs, and the snapshot from which a job without
state starts (flink_job/io/contract_snapshot.py).
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import boto3

from deploy.kit.errors import reported
from flink_job.io.contract_snapshot import StoredRecord, snapshot_lines, stored_record


class Keys(NamedTuple):
    """Keys of the two objects."""

    contracts: str
    snapshot: str


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, int]:
    """Lambda entry point, called on a schedule."""
    store = Store(_client("dynamodb"), os.environ["TABLE"])
    keys = Keys(os.environ["CONTRACTS_KEY"], os.environ["SNAPSHOT_KEY"])
    return {"exported": export(store, _client("s3"), os.environ["BUCKET"], keys)}


def export(store: Store, s3: Any, bucket: str, keys: Keys) -> int:
    """Write all records of the table to both objects, replacing them; returns their number."""
    with ExitStack() as opened:
        files = [opened.enter_context(tempfile.TemporaryFile()) for _ in keys]
        with ExitStack() as compressed:
            outputs = [compressed.enter_context(gzip.GzipFile(fileobj=f, mode="wb", mtime=0)) for f in files]
            records = []
            for item in store.items():
                outputs[0].write(_contract_line(item))
                records.append(_stored(item))
            count = len(records)
            outputs[1].writelines(snapshot_lines(records))
        for file, key in zip(files, keys, strict=True):
            file.seek(0)
            s3.upload_fileobj(file, bucket, key)
    return count


class Store:
    """The contract table; `client` is a boto3 client of DynamoDB."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def items(self) -> Iterator[dict[str, Any]]:
        """Yield the items (see deploy/contracts/runtime/keeper.py)."""
        start: dict[str, Any] = {}
        while True:
            answer = self._client.scan(TableName=self._table, **start)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _contract_line(item: dict[str, Any]) -> bytes:
    """Return the document with its version as `issued_at`."""
    issued_at = datetime.fromtimestamp(int(item["version_ms"]["N"]) / 1000, UTC).isoformat(timespec="milliseconds")
    document = json.loads(item["document"]["S"]) | {"issued_at": issued_at}
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _stored(item: dict[str, Any]) -> StoredRecord:
    document, version_ms = item["document"]["S"].encode(), int(item["version_ms"]["N"])
    return stored_record(document, version_ms, item["position"]["S"], item["tenant"]["S"])


@cache
def _client(service: str) -> Any:
    return boto3.client(service)
