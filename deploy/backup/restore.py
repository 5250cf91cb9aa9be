"""Restores a backup: checks the backup, checks that the target is empty, then writes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from deploy.backup import items, objects
from deploy.backup.create import Progress, Source
from deploy.backup.parts import EXCLUDED, JOB, buckets, tables
from deploy.backup.store import BackupError, Job, Manifest, Store
from deploy.stream_job.properties import CUSTOM
from deploy.stream_job.snapshots import READY, list_snapshots


class NotEmptyError(BackupError):
    """The target is not empty, and its content would be overwritten."""


@dataclass(frozen=True)
class Restored:
    """Number of objects or items written by part, and the outcome for the job in words."""

    written: dict[str, int]
    job: str


def chosen(store: Store, id: str = "", at: datetime | None = None) -> Manifest:
    """Manifest of the backup with this id, or of the newest one finished by a time. Raises BackupError."""
    if id:
        return store.manifest(id)
    for found in reversed(store.ids()):
        manifest = store.manifest(found)
        if at is None or manifest.finished <= at:
            return manifest
    raise BackupError(f"{store} has no complete backup{f' finished by {at:%Y-%m-%d %H:%M:%S %Z}' if at else ''}")


def restore(
    target: Source, store: Store, manifest: Manifest, parts: Collection[str], overwrite: bool, progress: Progress
) -> Restored:
    """Restore `parts` of a backup into a deployment, and start its job from the backup's snapshot if it exists.

    Raises DamagedError, NotEmptyError or BackupError before anything is written.
    """
    check(store, manifest, parts, progress)
    if not overwrite:
        _check_empty(target, manifest, parts)
    snapshot, why_not = _snapshot(target, manifest.job) if JOB in parts else ("", "it was not selected (--part)")
    if snapshot:
        target.application.stop()
    written = _write(target, store, manifest, parts, progress)
    if snapshot:
        target.application.start(CUSTOM, snapshot)
        return Restored(written, f"running from snapshot {snapshot}")
    return Restored(written, f"not changed: {why_not}")


def check(store: Store, manifest: Manifest, parts: Collection[str], progress: Progress) -> None:
    """Check every file and object of `parts`. Raises DamagedError if one is missing or its checksum differs."""
    for bucket in manifest.buckets:
        if bucket.part in parts:
            listed = objects.entries(store.read(manifest.id, bucket.part, bucket.sha256))
            objects.check(store, bucket.part, listed, partial(progress, f"check {bucket.part}"))
    for table in manifest.tables:
        if table.part in parts:
            for _ in store.read(manifest.id, table.part, table.sha256):
                pass


def _check_empty(target: Source, manifest: Manifest, parts: Collection[str]) -> None:
    full = [
        name
        for part, name in buckets(target.names).items()
        if part in parts and not objects.is_empty(target.s3, name, EXCLUDED.get(part, ()))
    ]
    full += [
        name
        for part, name in tables(target.names).items()
        if part in parts and not items.is_empty(target.dynamodb, name)
    ]
    if full:
        raise NotEmptyError(
            f"not empty: {', '.join(full)}. Use --overwrite to replace objects and items of the same key (buckets "
            f"retain the previous version; keys that are not in backup {manifest.id} stay), or select parts with --part"
        )


def _snapshot(target: Source, job: Job | None) -> tuple[str, str]:
    """(snapshot to start from, reason if there is none). Raises BackupError if its state does not fit the version."""
    application = target.application
    if job is None:
        return "", "the job was not running during the backup"
    if application.name != job.application:
        return "", f"snapshots of {job.application} cannot be used by {application.name}; see docs/use/recovery.md"
    if application.detail() is None:
        return "", f"{application.name} does not exist, so it has no snapshots; see docs/use/recovery.md"
    found = list_snapshots(application)
    if not any(s["SnapshotName"] == job.snapshot and s["SnapshotStatus"] == READY for s in found):
        return "", f"snapshot {job.snapshot} was deleted (setting keep_snapshots); see docs/use/recovery.md"
    deployed = application.deployed_state()
    if deployed != job.state:
        raise BackupError(
            f"{application.name} has state {deployed}, the backup has {job.state}: deploy release {job.release} "
            "again, or restore the other parts (--part) and continue without the job's state "
            "(docs/use/operate.md#state-that-does-not-fit)"
        )
    return job.snapshot, ""


def _write(
    target: Source, store: Store, manifest: Manifest, parts: Collection[str], progress: Progress
) -> dict[str, int]:
    written = {}
    for bucket in manifest.buckets:
        if bucket.part in parts:
            listed = objects.entries(store.read(manifest.id, bucket.part, bucket.sha256))
            name = buckets(target.names)[bucket.part]
            done = partial(progress, bucket.part)
            written[bucket.part] = objects.restore(target.s3, store, bucket.part, listed, name, done)
    for table in manifest.tables:
        if table.part in parts:
            lines = store.read(manifest.id, table.part, table.sha256)
            name = tables(target.names)[table.part]
            written[table.part] = items.restore(target.dynamodb, name, lines, partial(progress, table.part))
    return written
