"""Measures the latency from the publication of a reading to its notification in a queue, at the local endpoint."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.kit.names import Names
from deploy.local.alerting import LocalAlerting, create_alerting, received
from deploy.local.demo import SAMPLES, running_job, wait_until_running
from deploy.local.resources import create, write_properties
from flink_job.io.kinesis import client, publish

RULES = """
rules:
  - {rule_id: hot, title: Too hot, signal: temperature, severity: critical, when: "> 80"}
  - {rule_id: power, title: Too much power, signal: power_kw, severity: critical, when: "> 100"}
"""
INTERVAL_S = 300
WAIT_S = 30.0


@dataclass(frozen=True)
class Latencies:
    """Seconds from publication to the queue for each delivered alert; `lost` and `doubled` should be 0."""

    seconds: list[float]
    lost: int
    doubled: int

    def quantile(self, share: float) -> float:
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))]


def measure(url: str, work: Path, alerts: int, pause_s: float, console: Console) -> Latencies:
    """Run the job and alerting at an endpoint, and publish one breach every `pause_s` seconds.

    Each of the `alerts` breaches is of another meter, after a reading below the limit.
    """
    names = Names("latency")
    rules = work / "rules.yaml"
    work.mkdir(parents=True, exist_ok=True)
    rules.write_text(RULES, encoding="utf-8")
    stacks = create(names, url, SAMPLES / "tariffs", rules, shards=1, triggers=("notifier",))
    alerting = create_alerting(stacks, _routes())
    write_properties(work / "application_properties.json", names, url, checkpoint_s=30)
    meters = [f"m-{n:04d}" for n in range(alerts)]
    publish(names.contracts, map(flat_contract, meters), lambda sent: None, url)
    with running_job(work) as job:
        wait_until_running(job, work, console)
        start_ms = int(time.time() * 1000) - 3 * INTERVAL_S * 1000
        publish(names.readings, (_reading(meter, start_ms, 50) for meter in meters), lambda sent: None, url)
        time.sleep(5)
        sent = {}
        for meter in meters:
            sent[meter] = time.time()
            record = _reading(meter, start_ms + INTERVAL_S * 1000, 90)
            client("kinesis", url).put_record(StreamName=names.readings, Data=record, PartitionKey=meter)
            time.sleep(pause_s)
        return _collect(url, alerting, sent)


def _collect(url: str, alerting: LocalAlerting, sent: dict[str, float]) -> Latencies:
    delivered: dict[str, list[float]] = {}
    deadline = time.monotonic() + WAIT_S
    while len(delivered) < len(sent) and time.monotonic() < deadline:
        for message in received(url, alerting.inbox):
            for row in message["alerts"]:
                delivered.setdefault(row["entity"], []).append(message["sent_ms"] / 1000)
        time.sleep(0.2)
    for message in received(url, alerting.inbox):
        for row in message["alerts"]:
            delivered.setdefault(row["entity"], []).append(message["sent_ms"] / 1000)
    seconds = [times[0] - sent[meter] for meter, times in delivered.items()]
    return Latencies(seconds, len(sent.keys() - delivered.keys()), sum(len(times) - 1 for times in delivered.values()))


def _routes() -> dict[str, Any]:
    recipient = {"sns": "{fifo_topic}", "tokens": 1000, "refill_s": 1, "group_s": 0}
    return {"recipients": {"crew": recipient}, "routes": [{"site": "*", "to": ["crew"]}]}


def flat_contract(meter: str) -> bytes:
    """A contract of a meter with a flat tariff."""
    assigned = [{"tariff_id": "eur-flat", "valid_from": "2026-01-01"}]
    return json.dumps(
        {"meter_id": meter, "site_path": f"f/p/l/{meter}", "timezone": "Europe/Madrid", "assignments": assigned}
    ).encode()


def _reading(meter: str, start_ms: int, temperature: float) -> bytes:
    start = datetime.fromtimestamp(start_ms / 1000, UTC).isoformat()
    values = {"import": 1, "temperature": temperature}
    return json.dumps({"meter_id": meter, "interval_start": start, "interval_s": INTERVAL_S, "values": values}).encode()


def report(latencies: Latencies) -> Iterator[str]:
    """Lines with the figures."""
    yield f"{len(latencies.seconds)} alerts delivered, {latencies.lost} lost, {latencies.doubled} doubled"
    if latencies.seconds:
        shown = ", ".join(f"p{int(share * 100)} {latencies.quantile(share):.2f} s" for share in (0.5, 0.9, 0.99))
        yield f"from publication to the queue: {shown}, longest {max(latencies.seconds):.2f} s"
