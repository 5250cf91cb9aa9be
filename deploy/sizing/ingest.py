"""Cost of ingestion and delivery: Kinesis, Firehose, IoT Core."""

from __future__ import annotations

import math

from deploy.settings import Environment
from deploy.sizing.limits import GB, SECONDS_DAY
from deploy.sizing.model import DAYS_MONTH, HOURS_MONTH, MONTH_S, Size
from deploy.sizing.prices import Prices

#: Kinesis on-demand counts each record in steps of 1 kB; provisioned streams in payload units of 25 kB.
ON_DEMAND_ROUNDING_BYTES = 1024
DAY_H, WEEK_H = 24, 168


def kinesis(size: Size, environment: Environment, prices: Prices) -> float:
    """Streams of readings (on-demand or provisioned), contracts and alerts, with their retention."""
    readings_month, raw_gb_day = size.readings_s * MONTH_S, size.reading_bytes_s * SECONDS_DAY / GB
    if environment.shards:
        shards = max(environment.shards, size.shards)
        readings = _provisioned(shards, readings_month, raw_gb_day, environment.retention_h, prices)
    else:
        readings = _on_demand(size, readings_month, raw_gb_day, environment, prices)
    changes = size.meters * size.assumed["contract_changes_per_meter_month"]
    alerts = size.alert_rows_month
    alert_gb_day = alerts * size.assumed["alert_record_bytes"] / GB / DAYS_MONTH
    contract_gb_day = changes * size.assumed["contract_bytes"] / GB / DAYS_MONTH
    return (
        readings
        + _provisioned(1, changes, contract_gb_day, environment.contracts_retention_h, prices)
        + _provisioned(1, alerts, alert_gb_day, environment.retention_h, prices)
    )


def _on_demand(size: Size, records: float, gb_day: float, environment: Environment, prices: Prices) -> float:
    gb_in = records * math.ceil(size.reading_bytes / ON_DEMAND_ROUNDING_BYTES) * ON_DEMAND_ROUNDING_BYTES / GB
    readers = 1 + environment.last_values
    extended_days = (min(environment.retention_h, WEEK_H) - DAY_H) / 24
    return (
        prices["stream_on_demand_hour"] * HOURS_MONTH
        + gb_in * prices["stream_on_demand_in_gb"]
        + gb_in * readers * prices["stream_on_demand_out_gb"]
        + gb_day * extended_days * prices["stream_on_demand_extended_gb_month"]
        + _long_term(gb_day, environment.retention_h, prices)
    )


def _provisioned(shards: int, records: float, gb_day: float, retention_h: int, prices: Prices) -> float:
    extended = prices["shard_extended_hour"] if retention_h > DAY_H else 0
    return (
        shards * (prices["shard_hour"] + extended) * HOURS_MONTH
        + records / 1e6 * prices["put_million_payload_units"]
        + _long_term(gb_day, retention_h, prices)
    )


def _long_term(gb_day: float, retention_h: int, prices: Prices) -> float:
    """Long-term retention beyond seven days, once the stream is as old as its retention."""
    return gb_day * max(0, retention_h - WEEK_H) / 24 * prices["stream_long_gb_month"]


def firehose(size: Size, prices: Prices) -> float:
    """Packed records of all tables, billed in multiples of 5 KiB; format conversion, dynamic partitioning, objects."""
    each_gb = prices["firehose_gb"] + prices["firehose_conversion_gb"] + prices["firehose_partitioning_gb"]
    jq_h = size.firehose_rows_s * MONTH_S * size.assumed["jq_ms_per_record"] / 1000 / 3600
    return (
        size.firehose_gb_month * each_gb
        + jq_h * prices["firehose_jq_hour"]
        + size.objects_month / 1000 * prices["firehose_partitioned_objects_1000"]
    )


def iot(size: Size, devices: int, environment: Environment, prices: Prices) -> float:
    """Always connected devices that send one message per reading; each message triggers a rule and an action.

    Device Defender audits each device.
    """
    if not devices:
        return 0.0
    connected = devices * MONTH_S / 60 / 1e6 * prices["iot_connection_million_minutes"]
    each = prices["iot_message_million"] + prices["iot_rule_million"] + prices["iot_action_million"]
    audited = devices * prices["iot_audit_device_month"] if environment.device_audit else 0
    return connected + size.readings_s * MONTH_S / 1e6 * each + audited
