"""A standalone Flink cluster on this machine: a JobManager and a TaskManager of the apache-flink wheel."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deploy.local.endpoint import free_port, stop
from deploy.stream_job.service import KPU_MEMORY, PROGRAM_KEYS

PROJECT = Path(__file__).resolve().parents[2]
CLUSTER_PYTHON = PROJECT / ".venv-flink" / "bin" / "python"
TIMEOUT_S = 180


class RehearsalError(RuntimeError):
    """The rehearsal failed; the message says where to look."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster. `flink_home` is the wheel's folder, `rest` the port of the REST API."""

    flink_home: Path
    rest: int
    environment: dict[str, str]
    work: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}{path}", timeout=5) as answer:
            return json.loads(answer.read())

    def start(self, script: str) -> None:
        """Start a process of the cluster (`jobmanager.sh` or `taskmanager.sh`)."""
        line = ["bash", str(self.flink_home / "bin" / script), "start-foreground"]
        with (self.work / "log" / f"{script}.out").open("ab") as log:
            self.processes[script] = subprocess.Popen(
                line, env=self.environment, stdout=log, stderr=log, cwd=self.work, start_new_session=True
            )

    def wait_for_slots(self) -> None:
        """Wait until a job can be started. Raises RehearsalError, at once if a process has exited."""
        wait_for(self._has_slots, "the cluster has no slots", self.work)

    def _has_slots(self) -> bool:
        for script, process in self.processes.items():
            if process.poll() is not None:
                raise RehearsalError(f"{script} exited; see {self.work}/log/{script}.out")
        return bool(self.get("/overview")["slots-available"] > 0)

    def kill(self, script: str) -> None:
        """Kill a process with its children."""
        process = self.processes.pop(script)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        stop(process)

    def restart(self, script: str) -> None:
        """Kill a process with its children, and start it again."""
        self.kill(script)
        self.start(script)


@contextlib.contextmanager
def cluster(work: Path, environment: dict[str, str], **options: object) -> Iterator[Cluster]:
    """A new JobManager and TaskManager, killed at the end with their children.

    `options` are Flink options that override those of the service.
    """
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
    # Retain the JVM options of the wheel's configuration, which Flink needs on newer JVMs.
    of_the_wheel = yaml.safe_load((conf / "config.yaml").read_text(encoding="utf-8"))["env"]
    configuration = {"env": of_the_wheel, **_configuration(work, rest), **options}
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
    found = Cluster(home, rest, started, work)
    try:
        for script in ("jobmanager.sh", "taskmanager.sh"):
            found.start(script)
        found.wait_for_slots()
        yield found
    finally:
        for script in list(reversed(found.processes)):
            found.kill(script)


def _configuration(work: Path, rest: int) -> dict[str, Any]:
    """Configuration of the service (RocksDB, incremental checkpoints, memory of a KPU, keys that a program may set).

    All addresses are of the loopback interface.
    """
    return {
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.rpc.port": free_port(),
        "jobmanager.bind-host": "127.0.0.1",
        "jobmanager.memory.process.size": "1400m",
        "blob.server.port": str(free_port()),
        "taskmanager.host": "127.0.0.1",
        "taskmanager.bind-host": "127.0.0.1",
        **KPU_MEMORY,
        "taskmanager.numberOfTaskSlots": 1,
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.port": rest,
        "execution.program-config.enabled": False,
        "execution.program-config.wildcards": ";".join(PROGRAM_KEYS),
        "state.backend.type": "rocksdb",
        "execution.checkpointing.interval": "5 s",
        "execution.checkpointing.incremental": True,
        "execution.checkpointing.dir": (work / "checkpoints").as_uri(),
        "io.tmp.dirs": str(work / "tmp"),
        "restart-strategy.type": "exponential-delay",
    }


def wait_for(condition: Any, what: str, work: Path) -> None:
    """Wait until a condition holds. Raises RehearsalError after TIMEOUT_S; `what` is its message."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, KeyError, TimeoutError):
            if condition():
                return
        time.sleep(0.5)
    raise RehearsalError(f"{what} within {TIMEOUT_S} s; see {work}/log")
