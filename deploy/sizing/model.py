"""How much of everything a number of meters needs, and what it costs.

Every quantity follows from the readings per second and figures in figures.json, each with where it comes from.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("figures.json")
HOURS_MONTH, SECONDS_DAY, DAYS_MONTH, GB, TB = 730, 86_400, 30.4, 1e9, 1e12
#: A job that runs at half of what it can has the other half to catch up with after a stop.
LOAD = 0.5
#: Disk of a KPU that state may fill: RocksDB rewrites files beside the old ones.
DISK_SHARE = 0.7
#: Share of a shard that is planned for: meters are not spread evenly, and devices send what they kept all at once.
SHARD_LOAD = 0.5
WINDOWS_S = (900, 3600, 86_400)
BUFFER_BYTES, BUFFER_S = 64 * 1024 * 1024, 300


@dataclass(frozen=True)
class Limit:
    """A limit that is met: at how many meters, and what to do."""

    name: str
    meters: float
    remedy: str


@dataclass(frozen=True)
class Size:
    """What a deployment needs. Costs are USD a month."""

    meters: int
    interval_s: int
    readings_s: float
    shards: int
    kpus_for_load: int
    kpus_for_state: int
    state_gb: float
    applications: int
    cost_bytes_s: float
    firehose_rows_s: float
    lake_gb_month: float
    objects_month: float
    costs: dict[str, float]
    limits: tuple[Limit, ...]

    @property
    def kpus(self) -> int:
        """With one for orchestration in each application."""
        return max(self.kpus_for_load, self.kpus_for_state) + self.applications

    @property
    def monthly_usd(self) -> float:
        return sum(self.costs.values())


def figures(path: Path = FIGURES) -> dict[str, Any]:
    """Measurements, limits and prices."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def size(meters: int, interval_s: int, state_days: int = 100, known: dict[str, Any] | None = None) -> Size:
    """The size of a deployment of `meters` that send a reading each `interval_s` seconds. Raises ValueError."""
    if meters < 1 or not 1 <= interval_s <= SECONDS_DAY:
        raise ValueError("meters is at least 1, interval between 1 and 86400 s")
    data = known or figures()
    measured = {name: f["value"] for name, f in data["measured"].items() if isinstance(f, dict)}
    limits, prices = data["limits"], data["prices"]
    readings_s = meters / interval_s

    shards = _ceil(max(readings_s / limits["shard_records_s"],
                       readings_s * measured["reading_bytes"] / limits["shard_bytes_s"]) / SHARD_LOAD)  # fmt: skip
    kpus_for_load = _ceil(readings_s / (measured["readings_per_vcpu_s"] * LOAD))
    state_gb = readings_s * SECONDS_DAY * state_days * measured["state_bytes_per_reading"] / GB
    kpus_for_state = _ceil(state_gb / (limits["kpu_disk_gb"] * DISK_SHARE))
    kpus = max(kpus_for_load, kpus_for_state)
    applications = _ceil(kpus / (limits["kpu"] - 1))

    kpis_s = meters * sum(1 / max(window, interval_s) for window in WINDOWS_S)
    cost_bytes_s = readings_s * measured["cost_row_json_bytes"]
    rows_s = readings_s * (1 + measured["repeated_share"]) + kpis_s
    parquet_s = readings_s * measured["cost_row_parquet_bytes"] + kpis_s * measured["kpi_row_parquet_bytes"]
    lake_gb_month = parquet_s * SECONDS_DAY * DAYS_MONTH / GB
    # An object for each stream (costs, kpis) whenever a buffer is full or old; late days make a few more.
    json_s = cost_bytes_s + kpis_s * measured["kpi_row_json_bytes"]
    objects_month = max(2 / BUFFER_S, json_s / BUFFER_BYTES) * SECONDS_DAY * DAYS_MONTH * 1.5
    result = Size(
        meters, interval_s, readings_s, shards, kpus_for_load, kpus_for_state, state_gb, applications, cost_bytes_s,
        rows_s, lake_gb_month, objects_month, {}, _limits(measured, limits, interval_s, state_days),
    )  # fmt: skip
    result.costs.update(_costs(result, prices, limits))
    return result


def _costs(size: Size, prices: dict[str, Any], limits: dict[str, Any]) -> dict[str, float]:
    month_s = SECONDS_DAY * DAYS_MONTH
    # Firehose counts each record in steps of 5 kB, whatever is in it.
    firehose_gb = size.firehose_rows_s * month_s * limits["firehose_record_rounding_bytes"] / GB
    each_gb = prices["firehose_gb"] + prices["firehose_conversion_gb"] + prices["firehose_partitioning_gb"]
    year_gb = size.lake_gb_month * 12
    return {
        "Kinesis": size.shards * prices["shard_hour"] * HOURS_MONTH
        + size.readings_s * month_s / 1e6 * prices["put_million_payload_units"],
        "Managed Flink": size.kpus * HOURS_MONTH * prices["kpu_hour"]
        + size.kpus * limits["kpu_disk_gb"] * prices["kpu_storage_gb_month"]
        + size.state_gb * prices["snapshot_gb_month"],
        "Firehose": firehose_gb * each_gb + size.objects_month / 1000 * prices["firehose_partitioned_objects_1000"],
        "S3, a year kept": year_gb * prices["s3_gb_month"] + size.objects_month / 1000 * prices["s3_put_1000"],
        "Athena, each day read 10 times": size.lake_gb_month * 10 / 1000 * prices["athena_tb"],
    }


def _limits(measured: dict[str, Any], limits: dict[str, Any], interval_s: int, state_days: int) -> tuple[Limit, ...]:
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


def _ceil(value: float) -> int:
    return max(1, math.ceil(value - 1e-9))
