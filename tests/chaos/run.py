"""One run: the package on a real cluster, a load at a steady pace, a fault, and the content of what came out."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from deploy.local.delivery import Delivery
from deploy.local.demo import SAMPLES, records_of
from deploy.local.endpoint import CREDENTIALS, endpoint, free_port
from deploy.local.resources import create, write_properties
from deploy.names import Names
from deploy.stream_job.cluster import Cluster, cluster
from deploy.stream_job.package import PACKAGE
from deploy.stream_job.properties import OPTIONS
from deploy.stream_job.rehearse import submit
from flink_job.config import PROPERTIES_VARIABLE
from flink_job.lake.database import open_lake
from flink_job.publish import publish
from flink_job.schemas import ACCOUNTED
from tests.chaos.faults import Fault, workers
from tests.harness.oracle import Oracle
from tests.harness.samples import is_malformed

PACE_S, HEALTHY_S, LIMIT_S, CONTRACTS_S = 1.0, 60.0, 240.0, 5.0
MONEY = ("energy_cost", "demand_cost", "fixed_cost", "export_credit", "tax", "cost")


@dataclass
class Outcome:
    """What a run showed. Everything but `raw_copies`, which sinks may make, must be as `problems` wants it."""

    fault: str
    hits: int = 0
    published: int = 0
    accounted: dict[str, int] = field(default_factory=dict)
    raw_copies: int = 0
    differing_copies: int = 0
    wrong_bills: int = 0
    bills: int = 0
    wrong_counts: int = 0
    healthy_after_s: float = 0.0
    restarts: int = 0
    orphans: int = 0

    def problems(self) -> list[str]:
        """What must not be, in words."""
        found = {
            f"{self.published - sum(self.accounted.values())} records are not accounted for": self.published
            != sum(self.accounted.values()),
            f"{self.wrong_bills} of {self.bills} bills differ from the oracle's": self.wrong_bills,
            "no bills came out": not self.bills,
            f"{self.differing_copies} rows were written again with another content": self.differing_copies,
            f"{self.wrong_counts} outcomes have another count than the oracle's": self.wrong_counts,
            f"healthy only after {self.healthy_after_s:.0f} s": self.healthy_after_s > HEALTHY_S,
            f"{self.orphans} Python workers are left": self.orphans,
        }
        return [text for text, is_so in found.items() if is_so]


def run(fault: Fault, work: Path, records: list[bytes], rate: int, checkpoint_s: int = 5) -> Outcome:
    """Publish `records` at `rate` a second while the fault is injected; wait for all; look at the content."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "tmp").mkdir(parents=True)
    with zipfile.ZipFile(PACKAGE) as archive:
        archive.extractall(work / "app")
    names, outcome = Names("chaos"), Outcome(fault.name)
    with endpoint(work / "endpoint.log", free_port()) as url:
        create(names, url, SAMPLES / "tariffs", SAMPLES / "rules.yaml", shards=1)
        properties = work / "application_properties.json"
        write_properties(properties, names, url, checkpoint_s=checkpoint_s, idle_timeout_s=5)
        environment = {
            **os.environ,
            **{name: os.environ.get(name, value) for name, value in CREDENTIALS.items()},
            PROPERTIES_VARIABLE: str(properties),
            "CBOR_ENABLED": "false",
            "AWS_CBOR_DISABLE": "true",
        }
        publish(names.contracts, records_of(SAMPLES / "contracts.ndjson"), lambda sent: None, url)
        delivery = Delivery(names, url, work / "lake")
        with cluster(work, environment) as running:
            job = submit(running, work / "app", OPTIONS)
            _healthy(running, job)
            time.sleep(CONTRACTS_S)
            publisher = Thread(target=_paced, args=(names, url, records, rate), daemon=True)
            publisher.start()
            outcome.hits = _inject(fault, running)
            outcome.healthy_after_s = _healthy(running, job)
            publisher.join()
            outcome.published = len(records) + _let_go(names, url, records, delivery)
            outcome.restarts = _metric(running, job, "numRestarts")
        time.sleep(2)
        outcome.orphans = len(workers())
    _look(outcome, work / "lake", delivery, [*records, *[records[0]] * (outcome.published - len(records))])
    return outcome


