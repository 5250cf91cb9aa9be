"""A rehearsal of Managed Flink: the package in an empty place, on a real cluster that has Flink and nothing else.

A JobManager and a TaskManager run from the scripts of the apache-flink wheel, in an environment without this project.
The job is submitted as the service does it: by the run options of the properties file, which lies where an environment
variable says. Readings go in through Kinesis, costs come out through Firehose, at the local endpoint.
"""

from __future__ import annotations

import shutil
import sys
import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from deploy.local.demo import SAMPLES, records_of
from deploy.local.endpoint import EndpointError, endpoint, free_port
from deploy.names import Names
from deploy.release.smoke import Clients, SmokeError, check
from deploy.stream_job.cluster import PROJECT, RehearsalError
from deploy.stream_job.package import PACKAGE
from deploy.stream_job.stage import set_up
from flink_job.publish import client
from flink_job.schemas import ACCOUNTED

RECORDS = 3000
#: What RocksDB notes beside its files where it has granted what flink_job/environment.py asks for.
GRANTED = (
    "write_buffer_size=8388608",
    "block_size=16384",
    "compression_per_level=kLZ4Compression",
    "index_type=kTwoLevelIndexSearch",
    "filter_policy=rocksdb.BuiltinBloomFilter",
)
SMOKE_S = 90


def rehearse(work: Path, console: Console, package: Path = PACKAGE) -> dict[str, int]:
    """Run the package; returns the records by outcome. Raises RehearsalError where they are not those published."""
    shutil.rmtree(work, ignore_errors=True)
    names = Names("rehearsal")
    contracts = list(records_of(SAMPLES / "contracts.ndjson"))
    with endpoint(work / "endpoint.log", free_port()) as url:
        setting = set_up(work, names, url, contracts, package)
        with console.status("a JobManager and a TaskManager start"), setting.cluster() as running:
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
            if not granted(work / "tmp"):
                raise RehearsalError("RocksDB has refused what flink_job/environment.py asks of it")
            if running.get(f"/jobs/{job}")["state"] != "RUNNING":
                raise RehearsalError(f"the job runs no more; see {work}/log")
    return account


def granted(folder: Path) -> bool:
    """Whether every RocksDB whose files lie below `folder` has what the job asks for."""
    notes = [path.read_text(encoding="utf-8") for path in folder.rglob("OPTIONS-*")]
    return bool(notes) and all(option in note for note in notes for option in GRANTED)


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
