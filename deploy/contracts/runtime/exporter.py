"""The table of contracts as one object, which runs of uploaded files read."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3


def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, int]:
    """Entry of the function, on a schedule."""
    place = os.environ["BUCKET"], os.environ["KEY"]
    return {"exported": export(Store(_client("dynamodb"), os.environ["TABLE"]), _client("s3"), *place)}


def export(store: Store, s3: Any, bucket: str, key: str) -> int:
    """Write every contract of the table to an object, which replaces the one before at once; returns their number."""
    count = 0
    with tempfile.TemporaryFile() as file:
        with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as lines:
            for line in store.lines():
                lines.write(line + b"\n")
                count += 1
        file.seek(0)
        s3.upload_fileobj(file, bucket, key)
    return count


class Store:
    """The table of contracts; `client` is boto3's of DynamoDB."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def lines(self) -> Iterator[bytes]:
        """A line for each contract: the document with `published_ms`."""
        start: dict[str, Any] = {}
        while True:
            answer = self._client.scan(TableName=self._table, **start)
            for item in answer["Items"]:
                document = json.loads(item["document"]["S"]) | {"published_ms": int(item["published_ms"]["N"])}
                yield json.dumps(document, separators=(",", ":")).encode()
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


@cache
def _client(service: str) -> Any:
    return boto3.client(service)
