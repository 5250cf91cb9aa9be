"""Format of the contract snapshot that a job without state loads at its start (flink_job/java: Snapshot)."""

from __future__ import annotations

import json

from flink_job.tenants import qualified


def snapshot_line(tenant: str, meter_id: str, document: str, version_ms: int, position: str) -> bytes:
    """Return the line of a meter's contract of a version [epoch ms] that was published with sequence number `position`.

    The contract of the latest version is in force; of contracts of the same version, the one with the highest position
    (a decimal number).
    """
    line = {
        "key": qualified(tenant, meter_id),
        "value": document,
        "version_ms": version_ms,
        "position": position.lstrip("0"),
    }
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"
