"""Demo of the whole path on this machine, from readings to Parquet, with progress display."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from deploy.kit.names import Names
from deploy.local.alerting import LocalAlerting, create_alerting, received, sweep
from deploy.local.endpoint import stop
from deploy.local.lake import LocalLake
from deploy.local.resources import create, write_properties
from flink_job.config import PROPERTIES_VARIABLE
from flink_job.dataflow.environment import PROJECT, SHORT_RUN_JVM_ARGS
from flink_job.io.kinesis import client, publish

SAMPLES = PROJECT / "sample_data"
JOB_START_TIMEOUT_S = 120
CONTRACTS_S = 5.0
DELIVERY_TIMEOUT_S = 300
QUIET_S = 5.0
#: Readings without a contract wait for later arrivals. After this time without progress, the job is drained.
STALL_S = 12.0
#: The demo publishes days of readings in seconds. Several shards would advance at different paces in event time, and
#: readings of slower ones would be late.
SHARDS = 1
WATERMARK_DELAY_S = 900
IDLE_TIMEOUT_S = 10
#: Longer than the recipient's `group_s`, so that the last notifications are sent.
SWEEPS, SWEEP_S = 4, 1.5


class DemoError(RuntimeError):
    """The demo failed; the message says where to look."""


@dataclass
class Progress:
    """Counts for the progress display."""

    published: int = 0
    total: int = 0
    publishing_done: bool = False
    started: float = field(default_factory=time.monotonic)
    error: BaseException | None = None


def run_demo(
    endpoint: str, work: Path, readings: Path, contracts: Path, console: Console
) -> tuple[LocalLake, list[dict[str, Any]]]:
    """Create resources, start the job, publish, wait until every record is delivered, stop the job.

    Returns the delivered rows and the notifications that were sent.
    """
    shutil.rmtree(work, ignore_errors=True)
    # An existing endpoint outlives the run, so each run creates its own resources.
    names = Names(f"metering-{int(time.time())}" if "AWS_ENDPOINT_URL" in os.environ else "metering")
    console.print(f"Creating resources at {endpoint}")
    triggers = ("notifier", "sweeper")
    alerting = create_alerting(create(names, endpoint, SAMPLES / "tariffs", SAMPLES / "rules.yaml", SHARDS, triggers))
    write_properties(
        work / "application_properties.json",
        names,
        endpoint,
        watermark_delay_s=WATERMARK_DELAY_S,
        idle_timeout_s=IDLE_TIMEOUT_S,
        checkpoint_s=10,
    )
    delivery = LocalLake(names, endpoint, work / "lake")
    progress = Progress(total=sum(1 for _ in records_of(readings)))
    publish(names.contracts, records_of(contracts), lambda sent: None, endpoint)
    with running_job(work) as job:
        wait_until_running(job, work, console)
        publisher = Thread(target=_publish, args=(names, readings, endpoint, progress), daemon=True)
        publisher.start()
        _wait_for_delivery(job, delivery, progress, work, console)
        _drain(job, delivery, console)
    return delivery, _messages(endpoint, alerting, console)


def _messages(endpoint: str, alerting: LocalAlerting, console: Console) -> list[dict[str, Any]]:
    """Notifications that were sent. The sweeper sends those that wait to be grouped."""
    found: list[dict[str, Any]] = []
    with console.status("Sending the last notifications"):
        for _ in range(SWEEPS):
            sweep(endpoint, alerting)
            found += received(endpoint, alerting.inbox)
            time.sleep(SWEEP_S)
    return found


@contextlib.contextmanager
def running_job(work: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The job in its own process, with its log in `work`/job.log; killed at the end with its children."""
    properties = str(work / "application_properties.json")
    environment = {"JVM_ARGS": SHORT_RUN_JVM_ARGS, **os.environ, PROPERTIES_VARIABLE: properties}
    command = [sys.executable, "-m", "flink_job", "run", "--state-dir", str(work / "state"), *arguments]
    work.mkdir(parents=True, exist_ok=True)
    with (work / "job.log").open("ab") as log:
        job = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=PROJECT, start_new_session=True)
    try:
        yield job
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
        stop(job)


