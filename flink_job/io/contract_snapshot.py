"""A line of a snapshot of contracts, which a job without state starts with (flink_job/java: Snapshot)."""

from __future__ import annotations

import json

from flink_job.tenants import qualified


def snapshot_line(tenant: str, meter_id: str, document: str, published_ms: int, position: str) -> bytes:
    """The contract `document` of a meter, which the stream received at `published_ms` and keeps at `position`.

    Of the contracts of a meter the one that was published last holds; of those published at the same time, the one of
    the highest position, a decimal number.
    """
    line = {
        "key": qualified(tenant, meter_id),
        "value": document,
        "version_ms": published_ms,
        "position": position.lstrip("0"),
    }
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"
