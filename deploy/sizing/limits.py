"""Limits of services: number of meters at which each is reached, and the remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECONDS_DAY, GB = 86_400, 1e9
#: Planned load of the job; the other half is reserve for catching up after a stop.
LOAD = 0.5
#: Share of a KPU's disk for state; RocksDB compaction needs the rest.
DISK_SHARE = 0.7
#: Planned load of a shard: keys are not evenly distributed, and devices send buffered readings in bursts.
SHARD_LOAD = 0.5


@dataclass(frozen=True)
class Limit:
    """A limit, the number of meters at which it is reached, and the remedy."""

    name: str
    meters: float
    remedy: str


def limits_of(
    measured: Mapping[str, float], limits: dict[str, Any], interval_s: int, state_days: int
) -> tuple[Limit, ...]:
    """All limits, in ascending number of meters."""
    per_meter_state = SECONDS_DAY / interval_s * state_days * measured["state_bytes_per_reading"]
    kpus = limits["kpu"] - 1
    found = (
        Limit(
            "shards of an account",
            limits["shards_default"] * limits["shard_records_s"] * SHARD_LOAD * interval_s,
            "request a higher quota, or send several readings per record",
        ),
        Limit(
            "64 KPU, throughput",
            kpus * measured["readings_per_vcpu_s"] * LOAD * interval_s,
            "split by a hash of the site into several applications, each with a readings stream of its own: no bill "
            "spans two sites",
        ),
        Limit(
            "64 KPU, disk for state",
            kpus * limits["kpu_disk_gb"] * DISK_SHARE * GB / per_meter_state,
            "a smaller state_days (40 covers a monthly cycle and a week), then split by site as for throughput",
        ),
        Limit(
            "Firehose, bytes of one delivery stream",
            limits["firehose_bytes_s"] / measured["cost_row_json_bytes"] * interval_s,
            "request a higher quota (a support case), then use delivery streams per application",
        ),
        Limit(
            "Firehose, days of a backfill at once",
            math.inf,
            f"more than {limits['firehose_partitions']} different days within one buffer go to the error prefix: send "
            "history in order of time, or request more partitions",
        ),
    )
    return tuple(sorted(found, key=lambda limit: limit.meters))