def wait_until_running(job: subprocess.Popen[bytes], work: Path, console: Console) -> None:
    """Wait until the job is running and has read the contracts, so that few readings wait for their contract.

    Raises DemoError.
    """
    deadline = time.monotonic() + JOB_START_TIMEOUT_S
    with console.status("Starting the job: JVM, plan, Python workers"):
        while '"message": "running"' not in (work / "job.log").read_text(encoding="utf-8"):
            check_running(job, work)
            if time.monotonic() > deadline:
                raise DemoError(f"the job did not start within {JOB_START_TIMEOUT_S} s; see {work}/job.log")
            time.sleep(0.2)
        time.sleep(CONTRACTS_S)


def records_of(path: Path) -> Iterator[bytes]:
    """Records of an NDJSON file, plain or gzipped."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            yield line.rstrip(b"\n")


def _publish(names: Names, readings: Path, endpoint: str, progress: Progress) -> None:
    def sent(count: int) -> None:
        progress.published = count

    try:
        publish(names.readings, records_of(readings), sent, endpoint)
    except BaseException as error:
        progress.error = error
    progress.publishing_done = True


def _wait_for_delivery(
    job: subprocess.Popen[bytes], delivery: LocalLake, progress: Progress, work: Path, console: Console
) -> None:
    """Show progress until every published record is accounted for, or only readings without contract are left."""
    deadline = time.monotonic() + DELIVERY_TIMEOUT_S
    moved = time.monotonic()
    with Live(_status(progress, delivery), console=console, refresh_per_second=2) as live:
        while not (progress.publishing_done and delivery.accounted >= progress.published):
            if progress.error is not None:
                raise DemoError(f"publishing failed: {progress.error}")
            check_running(job, work)
            if time.monotonic() > deadline:
                raise DemoError(f"not all records were delivered within {DELIVERY_TIMEOUT_S} s; see {work}/job.log")
            if delivery.refresh() or not delivery.accounted:
                moved = time.monotonic()
            elif progress.publishing_done and time.monotonic() - moved > STALL_S:
                return
            live.update(_status(progress, delivery))
            time.sleep(0.5)


def check_running(job: subprocess.Popen[bytes], work: Path) -> None:
    """Raises DemoError if the job has exited."""
    if job.poll() is not None:
        raise DemoError(f"the job exited with code {job.returncode}; see {work}/job.log")


def _drain(job: subprocess.Popen[bytes], delivery: LocalLake, console: Console) -> None:
    """Stop the job at the end of event time, so that open windows are emitted, and wait for the last rows."""
    with console.status("Draining the job: the last windows close"):
        job.send_signal(signal.SIGTERM)
        if job.wait(120) != 0:
            raise DemoError(f"the job exited with code {job.returncode}; see its log")
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < QUIET_S:
            if delivery.refresh():
                quiet_since = time.monotonic()
            time.sleep(0.5)


def _status(progress: Progress, delivery: LocalLake) -> Table:
    rows = delivery.rows
    seconds = time.monotonic() - progress.started
    table = Table(
        "published", "delivered", "costed", "duplicates", "rejected", "unpriced", "KPI rows", "alerts", "records/s"
    )
    done = min(1.0, delivery.accounted / max(1, progress.total))
    table.add_row(
        f"{progress.published:,}",
        f"{delivery.accounted:,} ({done:.0%})",
        *(f"{rows[name]:,}" for name in ("costs", "duplicates", "rejected", "unpriced", "kpis", "alerts")),
        f"{delivery.accounted / seconds:,.0f}",
    )
    return table


def alerts_in_stream(names: Names, endpoint: str) -> set[tuple[str, int]]:
    """(alert id, change number) of every record in the alerts stream; the sink may have written some twice."""
    kinesis = client("kinesis", endpoint)
    found = set()
    for shard in kinesis.list_shards(StreamName=names.alerts)["Shards"]:
        at = kinesis.get_shard_iterator(
            StreamName=names.alerts, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while records := (page := kinesis.get_records(ShardIterator=at))["Records"]:
            rows = [json.loads(record["Data"]) for record in records]
            found |= {(row["alert_id"], row["change_number"]) for row in rows}
            at = page["NextShardIterator"]
    return found
