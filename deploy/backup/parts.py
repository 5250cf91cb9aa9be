"""The parts of a backup, with the bucket or table of each."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.kit.names import Names

#: State of the job: a snapshot, which Managed Flink stores with the application.
JOB = "job"
BUCKETS = ("lake", "registry", "uploads")
TABLES = ("contracts", "alert-state")
PARTS = (JOB, *BUCKETS, *TABLES)
#: Prefixes that are not backed up: query results expire after days.
EXCLUDED = {"lake": ("athena-results/",)}


def buckets(names: Names) -> Mapping[str, str]:
    """Bucket by part."""
    return {"lake": names.lake, "registry": names.registry, "uploads": names.uploads}


def tables(names: Names) -> Mapping[str, str]:
    """Table by part."""
    return {"contracts": names.contract_store, "alert-state": names.alert_state}
