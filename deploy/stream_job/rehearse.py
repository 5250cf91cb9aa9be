"""A rehearsal of Managed Flink: the package in an empty place, on a real cluster that has Flink and nothing else.

A JobManager and a TaskManager run from the scripts of the apache-flink wheel, in an environment without this project.
The job is submitted as the service does it: by the run options of the properties file, which lies where an environment
variable says. Readings go in through Kinesis, costs come out through Firehose, at the local endpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import yaml
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from deploy.local.delivery import Delivery
from deploy.local.demo import SAMPLES, records_of
from deploy.local.endpoint import CREDENTIALS, EndpointError, endpoint, free_port, stop
from deploy.local.resources import Names, create, write_properties
from deploy.stream_job.package import PACKAGE
from flink_job.config import PROPERTIES_VARIABLE
from flink_job.publish import publish

PROJECT = Path(__file__).resolve().parents[2]
CLUSTER_PYTHON = PROJECT / ".venv-flink" / "bin" / "python"
RUN_OPTIONS = "kinesis.analytics.flink.run.options"
OPTIONS = {"python": "main.py", "jarfile": "lib/flink-dependencies.jar", "pyFiles": "dep/"}
RECORDS = 3000
TIMEOUT_S = 180


class RehearsalError(RuntimeError):
    """The package did not run as it should; the message says where to look."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster. `flink_home` is that of the wheel, `rest` the port of its REST interface."""

    flink_home: Path
    rest: int
    environment: dict[str, str]

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}{path}", timeout=5) as answer:
            return json.loads(answer.read())


@contextlib.contextmanager
def cluster(work: Path, environment: dict[str, str]) -> Iterator[Cluster]:
    """A JobManager and a TaskManager of their own, stopped at the end with all they started."""
    if not CLUSTER_PYTHON.exists():
        raise RehearsalError(f"{CLUSTER_PYTHON} is missing: run 'make rehearse'")
    home = Path(
        subprocess.check_output(
            [CLUSTER_PYTHON, "-c", "import pyflink; print(pyflink.__path__[0])"], text=True, cwd=work
        ).strip()
    )
    rest = free_port()
    conf = work / "conf"
    shutil.copytree(home / "conf", conf)
    # What the wheel's own configuration opens to Flink on newer JVMs stays.
    options = yaml.safe_load((conf / "config.yaml").read_text(encoding="utf-8"))["env"]
    configuration = {"env": options, **_configuration(work, rest)}
    (conf / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    started = {
        **{k: v for k, v in environment.items() if k != "PYTHONPATH"},
        "FLINK_HOME": str(home),
        "FLINK_CONF_DIR": str(conf),
        "FLINK_LOG_DIR": str(work / "log"),
        "FLINK_PID_DIR": str(work),
        "PATH": f"{CLUSTER_PYTHON.parent}:{environment['PATH']}",
    }
    (work / "log").mkdir()
    processes = []
    try:
        for script in ("jobmanager.sh", "taskmanager.sh"):
            with (work / "log" / f"{script}.out").open("wb") as log:
                line = ["bash", str(home / "bin" / script), "start-foreground"]
                processes.append(
                    subprocess.Popen(line, env=started, stdout=log, stderr=log, cwd=work, start_new_session=True)
                )
        found = Cluster(home, rest, started)
        _wait(lambda: found.get("/overview")["slots-available"] > 0, "the cluster has no slots", work)
        yield found
    finally:
        for process in reversed(processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            stop(process)


def _configuration(work: Path, rest: int) -> dict[str, Any]:
    """What the service sets (RocksDB, incremental checkpoints), and addresses of this machine alone."""
    return {
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": free_port(),
        "jobmanager.bind-host": "127.0.0.1",
        "jobmanager.memory.process.size": "1400m",
        "blob.server.port": str(free_port()),
        "taskmanager.host": "127.0.0.1",
        "taskmanager.bind-host": "127.0.0.1",
        "taskmanager.memory.process.size": "3000m",
        "taskmanager.memory.managed.size": "900m",
        "taskmanager.numberOfTaskSlots": 1,
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": rest,
        "state.backend.type": "rocksdb",
        "execution.checkpointing.interval": "5 s",
        "execution.checkpointing.incremental": True,
        "execution.checkpointing.dir": (work / "checkpoints").as_uri(),
        "io.tmp.dirs": str(work / "tmp"),
        "restart-strategy.type": "exponential-delay",
    }


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
    """Run the package; returns the records by outcome. Raises RehearsalError where they do not add up."""
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
        groups = json.loads(properties.read_text(encoding="utf-8"))
        groups.append({"PropertyGroupId": RUN_OPTIONS, "PropertyMap": OPTIONS})
        properties.write_text(json.dumps(groups), encoding="utf-8")
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
            job = submit(running, app, OPTIONS)
            _wait(lambda: _runs(running, job), "the job does not run", work)
            console.print("the package runs: job", job, highlight=False)
            time.sleep(5)
            records = [
                record for record, _ in zip(records_of(SAMPLES / "readings.ndjson.gz"), range(RECORDS), strict=False)
            ]
            publish(names.readings, iter(records), lambda sent: None, url)
            _wait(lambda: _arrived(delivery) >= 0.9 * RECORDS, "hardly any record arrived", work)
            if running.get(f"/jobs/{job}")["state"] != "RUNNING":
                raise RehearsalError(f"the job runs no more; see {work}/log")
    account = delivery.account()
    if account["costs"] < 0.8 * RECORDS:
        raise RehearsalError(f"only {account['costs']} costs of {RECORDS} readings arrived; see {work}/log")
    return account


def _runs(running: Cluster, job: str) -> bool:
    found = running.get(f"/jobs/{job}")
    if found["state"] in ("FAILED", "CANCELED"):
        exceptions = running.get(f"/jobs/{job}/exceptions")
        raise RehearsalError(f"the job is {found['state']}: {str(exceptions)[:3000]}")
    return found["state"] == "RUNNING" and all(v["status"] == "RUNNING" for v in found["vertices"])


def _arrived(delivery: Delivery) -> int:
    delivery.refresh()
    return delivery.accounted


def _wait(condition: Any, what: str, work: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, KeyError, TimeoutError):
            if condition():
                return
        time.sleep(0.5)
    raise RehearsalError(f"{what} within {TIMEOUT_S} s; see {work}/log")


def main(work: Path = PROJECT / "build" / "rehearsal") -> None:
    """Rehearse the package at build/flink-app.zip."""
    console = Console()
    started = time.monotonic()
    try:
        account = rehearse(work, console)
    except (RehearsalError, EndpointError, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    found = ", ".join(f"{name} {count:,}" for name, count in account.items())
    console.print(f"delivered: {found}; {time.monotonic() - started:.0f} s", highlight=False)


if __name__ == "__main__":
    typer.run(main)
