"""A package on a real cluster at the local endpoint: what a rehearsal and injected faults have in common."""

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
from deploy.local.delivery import Delivery
from deploy.local.demo import SAMPLES
from deploy.local.endpoint import CREDENTIALS
from deploy.local.resources import create, write_properties
from deploy.local.stacks import Stacks
from deploy.rehearsal.cluster import CLUSTER_PYTHON, TIMEOUT_S, Cluster, RehearsalError, cluster, wait_for
from deploy.stream_job.package import PACKAGE
from deploy.stream_job.properties import RUN_OPTIONS
from flink_job.config import PROPERTIES_VARIABLE
from flink_job.io.kinesis import publish
from flink_job.schemas import ACCOUNTED


@dataclass
class Setting:
    """A deployment at the local endpoint, and the package unpacked in an empty place beside its properties file.

    `url` is the endpoint, `streams` that of the Kinesis streams, which may be another.
    """

    names: Names
    url: str
    work: Path
    stacks: Stacks
    delivery: Delivery
    streams: str

    @property
    def app(self) -> Path:
        return self.work / "app"

    @property
    def properties(self) -> Path:
        return self.work / "application_properties.json"

    def groups(self) -> dict[str, dict[str, str]]:
        """The property groups."""
        document = json.loads(self.properties.read_text(encoding="utf-8"))
        return {group["PropertyGroupId"]: group["PropertyMap"] for group in document}

    def change(self, **groups: dict[str, str]) -> None:
        """Change properties, by group."""
        changed = self.groups()
        for name, values in groups.items():
            changed[name] |= values
        document = [{"PropertyGroupId": name, "PropertyMap": values} for name, values in changed.items()]
        self.properties.write_text(json.dumps(document, indent=2), encoding="utf-8")

    @contextlib.contextmanager
    def cluster(self, **options: object) -> Iterator[Cluster]:
        """A cluster of its own, with the environment that the service gives the job; `options` are Flink's."""
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
        """Start the job as the service does, by its run options, and wait until it runs; returns its id."""
        job = submit(running, self.app, self.groups()[RUN_OPTIONS], savepoint)
        wait_for(lambda: runs(running, job), "the job does not run", self.work)
        return job

    def publish(self, records: list[bytes]) -> int:
        """Publish readings."""
        return publish(self.names.readings, iter(records), lambda sent: None, self.streams)

    def feed(
        self,
        records: list[bytes],
        published: int,
        limit_s: float = TIMEOUT_S,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> int:
        """Wait until all of `records` are accounted for, `published` ones in all, or no longer than `limit_s`; returns
        how many were published. `meanwhile` is called at each look.

        Readings without a contract wait for later arrivals: repeats of one record let them go.
        """
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline and (arrived := self._arrived()) < published:
            if arrived < len(records):
                published += self.publish(records[:1])
            meanwhile()
            time.sleep(1)
        return published

    def _arrived(self) -> int:
        """Records accounted for, each once: sinks may write a row again."""
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
) -> Setting:
    """Create the deployment at an endpoint, publish the contracts, unpack the package into an empty folder."""
    shutil.rmtree(work / "app", ignore_errors=True)
    (work / "tmp").mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(package) as archive:
        archive.extractall(work / "app")
    options = {"shards": 1, **(create_options or {})}
    stacks = create(names, url, SAMPLES / "tariffs", SAMPLES / "rules.yaml", **options)
    setting = Setting(names, url, work, stacks, Delivery(names, url, work / "lake"), streams or url)
    write_properties(setting.properties, names, url, **{"checkpoint_s": 5, "idle_timeout_s": 5, **job})  # type: ignore[arg-type]
    publish(names.contracts, iter(contracts), lambda sent: None, setting.streams)
    return setting


def submit(running: Cluster, app: Path, options: dict[str, str], savepoint: str = "") -> str:
    """Start the job as the service does, by its run options; returns its id."""
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
        raise RehearsalError(f"the job was not taken:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return next(str(j["id"]) for j in running.get("/jobs")["jobs"] if j["status"] not in ("FINISHED", "FAILED"))


def runs(running: Cluster, job: str) -> bool:
    """True when every operator of the job runs. Raises RehearsalError where it has failed."""
    found = running.get(f"/jobs/{job}")
    if found["state"] in ("FAILED", "CANCELED"):
        exceptions = running.get(f"/jobs/{job}/exceptions")
        raise RehearsalError(f"the job is {found['state']}: {str(exceptions)[:3000]}")
    return found["state"] == "RUNNING" and all(v["status"] == "RUNNING" for v in found["vertices"])
