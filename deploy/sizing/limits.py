"""Where limits of the services are met on the way up, and what to do there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECONDS_DAY, GB = 86_400, 1e9
#: A job that runs at half of what it can has the other half to catch up with after a stop.
LOAD = 0.5
#: Disk of a KPU that state may fill: RocksDB rewrites files beside the old ones.
DISK_SHARE = 0.7
#: Share of a shard that is planned for: meters are not spread evenly, and devices send what they kept all at once.
SHARD_LOAD = 0.5


@dataclass(frozen=True)
class Limit:
    """A limit that is met: at how many meters, and what to do."""

    name: str
    meters: float
    remedy: str


def limits_of(
    measured: Mapping[str, float], limits: dict[str, Any], interval_s: int, state_days: int
) -> tuple[Limit, ...]:
    """Where each limit is met, in meters, the first one first."""
    per_meter_state = SECONDS_DAY / interval_s * state_days * measured["state_bytes_per_reading"]
    kpus = limits["kpu"] - 1
    found = (
        Limit(
            "shards of an account",
            limits["shards_default"] * limits["shard_records_s"] * SHARD_LOAD * interval_s,
            "ask for a higher quota, or let devices send several readings in a record",
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
            "ask for a higher quota (a support case), then a set of delivery streams for each application",
        ),
        Limit(
            "Firehose, days of a backfill at once",
            math.inf,
            f"more than {limits['firehose_partitions']} different days within one buffer go to the error prefix: send "
            "history in order of time, or ask for more partitions",
        ),
    )
    return tuple(sorted(found, key=lambda limit: limit.meters))
