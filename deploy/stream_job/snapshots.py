"""Snapshots of the application: selects those to retain, deletes the others.

An application may have at most 1,000 snapshots (a quota of Managed Flink); each update, stop and deployment adds one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deploy.stream_job.application import Application

#: Prefix of snapshots taken by backups, which are counted separately from those of deployments.
BACKUP = "backup-"
READY, FAILED = "READY", "FAILED"


def prune(application: Application, keep: int) -> list[str]:
    """Delete surplus snapshots of an application; returns their names."""
    detail = application.detail()
    if detail is None:
        return []
    deleted = []
    for found in surplus(list_snapshots(application), keep, detail):
        application.client.delete_application_snapshot(
            ApplicationName=application.name,
            SnapshotName=found["SnapshotName"],
            SnapshotCreationTimestamp=found["SnapshotCreationTimestamp"],
        )
        deleted.append(str(found["SnapshotName"]))
    return deleted


def list_snapshots(application: Application) -> list[dict[str, Any]]:
    """All snapshots of an application, the newest first."""
    pages = application.client.get_paginator("list_application_snapshots").paginate(ApplicationName=application.name)
    found = [snapshot for page in pages for snapshot in page["SnapshotSummaries"]]
    # A stable sort: of two snapshots with the same time, the later one in the list is the newer.
    found.sort(key=lambda snapshot: snapshot["SnapshotCreationTimestamp"])
    return found[::-1]


def surplus(found: Iterable[dict[str, Any]], keep: int, detail: dict[str, Any]) -> list[dict[str, Any]]:
    """Snapshots to delete from `found`, which has the newest first.

    Retained are the newest `keep` of deployments, as many of backups, the one that the running version started from,
    and those still in progress. Failed snapshots have no state and are always deleted.
    """
    ready: dict[bool, list[str]] = {True: [], False: []}
    done = [snapshot for snapshot in found if snapshot["SnapshotStatus"] in (READY, FAILED)]
    usable = [snapshot for snapshot in done if snapshot["SnapshotStatus"] == READY]
    for snapshot in usable:
        ready[is_backup(snapshot)].append(snapshot["SnapshotName"])
    retained = {*ready[True][:keep], *ready[False][:keep], *started_from(usable, detail)}
    return [
        snapshot
        for snapshot in done
        if snapshot["SnapshotStatus"] == FAILED or snapshot["SnapshotName"] not in retained
    ]


def is_backup(snapshot: dict[str, Any]) -> bool:
    """True for a snapshot taken by a backup."""
    return str(snapshot["SnapshotName"]).startswith(BACKUP)


def started_from(usable: Iterable[dict[str, Any]], detail: dict[str, Any]) -> set[str]:
    """Names of the snapshots that the running version may have started from.

    These are the one named at its start, and the newest of an earlier version, which a rollback restores.
    """
    described = detail["ApplicationConfigurationDescription"].get("RunConfigurationDescription", {})
    named = described.get("ApplicationRestoreConfigurationDescription", {}).get("SnapshotName")
    earlier = [s["SnapshotName"] for s in usable if s["ApplicationVersionId"] < detail["ApplicationVersionId"]]
    return {*earlier[:1], *([str(named)] if named else [])}
