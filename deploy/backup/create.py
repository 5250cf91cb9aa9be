"""Creates a backup.

The order keeps bills exact: first the snapshot of the job, then a wait until Firehose has delivered all rows emitted
before it, then the lake. Every row of a reading in the snapshot's state is therefore in the lake. Readings after the
snapshot are read again from the stream, and rows that are written twice have the same id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from deploy.backup import items, objects
from deploy.backup.parts import EXCLUDED, JOB, buckets, tables
from deploy.backup.store import Bucket, DamagedError, Job, Manifest, Store, Table
from deploy.kit.names import Names
from deploy.stream_job.application import Application
from deploy.stream_job.snapshots import BACKUP

#: Called with (part, number of objects or items processed since the last call).
Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class Source:
    """The deployment to back up or to restore into; `s3` and `dynamodb` are boto3 clients."""

    environment: str
    account: str
    region: str
    names: Names
    s3: Any
    dynamodb: Any
    application: Application


def back_up(
    source: Source,
    store: Store,
    parts: Collection[str],
    at: datetime,
    settle_s: float,
    progress: Progress,
    wait: Callable[[float], None] = time.sleep,
) -> Manifest:
    """Back up `parts`; the id of the backup is the time `at`. Returns its manifest.

    If a snapshot of the job is taken, buckets are read `settle_s` seconds later.
    """
    id = f"{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z"
    job = _job(source, id, at) if JOB in parts else None
    if job:
        wait(settle_s)
    known = _known(store)
    found_buckets = tuple(
        _bucket(source, store, id, part, bucket, known.get(part, {}), progress)
        for part, bucket in buckets(source.names).items()
        if part in parts
    )
    found_tables = tuple(
        _table(source, store, id, part, table, progress)
        for part, table in tables(source.names).items()
        if part in parts
    )
    manifest = Manifest(
        id=id,
        environment=source.environment,
        account=source.account,
        region=source.region,
        started=at,
        finished=datetime.now(UTC),
        job=job,
        buckets=found_buckets,
        tables=found_tables,
    )
    store.seal(manifest)
    return manifest


def _job(source: Source, id: str, at: datetime) -> Job | None:
    """Take a snapshot of the job; None if it is not running."""
    application = source.application
    snapshot = application.snapshot(at, f"{BACKUP}{id}")
    if snapshot is None:
        return None
    return Job(application.name, snapshot, application.deployed_state(), application.deployed_release())


def _bucket(
    source: Source,
    store: Store,
    id: str,
    part: str,
    bucket: str,
    known: dict[str, objects.Entry],
    progress: Progress,
) -> Bucket:
    size = 0
    found = objects.latest(source.s3, bucket, EXCLUDED.get(part, ()))

    def lines() -> Iterator[bytes]:
        nonlocal size
        for entry in objects.back_up(source.s3, store, part, found, bucket, known, partial(progress, part)):
            size += entry.size
            yield msgspec.json.encode(entry)

    stored = store.write(id, part, lines())
    return Bucket(part, bucket, stored.lines, size, stored.sha256)


def _table(source: Source, store: Store, id: str, part: str, table: str, progress: Progress) -> Table:
    stored = store.write(id, part, items.lines(source.dynamodb, table, partial(progress, part)))
    return Table(part, table, stored.lines, stored.bytes, stored.sha256)


def _known(store: Store) -> dict[str, dict[str, objects.Entry]]:
    """Entries of the newest backup, by part and by key of the copy."""
    found: dict[str, dict[str, objects.Entry]] = {}
    # If the lists of the newest backup cannot be read, every copy is checked again.
    with suppress(DamagedError):
        for id in store.ids()[-1:]:
            for bucket in store.manifest(id).buckets:
                entries = objects.entries(store.read(id, bucket.part, bucket.sha256))
                found[bucket.part] = {store.object_name(bucket.part, e.key, e.version): e for e in entries}
    return found
