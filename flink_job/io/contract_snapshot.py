"""Format of the contract snapshot that a job without state loads at its start (flink_job/java: Snapshot)."""

from __future__ import annotations

import json

from flink_job.tenants import qualified


def snapshot_line(tenant: str, meter_id: str, document: str, published_ms: int, position: str) -> bytes:
    """Return the line of a meter's contract that was published at `published_ms` with sequence number `position`.

    The contract published last is in force; of contracts published in the same millisecond, the one with the highest
    position (a decimal number).
    """
    line = {
        "key": qualified(tenant, meter_id),
        "value": document,
        "version_ms": published_ms,
        "position": position.lstrip("0"),
    }
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"
