"""A rehearsal of Managed Flink: the package in an empty place, on a real cluster that has Flink and nothing else.

A JobManager and a TaskManager run from the scripts of the apache-flink wheel, in an environment without this project.
The job is submitted as the service does it: by the run options of the properties file, which lies where an environment
variable says. Readings go in through Kinesis, costs come out through Firehose, at the local endpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from deploy.local.delivery import Delivery
from deploy.local.demo import SAMPLES, records_of
from deploy.local.endpoint import CREDENTIALS, EndpointError, endpoint, free_port
from deploy.local.resources import create, write_properties
from deploy.names import Names
from deploy.release.smoke import Clients, SmokeError, check
from deploy.stream_job.cluster import CLUSTER_PYTHON, PROJECT, TIMEOUT_S, Cluster, RehearsalError, cluster, wait_for
from deploy.stream_job.package import PACKAGE
from deploy.stream_job.properties import RUN_OPTIONS
from flink_job.config import PROPERTIES_VARIABLE
from flink_job.publish import client, publish
from flink_job.schemas import ACCOUNTED

RECORDS = 3000
SMOKE_S = 90


def submit(running: Cluster, app: Path, options: dict[str, str]) -> str:
    """Start the job as the service does, by its run options; returns its id."""
    line = [
        "bash", str(running.flink_home / "bin" / "flink"), "run", "--detached",
        "--jarfile",
        str(app / options["jarfile"]),
        "--jobmanager", f"127.0.0.1:{running.rest}",
        "--pyFiles", str(app / options["pyFiles"]), "--python", str(app / options["python"]),
        "--pyExecutable", str(CLUSTER_PYTHON), "--pyClientExecutable", str(CLUSTER_PYTHON),
    ]  # fmt: skip
    done = subprocess.run(
        line, env=running.environment, cwd=app, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RehearsalError(f"the job was not taken:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return str(running.get("/jobs")["jobs"][0]["id"])


def rehearse(work: Path, console: Console, package: Path = PACKAGE) -> dict[str, int]:
    """Run the package; returns the records by outcome. Raises RehearsalError where they are not those published."""
    shutil.rmtree(work, ignore_errors=True)
    app = work / "app"
    app.mkdir(parents=True)
    (work / "tmp").mkdir()
    with zipfile.ZipFile(package) as archive:
        archive.extractall(app)
    names = Names("rehearsal")
    with endpoint(work / "endpoint.log", free_port()) as url:
        create(names, url, SAMPLES / "tariffs", SAMPLES / "rules.yaml", shards=1)
        properties = work / "application_properties.json"
        write_properties(properties, names, url, checkpoint_s=5, idle_timeout_s=5)
        groups = {g["PropertyGroupId"]: g["PropertyMap"] for g in json.loads(properties.read_text(encoding="utf-8"))}
        environment = {
            **os.environ,
            **{name: os.environ.get(name, value) for name, value in CREDENTIALS.items()},
            PROPERTIES_VARIABLE: str(properties),
            "CBOR_ENABLED": "false",
            "AWS_CBOR_DISABLE": "true",
        }
        delivery = Delivery(names, url, work / "lake")
        publish(names.contracts, records_of(SAMPLES / "contracts.ndjson"), lambda sent: None, url)
        with console.status("a JobManager and a TaskManager start"), cluster(work, environment) as running:
            job = submit(running, app, groups[RUN_OPTIONS])
            wait_for(lambda: _runs(running, job), "the job does not run", work)
            console.print("the package runs: job", job, highlight=False)
            time.sleep(5)
            records = [
                record for record, _ in zip(records_of(SAMPLES / "readings.ndjson.gz"), range(RECORDS), strict=False)
            ]
            published = _feed(names, url, records, delivery, work)
            account = delivery.account()
            if sum(account[name] for name in ACCOUNTED) != published:
                raise RehearsalError(f"{published} records were published, {account} arrived; see {work}/log")
            found = check(_clients(url), names, datetime.now(UTC), SMOKE_S, poll_s=1)
            console.print(f"the check of a deployment passes: {found['cost']} {found['currency']} in Athena")
            if running.get(f"/jobs/{job}")["state"] != "RUNNING":
                raise RehearsalError(f"the job runs no more; see {work}/log")
    return account


def _clients(url: str) -> Clients:
    return Clients(*(client(service, url) for service in ("kinesis", "s3", "athena")))


def _feed(names: Names, url: str, records: list[bytes], delivery: Delivery, work: Path) -> int:
    """Publish the records and wait until all are accounted for; returns how many were published.

    Readings without a contract wait for later arrivals: repeats of one record let them go.
    """
    publish(names.readings, iter(records), lambda sent: None, url)
    published = len(records)

    def all_arrived() -> bool:
        nonlocal published
        if (arrived := _arrived(delivery)) < len(records):
            published += publish(names.readings, iter(records[:1]), lambda sent: None, url)
            time.sleep(1)
        return arrived >= len(records)

    wait_for(all_arrived, "the records did not arrive", work)
    wait_for(lambda: _arrived(delivery) >= published, "the last records did not arrive", work)
    return published


def _runs(running: Cluster, job: str) -> bool:
    found = running.get(f"/jobs/{job}")
    if found["state"] in ("FAILED", "CANCELED"):
        exceptions = running.get(f"/jobs/{job}/exceptions")
        raise RehearsalError(f"the job is {found['state']}: {str(exceptions)[:3000]}")
    return found["state"] == "RUNNING" and all(v["status"] == "RUNNING" for v in found["vertices"])


def _arrived(delivery: Delivery) -> int:
    delivery.refresh()
    return delivery.accounted


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
