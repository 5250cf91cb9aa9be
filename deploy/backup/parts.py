"""The parts of a deployment that are backed up, and where each lies."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.kit.names import Names

#: State of the job: a snapshot of the application, which stays with the service.
JOB = "job"
BUCKETS = ("lake", "registry", "uploads")
TABLES = ("contracts", "alert-state")
PARTS = (JOB, *BUCKETS, *TABLES)
#: Prefixes of a bucket that hold nothing worth keeping: results of queries are removed after days.
EXCLUDED = {"lake": ("athena-results/",)}


def buckets(names: Names) -> Mapping[str, str]:
    """Bucket of each part."""
    return {"lake": names.lake, "registry": names.registry, "uploads": names.uploads}


def tables(names: Names) -> Mapping[str, str]:
    """Table of each part."""
    return {"contracts": names.contract_store, "alert-state": names.alert_state}
