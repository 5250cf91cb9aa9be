"""Rehearsal of Managed Flink: runs the package on a real cluster that has only Flink installed.

A JobManager and a TaskManager of the apache-flink wheel run in an environment without this project. The job is
submitted with the run options of the properties file, whose path is in an environment variable, as the service does.
Readings arrive through Kinesis and costs leave through Firehose, both at the local endpoint.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from deploy.kit.names import Names
from deploy.local.demo import SAMPLES, records_of
from deploy.local.endpoint import EndpointError, endpoint, free_port
from deploy.rehearsal.cluster import PROJECT, Cluster, RehearsalError
from deploy.rehearsal.fixture import ClusterFixture, set_up, submit
from deploy.release.smoke import Clients, SmokeError, check
from deploy.stream_job.package import PACKAGE
from deploy.stream_job.properties import RUN_OPTIONS
from flink_job.io.kinesis import client
from flink_job.schemas import ACCOUNTED

RECORDS = 3000
#: An option that a program may not set, in Flink's message.
_REFUSED = re.compile(r"Configuration ([a-z0-9.-]+):")
SMOKE_S = 90


def rehearse(work: Path, console: Console, package: Path = PACKAGE) -> dict[str, int]:
    """Run the package; returns the records by outcome. Raises RehearsalError if they do not match those published."""
    shutil.rmtree(work, ignore_errors=True)
    names = Names("rehearsal")
    contracts = list(records_of(SAMPLES / "contracts.ndjson"))
    with endpoint(work / "endpoint.log", free_port()) as url:
        fixture = set_up(work, names, url, contracts, package)
        with console.status("Starting a JobManager and a TaskManager"), fixture.cluster() as running:
            refused = refuse_tuning(fixture, running)
            console.print(f"Tuning options refused as by the service: {', '.join(refused)}", highlight=False)
            job = fixture.submit(running)
            console.print("The package is running: job", job, highlight=False)
            time.sleep(5)
            records = list(islice(records_of(SAMPLES / "readings.ndjson.gz"), RECORDS))
            published = fixture.feed(records, fixture.publish(records))
            account = fixture.delivery.account()
            if sum(account[name] for name in ACCOUNTED) != published:
                raise RehearsalError(
                    f"{published} records were published, but the outcomes are {account}; see {work}/log"
                )
            found = check(_clients(url), names, datetime.now(UTC), SMOKE_S, poll_s=1)
            console.print(f"The smoke test passed: {found['cost']} {found['currency']} in Athena")
            if running.get(f"/jobs/{job}")["state"] != "RUNNING":
                raise RehearsalError(f"the job stopped running; see {work}/log")
    return account


def refuse_tuning(fixture: ClusterFixture, running: Cluster) -> list[str]:
    """Submit the job with tuning options and return the keys that the cluster refuses; restores the properties.

    Raises RehearsalError if the job is accepted: the cluster then does not restrict options as the service does.
    """
    fixture.change(job={"request_tuning": "true"})
    try:
        submit(running, fixture.app, fixture.groups()[RUN_OPTIONS])
    except RehearsalError as error:
        refused = sorted(set(_REFUSED.findall(str(error))))
        if refused:
            return refused
        raise
    finally:
        fixture.change(job={"request_tuning": "false"})
    raise RehearsalError(
        "the cluster accepts options that a program may not set: execution.program-config has no effect"
    )


def _clients(url: str) -> Clients:
    return Clients(*(client(service, url) for service in ("kinesis", "s3", "athena")))


def main(work: Path = PROJECT / "build" / "rehearsal") -> None:
    """Rehearse the package at build/flink-app.zip."""
    console = Console()
    started = time.monotonic()
    try:
        account = rehearse(work, console)
    except (RehearsalError, SmokeError, EndpointError, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    found = ", ".join(f"{name} {count:,}" for name, count in account.items())
    console.print(f"Delivered: {found}; {time.monotonic() - started:.0f} s", highlight=False)


if __name__ == "__main__":
    typer.run(main)
