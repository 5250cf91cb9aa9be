"""Restoring a backup: all of it is checked, then whether the target is empty, then it is written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from deploy.backup import items, objects
from deploy.backup.create import Progress, Source
from deploy.backup.parts import EXCLUDED, JOB, buckets, tables
from deploy.backup.store import BackupError, Job, Manifest, Store
from deploy.release.snapshots import READY, snapshots
from deploy.stream_job.properties import CUSTOM


class NotEmptyError(BackupError):
    """The target holds something that would be written over."""


@dataclass(frozen=True)
class Restored:
    """What was written, by part; `job` says what the job goes on from, or why not from the backup's snapshot."""

    written: dict[str, int]
    job: str


def chosen(store: Store, id: str = "", at: datetime | None = None) -> Manifest:
    """The manifest of a backup by its id, or of the newest that was finished at a time. Raises BackupError."""
    if id:
        return store.manifest(id)
    for found in reversed(store.ids()):
        manifest = store.manifest(found)
        if at is None or manifest.finished <= at:
            return manifest
    raise BackupError(
        f"{store} has no complete backup{f' that was finished by {at:%Y-%m-%d %H:%M:%S %Z}' if at else ''}"
    )


def restore(
    target: Source, store: Store, manifest: Manifest, parts: Collection[str], overwrite: bool, progress: Progress
) -> Restored:
    """Write `parts` of a backup into a deployment, and start its job from the backup's snapshot where there is one.

    Raises DamagedError, NotEmptyError or BackupError before anything is written.
    """
    check(store, manifest, parts, progress)
    if not overwrite:
        _refuse_what_is_not_empty(target, manifest, parts)
    snapshot, why_not = _snapshot(target, manifest.job) if JOB in parts else ("", "was not asked for")
    if snapshot:
        target.application.stop()
    written = _write(target, store, manifest, parts, progress)
    if snapshot:
        target.application.start(CUSTOM, snapshot)
        return Restored(written, f"runs from snapshot {snapshot}")
    return Restored(written, f"was left as it is: {why_not}")


def check(store: Store, manifest: Manifest, parts: Collection[str], progress: Progress) -> None:
    """Raises DamagedError where a file or object of the backup is missing or is not what was written."""
    for bucket in manifest.buckets:
        if bucket.part in parts:
            listed = objects.entries(store.read(manifest.id, bucket.part, bucket.sha256))
            objects.check(store, bucket.part, listed, partial(progress, f"check {bucket.part}"))
    for table in manifest.tables:
        if table.part in parts:
            for _ in store.read(manifest.id, table.part, table.sha256):
                pass


def _refuse_what_is_not_empty(target: Source, manifest: Manifest, parts: Collection[str]) -> None:
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
            f"not empty: {', '.join(full)}. Restore with --overwrite to write over what has the same key (buckets keep "
            f"the version before; what is not in backup {manifest.id} stays), or only some parts with --part"
        )


def _snapshot(target: Source, job: Job | None) -> tuple[str, str]:
    """(name of the snapshot to start from, why there is none). Raises BackupError where its state would not fit."""
    application = target.application
    if job is None:
        return "", "no job ran when the backup was made"
    if application.name != job.application:
        return "", f"snapshots of {job.application} cannot be given to {application.name}; see docs/use/recovery.md"
    if application.detail() is None:
        return "", f"{application.name} does not exist, and its snapshots went with it; see docs/use/recovery.md"
    found = snapshots(application)
    if not any(s["SnapshotName"] == job.snapshot and s["SnapshotStatus"] == READY for s in found):
        return "", f"snapshot {job.snapshot} is no longer there (keep_snapshots); see docs/use/recovery.md"
    deployed = application.deployed_state()
    if deployed != job.state:
        raise BackupError(
            f"{application.name} keeps state {deployed}, the backup has {job.state}: deploy release {job.release} "
            "again, or restore the other parts (--part) and go on without the job's state "
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
