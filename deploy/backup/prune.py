"""Removing old backups, and the copies that no other backup lists."""

from __future__ import annotations

from collections.abc import Iterable

from deploy.backup import objects
from deploy.backup.parts import BUCKETS, TABLES
from deploy.backup.store import Manifest, Store
from flink_job.io.batches import batched

#: What one call of DeleteObjects takes.
BATCH = 1000


def prune(store: Store, keep: int) -> tuple[list[str], int]:
    """Remove what is older than the newest `keep` backups of all parts; returns their ids, and how many copies went.

    Raises DamagedError before anything is removed where a backup that stays cannot be read. The bucket keeps what was
    removed for as long as noncurrent versions are kept. Not to be run while a backup is being made.
    """
    manifests = [store.manifest(id) for id in store.ids()]
    whole = [manifest.id for manifest in manifests if _is_whole(manifest)]
    if len(whole) <= keep:
        return [], 0
    oldest = whole[-keep]
    gone = [manifest.id for manifest in manifests if manifest.id < oldest]
    used = {name for manifest in manifests if manifest.id >= oldest for name in _listed(store, manifest)}
    _delete(store, [name for id in gone for name in store.etags("backups", id, "")])
    unused = [name for part in BUCKETS for name in store.etags("objects", part, "") if name not in used]
    _delete(store, unused)
    return gone, len(unused)


def _is_whole(manifest: Manifest) -> bool:
    """True when every part but the job, which may not have run, is in a backup."""
    parts = {bucket.part for bucket in manifest.buckets} | {table.part for table in manifest.tables}
    return parts >= {*BUCKETS, *TABLES}


def _listed(store: Store, manifest: Manifest) -> Iterable[str]:
    for bucket in manifest.buckets:
        for entry in objects.entries(store.read(manifest.id, bucket.part, bucket.sha256)):
            yield store.object_name(bucket.part, entry.key, entry.version)


def _delete(store: Store, names: Iterable[str]) -> None:
    """In the order given; a backup whose manifest is gone is incomplete."""
    for batch in batched(names, BATCH):
        wanted = {"Objects": [{"Key": name} for name in batch], "Quiet": True}
        store.s3.delete_objects(Bucket=store.bucket, Delete=wanted)
