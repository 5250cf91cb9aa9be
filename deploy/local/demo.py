"""The whole path on this machine, from readings to Parquet, with progress and a summary."""

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
from deploy.local.alerting import Alerting, create_alerting, received, sweep
from deploy.local.delivery import Delivery
from deploy.local.endpoint import stop
from deploy.local.resources import create, write_properties
from flink_job.config import PROPERTIES_VARIABLE
from flink_job.dataflow.environment import PROJECT, SHORT_RUN_JVM_ARGS
from flink_job.io.kinesis import client, publish

SAMPLES = PROJECT / "sample_data"
JOB_START_TIMEOUT_S = 120
CONTRACTS_S = 5.0
DELIVERY_TIMEOUT_S = 300
QUIET_S = 5.0
#: Readings without a contract wait for the arrival of later ones; when nothing else comes, draining lets them go.
STALL_S = 12.0
#: A demo publishes days in seconds. One shard keeps them in order: of a backlog in several, each advances at its own
#: pace in event time, and the readings of the slower ones would be late.
SHARDS = 1
WATERMARK_DELAY_S = 900
IDLE_TIMEOUT_S = 10
#: Longer than the local recipient's `group_s`, so that the last notices go out.
SWEEPS, SWEEP_S = 4, 1.5


class DemoError(RuntimeError):
    """The run did not come to its end; the message says where to look."""


@dataclass
class Progress:
    """What is shown while it works."""

    published: int = 0
    total: int = 0
    publishing_done: bool = False
    started: float = field(default_factory=time.monotonic)
    error: BaseException | None = None


def run_demo(
    endpoint: str, work: Path, readings: Path, contracts: Path, console: Console
) -> tuple[Delivery, list[dict[str, Any]]]:
    """Create resources, start the job, publish, wait until every record is delivered, stop the job.

    Returns what was delivered, and the messages that people were sent.
    """
    shutil.rmtree(work, ignore_errors=True)
    # At an endpoint that outlives the run, each run has resources of its own.
    names = Names(f"metering-{int(time.time())}" if "AWS_ENDPOINT_URL" in os.environ else "metering")
    console.print(f"endpoint {endpoint}: streams, delivery streams, bucket and tables")
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
    delivery = Delivery(names, endpoint, work / "lake")
    progress = Progress(total=sum(1 for _ in records_of(readings)))
    publish(names.contracts, records_of(contracts), lambda sent: None, endpoint)
    with running_job(work) as job:
        wait_until_running(job, work, console)
        publisher = Thread(target=_publish, args=(names, readings, endpoint, progress), daemon=True)
        publisher.start()
        _watch(job, delivery, progress, work, console)
        _drain(job, delivery, console)
    return delivery, _messages(endpoint, alerting, console)


def _messages(endpoint: str, alerting: Alerting, console: Console) -> list[dict[str, Any]]:
    """What people were told. Notices that wait to be told together are let go by the sweeper, which looks around."""
    found: list[dict[str, Any]] = []
    with console.status("the last notices go out"):
        for _ in range(SWEEPS):
            sweep(endpoint, alerting)
            found += received(endpoint, alerting.inbox)
            time.sleep(SWEEP_S)
    return found


@contextlib.contextmanager
def running_job(work: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The job as a process of its own, its log in `work`/job.log; gone at the end, with all it started."""
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
    """Wait for the job, and a little longer for it to read the contracts, so that hardly a reading waits for its own.

    Raises DemoError.
    """
    deadline = time.monotonic() + JOB_START_TIMEOUT_S
    with console.status("the job starts: JVM, plan, Python workers"):
        while '"message": "running"' not in (work / "job.log").read_text(encoding="utf-8"):
            check_running(job, work)
            if time.monotonic() > deadline:
                raise DemoError(f"the job did not start within {JOB_START_TIMEOUT_S} s; see {work}/job.log")
            time.sleep(0.2)
        time.sleep(CONTRACTS_S)


def records_of(path: Path) -> Iterator[bytes]:
    """Records of an NDJSON file, gzip or not."""
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


def _watch(job: subprocess.Popen[bytes], delivery: Delivery, progress: Progress, work: Path, console: Console) -> None:
    """Show the counts until every published record is accounted for in the lake, or only waiting ones are left."""
    deadline = time.monotonic() + DELIVERY_TIMEOUT_S
    moved = time.monotonic()
    with Live(_status(progress, delivery), console=console, refresh_per_second=2) as live:
        while not (progress.publishing_done and delivery.accounted >= progress.published):
            if progress.error is not None:
                raise DemoError(f"publishing failed: {progress.error}")
            check_running(job, work)
            if time.monotonic() > deadline:
                raise DemoError(f"not everything was delivered within {DELIVERY_TIMEOUT_S} s; see {work}/job.log")
            if delivery.refresh() or not delivery.accounted:
                moved = time.monotonic()
            elif progress.publishing_done and time.monotonic() - moved > STALL_S:
                return
            live.update(_status(progress, delivery))
            time.sleep(0.5)


def check_running(job: subprocess.Popen[bytes], work: Path) -> None:
    """Raises DemoError when the job has ended."""
    if job.poll() is not None:
        raise DemoError(f"the job ended with code {job.returncode}; see {work}/job.log")


def _drain(job: subprocess.Popen[bytes], delivery: Delivery, console: Console) -> None:
    """Stop the job at the end of event time, so that open windows are emitted, and wait for the last rows."""
    with console.status("stopping the job at the end of event time: the last windows close"):
        job.send_signal(signal.SIGTERM)
        if job.wait(120) != 0:
            raise DemoError(f"the job ended with code {job.returncode}; see its log")
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < QUIET_S:
            if delivery.refresh():
                quiet_since = time.monotonic()
            time.sleep(0.5)


def _status(progress: Progress, delivery: Delivery) -> Table:
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
    """(alert, change number) of what is in the alerts stream; the sink may have sent some more than once."""
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
