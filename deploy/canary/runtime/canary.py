"""Publishes a reading every quarter of an hour and checks the costs of earlier readings in Athena."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from deploy.kit.athena import AthenaClient, literal
from deploy.kit.errors import reported

from . import probe

logger = Logger(service="canary")
LIMIT_S = 60.0
#: Reads the delivered rows instead of the view `costs`, which reads three more tables; DISTINCT removes duplicates.
COSTS = """SELECT DISTINCT reading_id, revision, interval_start, energy_kwh, cost, currency
FROM costs_rows
WHERE event_date >= ? AND event_date <= ? AND tenant = ? AND meter_id = ?"""


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Lambda entry point, invoked on schedule. The same event publishes the same reading."""
    slot = probe.slot_of(datetime.fromisoformat(event["time"]))
    finding = probe.evaluate(_costs(slot), slot, datetime.now(UTC))
    if not finding.found:
        _publish_contract()
    # After its contract: a reading is joined with contracts that arrived before it, not with later ones.
    _publish(os.environ["READINGS"], probe.reading(slot))
    if finding.wrong:
        starts = [probe.interval_of(number).isoformat() for number in finding.wrong]
        logger.error(
            "costs of the canary are wrong",
            extra={"intervals": starts},
        )
    _measure(probe.AGE, MetricUnit.Seconds, finding.age_s)
    _measure(probe.WRONG, MetricUnit.Count, len(finding.wrong))
    return {"slot": slot, "age_s": finding.age_s, "wrong": len(finding.wrong), "found": finding.found}


def _publish_contract() -> None:
    """Publish tariff and contract again: without them readings stay unpriced, and no cost has come out for hours."""
    _client("s3").put_object(Bucket=os.environ["REGISTRY"], Key=probe.TARIFF_KEY, Body=probe.tariff())
    _publish(os.environ["CONTRACTS"], probe.contract())


def _publish(stream: str, record: bytes) -> None:
    _client("kinesis").put_record(StreamName=stream, Data=record, PartitionKey=probe.NAME)


def _costs(slot: int) -> list[dict[str, str | None]]:
    days = probe.partitions_of(probe.checked_slots(slot))
    parameters = [literal(text) for text in (days[0], days[-1], probe.NAME, probe.NAME)]
    athena = AthenaClient(_client("athena"), os.environ["WORKGROUP"], os.environ["DATABASE"])
    return athena.answer(COSTS, parameters, f"canary-{time.time_ns():032d}", LIMIT_S)


def _measure(name: str, unit: MetricUnit, value: float) -> None:
    with single_metric(name=name, unit=unit, value=value, namespace=probe.NAMESPACE) as metric:
        metric.add_dimension(name=probe.DIMENSION, value=os.environ["DEPLOYMENT"])


@cache
def _client(service: str) -> Any:
    return boto3.client(service)
