"""Removes old backups, and copies that no other backup uses."""

from __future__ import annotations

from collections.abc import Iterable

from deploy.backup import objects
from deploy.backup.parts import BUCKETS
from deploy.backup.store import Manifest, Store
from flink_job.io.batches import batched

#: Keys per DeleteObjects request.
BATCH = 1000


def prune(store: Store, keep: int) -> tuple[list[str], int]:
    """Remove backups older than the newest `keep` full ones; returns their ids and the number of removed copies.

    Raises DamagedError, before anything is removed, if a backup to be retained cannot be read. The bucket retains
    removed objects as noncurrent versions (NONCURRENT_DAYS). Do not run it while a backup is being created.
    """
    manifests = [store.manifest(id) for id in store.ids()]
    full = [manifest.id for manifest in manifests if manifest.is_full]
    if len(full) <= keep:
        return [], 0
    oldest = full[-keep]
    gone = [manifest.id for manifest in manifests if manifest.id < oldest]
    used = {name for manifest in manifests if manifest.id >= oldest for name in _listed(store, manifest)}
    _delete(store, [name for id in gone for name in store.etags("backups", id, "")])
    unused = [name for part in BUCKETS for name in store.etags("objects", part, "") if name not in used]
    _delete(store, unused)
    return gone, len(unused)


def _listed(store: Store, manifest: Manifest) -> Iterable[str]:
    for bucket in manifest.buckets:
        for entry in objects.entries(store.read(manifest.id, bucket.part, bucket.sha256)):
            yield store.object_name(bucket.part, entry.key, entry.version)


def _delete(store: Store, names: Iterable[str]) -> None:
    """Delete objects in order. A backup is incomplete as soon as its manifest is deleted."""
    for batch in batched(names, BATCH):
        wanted = {"Objects": [{"Key": name} for name in batch], "Quiet": True}
        store.s3.delete_objects(Bucket=store.bucket, Delete=wanted)
