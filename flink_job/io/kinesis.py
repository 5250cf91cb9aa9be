"""Publishes records to Kinesis in batches, with the meter as partition key and retries of failed records."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec

from flink_job.errors import MeteringError
from flink_job.io.batches import batched

BATCH = 500
BATCH_BYTES = 4_000_000
ATTEMPTS = 8


class PublishError(MeteringError, RuntimeError):
    """Records that Kinesis rejected in every attempt."""


class _Key(msgspec.Struct):
    meter_id: str = "unknown"


def client(service: str, endpoint: str | None = None) -> Any:
    """Return a client of an AWS service.

    A local endpoint is used if `endpoint`, AWS_ENDPOINT_URL or one of LocalStack's variables is set.
    """
    return _client(service, endpoint or os.environ.get("AWS_ENDPOINT_URL"))


@cache
def _client(service: str, endpoint: str | None) -> Any:
    """Create a client once, because that takes tens of milliseconds; threads may share it.

    boto3 is imported here because rating local files does not need it.
    """
    import boto3

    if endpoint:
        return boto3.client(service, endpoint_url=endpoint)
    if "LOCALSTACK_HOST" in os.environ or "LOCALSTACK_HOSTNAME" in os.environ:
        import localstack_client.session

        return localstack_client.session.Session().client(service)
    return boto3.client(service)


def publish(stream: str, records: Iterator[bytes], sent: Callable[[int], None], endpoint: str | None = None) -> int:
    """Publish all records, with the meter as partition key. Returns their number.

    Records of a meter go to one shard, in order unless some of them fail and are sent again. `sent` is called with the
    number of records published so far. Raises PublishError if records still fail after several attempts.
    """
    kinesis = client("kinesis", endpoint)
    count = 0
    for batch in batched(records, BATCH):
        for part in _within_limit(batch):
            put(kinesis, stream, [{"Data": record, "PartitionKey": _partition_key(record)} for record in part])
        count += len(batch)
        sent(count)
    return count


def put(kinesis: Any, stream: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put entries with PutRecords and retry those that fail. Returns the result of each. Raises PublishError."""
    results: list[dict[str, Any]] = [{}] * len(entries)
    waiting = list(range(len(entries)))
    for attempt in range(ATTEMPTS):
        answer = kinesis.put_records(StreamName=stream, Records=[entries[i] for i in waiting])
        for i, result in zip(waiting, answer["Records"], strict=True):
            results[i] = result
        waiting = [i for i in waiting if "ErrorCode" in results[i]]
        if not waiting:
            return results
        time.sleep(0.1 * 2**attempt)
    raise PublishError(f"stream {stream!r}: {len(waiting)} records failed {ATTEMPTS} times")


def _within_limit(batch: list[bytes]) -> Iterator[list[bytes]]:
    """Split a batch into lists below the size limit of a call."""
    part: list[bytes] = []
    size = 0
    for record in batch:
        if part and size + len(record) > BATCH_BYTES:
            yield part
            part, size = [], 0
        part.append(record)
        size += len(record)
    if part:
        yield part


def _partition_key(record: bytes) -> str:
    """Return the meter of a record, or `unknown` if it has none."""
    try:
        return msgspec.json.decode(record, type=_Key).meter_id[:256] or "unknown"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "unknown"
