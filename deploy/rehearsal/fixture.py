"""The package on a real cluster at the local endpoint, shared by the rehearsal and the chaos tests."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.kit.names import Names
from deploy.local.demo import SAMPLES
from deploy.local.endpoint import CREDENTIALS
from deploy.local.lake import LocalLake
from deploy.local.resources import create, write_properties
from deploy.local.stacks import Stacks
from deploy.rehearsal.cluster import CLUSTER_PYTHON, TIMEOUT_S, Cluster, RehearsalError, cluster, wait_for
from deploy.stream_job.package import PACKAGE
from deploy.stream_job.properties import RUN_OPTIONS
from flink_job.config import PROPERTIES_VARIABLE
from flink_job.io.kinesis import publish
from flink_job.schemas import ACCOUNTED


@dataclass
class ClusterFixture:
    """A deployment at the local endpoint, with the package unpacked in a folder next to its properties file.

    `url` is the endpoint; `streams` is that of the Kinesis streams, which may differ.
    """

    names: Names
    url: str
    work: Path
    stacks: Stacks
    delivery: LocalLake
    streams: str

    @property
    def app(self) -> Path:
        return self.work / "app"

    @property
    def properties(self) -> Path:
        return self.work / "application_properties.json"

    def groups(self) -> dict[str, dict[str, str]]:
        """Property groups of the properties file."""
        document = json.loads(self.properties.read_text(encoding="utf-8"))
        return {group["PropertyGroupId"]: group["PropertyMap"] for group in document}

    def change(self, **groups: dict[str, str]) -> None:
        """Change properties by group."""
        changed = self.groups()
        for name, values in groups.items():
            changed[name] |= values
        document = [{"PropertyGroupId": name, "PropertyMap": values} for name, values in changed.items()]
        self.properties.write_text(json.dumps(document, indent=2), encoding="utf-8")

    @contextlib.contextmanager
    def cluster(self, **options: object) -> Iterator[Cluster]:
        """A new cluster with the environment of the service; `options` are Flink options."""
        environment = {
            **os.environ,
            **{name: os.environ.get(name, value) for name, value in CREDENTIALS.items()},
            PROPERTIES_VARIABLE: str(self.properties),
            "CBOR_ENABLED": "false",
            "AWS_CBOR_DISABLE": "true",
        }
        with cluster(self.work, environment, **options) as running:
            yield running

    def submit(self, running: Cluster, savepoint: str = "") -> str:
        """Start the job with its run options, as the service does, and wait until it is running; returns its id."""
        job = submit(running, self.app, self.groups()[RUN_OPTIONS], savepoint)
        wait_for(lambda: runs(running, job), "the job was not running", self.work)
        return job

    def publish(self, records: list[bytes]) -> int:
        """Publish readings; returns their number."""
        return publish(self.names.readings, iter(records), lambda sent: None, self.streams)

    def feed(
        self,
        records: list[bytes],
        published: int,
        limit_s: float = TIMEOUT_S,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> int:
        """Wait until all `published` records are accounted for, at most `limit_s`; returns the number published.

        Readings without a contract wait for later arrivals, so duplicates of the first record are published while
        waiting. `meanwhile` is called between polls.
        """
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline and (arrived := self._arrived()) < published:
            if arrived < len(records):
                published += self.publish(records[:1])
            meanwhile()
            time.sleep(1)
        return published

    def _arrived(self) -> int:
        """Number of records accounted for; rows that sinks write twice count once."""
        self.delivery.refresh()
        if not self.delivery.accounted:
            return 0
        account = self.delivery.account()
        return sum(account[name] for name in ACCOUNTED)


def set_up(
    work: Path,
    names: Names,
    url: str,
    contracts: list[bytes],
    package: Path = PACKAGE,
    streams: str = "",
    create_options: dict[str, Any] | None = None,
    **job: object,
) -> ClusterFixture:
    """Create the deployment at an endpoint, publish the contracts, unpack the package into a new folder."""
    shutil.rmtree(work / "app", ignore_errors=True)
    (work / "tmp").mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(package) as archive:
        archive.extractall(work / "app")
    options = {"shards": 1, **(create_options or {})}
    stacks = create(names, url, SAMPLES / "tariffs", SAMPLES / "rules.yaml", **options)
    fixture = ClusterFixture(names, url, work, stacks, LocalLake(names, url, work / "lake"), streams or url)
    write_properties(fixture.properties, names, url, **{"checkpoint_s": 5, "idle_timeout_s": 5, **job})  # type: ignore[arg-type]
    publish(names.contracts, iter(contracts), lambda sent: None, fixture.streams)
    return fixture


def submit(running: Cluster, app: Path, options: dict[str, str], savepoint: str = "") -> str:
    """Start the job with its run options, as the service does; returns its id. Raises RehearsalError."""
    line = [
        "bash", str(running.flink_home / "bin" / "flink"), "run", "--detached",
        *(["--fromSavepoint", savepoint] if savepoint else []),
        "--jarfile", str(app / options["jarfile"]),
        "--jobmanager", f"127.0.0.1:{running.rest}",
        "--pyFiles", str(app / options["pyFiles"]), "--python", str(app / options["python"]),
        "--pyExecutable", str(CLUSTER_PYTHON), "--pyClientExecutable", str(CLUSTER_PYTHON),
    ]  # fmt: skip
    done = subprocess.run(
        line, env=running.environment, cwd=app, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RehearsalError(f"the job was not accepted:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return next(str(j["id"]) for j in running.get("/jobs")["jobs"] if j["status"] not in ("FINISHED", "FAILED"))


def runs(running: Cluster, job: str) -> bool:
    """True if every operator of the job is running. Raises RehearsalError if the job has failed."""
    found = running.get(f"/jobs/{job}")
    if found["state"] in ("FAILED", "CANCELED"):
        exceptions = running.get(f"/jobs/{job}/exceptions")
        raise RehearsalError(f"the job is {found['state']}: {str(exceptions)[:3000]}")
    return found["state"] == "RUNNING" and all(v["status"] == "RUNNING" for v in found["vertices"])
