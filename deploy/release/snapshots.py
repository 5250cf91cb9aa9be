"""Snapshots of the application: which are kept, and deleting the others.

An application may have 1,000 snapshots at most (a quota of Managed Flink); every update, stop and deployment adds one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deploy.release.application import Application

#: Names of the snapshots that backups take; they are counted apart from those of deployments.
BACKUP = "backup-"
READY, FAILED = "READY", "FAILED"


def prune(application: Application, keep: int) -> list[str]:
    """Delete surplus snapshots of an application; returns their names."""
    detail = application.detail()
    if detail is None:
        return []
    deleted = []
    for found in surplus(snapshots(application), keep, detail):
        application.client.delete_application_snapshot(
            ApplicationName=application.name,
            SnapshotName=found["SnapshotName"],
            SnapshotCreationTimestamp=found["SnapshotCreationTimestamp"],
        )
        deleted.append(str(found["SnapshotName"]))
    return deleted


def snapshots(application: Application) -> list[dict[str, Any]]:
    """Every snapshot of an application, the newest first."""
    pages = application.client.get_paginator("list_application_snapshots").paginate(ApplicationName=application.name)
    found = [snapshot for page in pages for snapshot in page["SnapshotSummaries"]]
    # Of two that were taken at the same time the later one of the list is the newer.
    found.sort(key=lambda snapshot: snapshot["SnapshotCreationTimestamp"])
    return found[::-1]


def surplus(found: Iterable[dict[str, Any]], keep: int, detail: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of `found` (the newest first) that are not kept.

    Kept are the newest `keep` of the deployments, as many of the backups, the one that the running version of the
    application started from, and whatever is still being taken. Failed ones hold no state and are never kept.
    """
    ready: dict[bool, list[str]] = {True: [], False: []}
    done = [snapshot for snapshot in found if snapshot["SnapshotStatus"] in (READY, FAILED)]
    usable = [snapshot for snapshot in done if snapshot["SnapshotStatus"] == READY]
    for snapshot in usable:
        ready[is_backup(snapshot)].append(snapshot["SnapshotName"])
    kept = {*ready[True][:keep], *ready[False][:keep], *started_from(usable, detail)}
    return [
        snapshot for snapshot in done if snapshot["SnapshotStatus"] == FAILED or snapshot["SnapshotName"] not in kept
    ]


def is_backup(snapshot: dict[str, Any]) -> bool:
    """True for a snapshot that a backup has taken."""
    return str(snapshot["SnapshotName"]).startswith(BACKUP)


def started_from(usable: Iterable[dict[str, Any]], detail: dict[str, Any]) -> set[str]:
    """Names of the snapshots that the running version may have started from: the one that its start named, and the
    newest that an earlier version of the application left, which is what a rollback returns to.
    """
    described = detail["ApplicationConfigurationDescription"].get("RunConfigurationDescription", {})
    named = described.get("ApplicationRestoreConfigurationDescription", {}).get("SnapshotName")
    earlier = [s["SnapshotName"] for s in usable if s["ApplicationVersionId"] < detail["ApplicationVersionId"]]
    return {*earlier[:1], *([str(named)] if named else [])}
