"""Required resources by number of meters; their cost is in bill.py.

All quantities are computed from readings per second and the figures in figures.json, which have their sources.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.settings import Environment
from deploy.sizing.limits import DISK_SHARE, GB, LOAD, SECONDS_DAY, SHARD_LOAD, Limit, limits_of
from deploy.sizing.packing import billed_bytes_s
from deploy.sizing.prices import figures, values

HOURS_MONTH, DAYS_MONTH = 730, 30.4
MONTH_S = SECONDS_DAY * DAYS_MONTH
WINDOWS_S = (900, 3600, 86_400)
MIB = 1024 * 1024
#: Average number of days in a buffer: some rows are late.
DAYS_A_BUFFER = 1.5


@dataclass(frozen=True)
class Size:
    """Required resources of a deployment. Suffixes: `_s` per second, `_month` per month, `_gb` GB."""

    meters: int
    interval_s: int
    readings_s: float
    reading_bytes: float
    shards: int
    kpus_for_load: int
    kpus_for_state: int
    kpus_of_settings: int
    state_gb: float
    applications: int
    cost_bytes_s: float
    rows_s: Mapping[str, float]
    firehose_gb_month: float
    lake_gb_month: float
    objects_month: float
    assumed: Mapping[str, float]
    limits: tuple[Limit, ...]

    @property
    def kpus(self) -> int:
        """Total KPUs, including one for orchestration per application."""
        return max(self.kpus_for_load, self.kpus_for_state, self.kpus_of_settings) + self.applications

    @property
    def reading_bytes_s(self) -> float:
        return self.readings_s * self.reading_bytes

    @property
    def firehose_rows_s(self) -> float:
        """Rows per second of all tables."""
        return sum(self.rows_s.values())

    @property
    def alert_rows_month(self) -> float:
        """Records per month in the alerts stream."""
        return self.meters * self.assumed["alerts_per_meter_month"] * self.assumed["rows_per_alert"]


def size(
    meters: int,
    interval_s: int,
    state_days: int = 100,
    environment: Environment | None = None,
    known: dict[str, Any] | None = None,
) -> Size:
    """Size of a deployment with `meters` that send a reading every `interval_s` seconds. Raises ValueError.

    Without an environment, default settings apply.
    """
    if meters < 1 or not 1 <= interval_s <= SECONDS_DAY:
        raise ValueError("meters must be at least 1, and interval 1 to 86400 s")
    data = known or figures()
    measured, assumed, limits = values("measured", data), values("assumed", data), data["limits"]
    environment = environment or Environment("none")
    readings_s = meters / interval_s
    shards = _ceil(max(readings_s / limits["shard_records_s"],
                       readings_s * measured["reading_bytes"] / limits["shard_bytes_s"]) / SHARD_LOAD)  # fmt: skip
    kpus_for_load = _ceil(readings_s / (measured["readings_per_vcpu_s"] * LOAD))
    state_gb = readings_s * SECONDS_DAY * state_days * measured["state_bytes_per_reading"] / GB
    kpus_for_state = _ceil(state_gb / (limits["kpu_disk_gb"] * DISK_SHARE))
    # Autoscaling never goes below the configured parallelism.
    kpus_of_settings = _ceil(environment.parallelism / environment.parallelism_per_kpu)
    rows_s = _rows_s(meters, interval_s, measured, assumed)
    row_bytes = dict.fromkeys(rows_s, measured["cost_row_json_bytes"]) | {
        "kpis": measured["kpi_row_json_bytes"],
        "measurements": measured["measurement_row_json_bytes"],
    }
    slots = max(kpus_for_load, kpus_for_state, kpus_of_settings) * environment.parallelism_per_kpu
    parquet_s = readings_s * measured["cost_row_parquet_bytes"] + rows_s["kpis"] * measured["kpi_row_parquet_bytes"]
    return Size(
        meters=meters,
        interval_s=interval_s,
        readings_s=readings_s,
        reading_bytes=measured["reading_bytes"],
        shards=shards,
        kpus_for_load=kpus_for_load,
        kpus_for_state=kpus_for_state,
        kpus_of_settings=kpus_of_settings,
        state_gb=state_gb,
        applications=_ceil(max(kpus_for_load, kpus_for_state, kpus_of_settings) / (limits["kpu"] - 1)),
        cost_bytes_s=readings_s * measured["cost_row_json_bytes"],
        rows_s=rows_s,
        firehose_gb_month=billed_bytes_s(rows_s, row_bytes, slots, limits["firehose_record_rounding_bytes"])
        * MONTH_S
        / GB,
        lake_gb_month=parquet_s * MONTH_S / GB,
        objects_month=_objects_month(rows_s, row_bytes, environment),
        assumed=assumed,
        limits=limits_of(measured, limits, interval_s, state_days),
    )


def _rows_s(
    meters: int, interval_s: int, measured: Mapping[str, float], assumed: Mapping[str, float]
) -> dict[str, float]:
    """Rows per second by table."""
    readings_s = meters / interval_s
    alert_rows_s = meters * assumed["alerts_per_meter_month"] * assumed["rows_per_alert"] / MONTH_S
    return {
        "costs": readings_s,
        "kpis": meters * sum(1 / max(window, interval_s) for window in WINDOWS_S),
        "duplicates": readings_s * measured["duplicate_share"],
        "rejected": readings_s * assumed["refused_share"] / 2,
        "unpriced": readings_s * assumed["refused_share"] / 2,
        "measurements": readings_s * assumed["measured_channels_per_reading"],
        "register_reads": readings_s * assumed["register_read_share"],
        "contract_changes": 0.0,  # a few a year
        "alerts": alert_rows_s / 2,
        "alert_actions": alert_rows_s / 2,
    }


def _objects_month(rows_s: Mapping[str, float], row_bytes: Mapping[str, float], environment: Environment) -> float:
    """Objects per month: one per table and day whenever a buffer is full or its interval ends."""
    objects_s = (
        max(
            min(rate, 1 / environment.buffer_s),
            rate * row_bytes[table] / (environment.buffer_mb * MIB),
        )
        for table, rate in rows_s.items()
    )
    return sum(objects_s) * MONTH_S * DAYS_A_BUFFER


def _ceil(value: float) -> int:
    return max(1, math.ceil(value - 1e-9))