def _inject(fault: Fault, running: Cluster) -> int:
    hits = 0
    for _ in range(fault.times):
        time.sleep(fault.pause_s)
        hits += fault.inject(running)
    # Until then the cluster may not have seen the last hit.
    time.sleep(3)
    return hits


def _healthy(running: Cluster, job: str) -> float:
    """Seconds until every operator runs, five looks in a row."""
    started, looks = time.monotonic(), 0
    while looks < 5:
        if time.monotonic() - started > LIMIT_S:
            break
        try:
            found = running.get(f"/jobs/{job}")
            well = found["state"] == "RUNNING" and all(v["status"] == "RUNNING" for v in found["vertices"])
        except OSError:
            well = False
        looks = looks + 1 if well else 0
        time.sleep(0.5)
    return max(0.0, time.monotonic() - started - 2.5)


def _paced(names: Names, url: str, records: list[bytes], rate: int) -> None:
    for start in range(0, len(records), rate):
        publish(names.readings, iter(records[start : start + rate]), lambda sent: None, url)
        time.sleep(PACE_S)


def _let_go(names: Names, url: str, records: list[bytes], delivery: Delivery) -> int:
    """Wait for all records; returns how many more were published. Readings that wait for a contract go with later
    arrivals: repeats of one let them go.
    """
    repeated, deadline = 0, time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        delivery.refresh()
        missing = len(records) + repeated - sum(delivery.account()[name] for name in ACCOUNTED)
        if missing <= 0:
            break
        if missing > repeated:
            repeated += publish(names.readings, iter(records[:1]), lambda sent: None, url)
        time.sleep(3)
    return repeated


def _metric(running: Cluster, job: str, name: str) -> int:
    found = running.get(f"/jobs/{job}/metrics?get={name}")
    return int(float(found[0]["value"])) if found else -1


def _look(outcome: Outcome, lake: Path, delivery: Delivery, records: list[bytes]) -> None:
    oracle = _oracle(records)
    outcome.accounted = {name: delivery.account()[name] for name in ACCOUNTED}
    renamed = {"costed": "costs", "repeated": "repeated", "unpriced": "unpriced"}
    expected = {renamed[name]: count for name, count in oracle.counts.items()}
    expected["rejected"] = sum(map(is_malformed, records))
    outcome.wrong_counts = sum(outcome.accounted[name] != count for name, count in expected.items())
    sums = ", ".join(f"SUM({column})" for column in MONEY)
    with open_lake(lake) as connection:
        total, distinct, contents = connection.execute(
            f"SELECT COUNT(*), COUNT(DISTINCT reading_id), COUNT(DISTINCT ({', '.join(('reading_id', *MONEY))})) "
            "FROM costs_rows"
        ).fetchall()[0]
        rows = connection.execute(
            f"SELECT meter_id, CAST(cycle_start AS DATE), tariff_id, tariff_version, {sums} FROM costs GROUP BY ALL"
        ).fetchall()
    names = ("energy", "demand", "fixed", "export", "tax", "cost")
    got = {row[:4]: dict(zip(names, row[4:], strict=True)) for row in rows}
    right: dict[Any, Any] = oracle.costs()
    outcome.raw_copies, outcome.differing_copies = total - distinct, contents - distinct
    outcome.bills = len(right)
    outcome.wrong_bills = sum(got.get(bill) != right.get(bill) for bill in got.keys() | right.keys())


def _oracle(records: list[bytes]) -> Oracle:
    import json

    contracts = (SAMPLES / "contracts.ndjson").read_bytes().splitlines()
    tariffs = [json.loads(path.read_text()) for path in sorted((SAMPLES / "tariffs").glob("*.json"))]
    oracle = Oracle(contracts, tariffs)
    for record in records:
        if not is_malformed(record):
            oracle.add(json.loads(record))
    return oracle


def sample(count: int) -> Iterator[bytes]:
    """The first records of the sample."""
    for _, record in zip(range(count), records_of(SAMPLES / "readings.ndjson.gz"), strict=False):
        yield record
