"""A rehearsal of Managed Flink: the package in an empty place, on a real cluster that has Flink and nothing else.

A JobManager and a TaskManager run from the scripts of the apache-flink wheel, in an environment without this project.
The job is submitted as the service does it: by the run options of the properties file, which lies where an environment
variable says. Readings go in through Kinesis, costs come out through Firehose, at the local endpoint.
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
from deploy.rehearsal.stage import Setting, set_up, submit
from deploy.release.smoke import Clients, SmokeError, check
from deploy.stream_job.package import PACKAGE
from deploy.stream_job.properties import RUN_OPTIONS
from flink_job.io.kinesis import client
from flink_job.schemas import ACCOUNTED

RECORDS = 3000
#: How Flink names an option that a program may not set.
_REFUSED = re.compile(r"Configuration ([a-z0-9.-]+):")
SMOKE_S = 90


def rehearse(work: Path, console: Console, package: Path = PACKAGE) -> dict[str, int]:
    """Run the package; returns the records by outcome. Raises RehearsalError where they are not those published."""
    shutil.rmtree(work, ignore_errors=True)
    names = Names("rehearsal")
    contracts = list(records_of(SAMPLES / "contracts.ndjson"))
    with endpoint(work / "endpoint.log", free_port()) as url:
        setting = set_up(work, names, url, contracts, package)
        with console.status("a JobManager and a TaskManager start"), setting.cluster() as running:
            refused = refuse_tuning(setting, running)
            console.print(f"the tuning is refused as on the service: {', '.join(refused)}", highlight=False)
            job = setting.submit(running)
            console.print("the package runs: job", job, highlight=False)
            time.sleep(5)
            records = list(islice(records_of(SAMPLES / "readings.ndjson.gz"), RECORDS))
            published = setting.feed(records, setting.publish(records))
            account = setting.delivery.account()
            if sum(account[name] for name in ACCOUNTED) != published:
                raise RehearsalError(f"{published} records were published, {account} arrived; see {work}/log")
            found = check(_clients(url), names, datetime.now(UTC), SMOKE_S, poll_s=1)
            console.print(f"the check of a deployment passes: {found['cost']} {found['currency']} in Athena")
            if running.get(f"/jobs/{job}")["state"] != "RUNNING":
                raise RehearsalError(f"the job runs no more; see {work}/log")
    return account


def refuse_tuning(setting: Setting, running: Cluster) -> list[str]:
    """The keys for which the cluster refuses the job where it asks for its tuning; the properties are restored.

    Raises RehearsalError where the job is accepted: the cluster then proves nothing about what a program may set.
    """
    setting.change(job={"request_tuning": "true"})
    try:
        submit(running, setting.app, setting.groups()[RUN_OPTIONS])
    except RehearsalError as error:
        refused = sorted(set(_REFUSED.findall(str(error))))
        if refused:
            return refused
        raise
    finally:
        setting.change(job={"request_tuning": "false"})
    raise RehearsalError("the cluster accepts what a program may not set: execution.program-config is not in force")


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
    console.print(f"delivered: {found}; {time.monotonic() - started:.0f} s", highlight=False)


if __name__ == "__main__":
    typer.run(main)
