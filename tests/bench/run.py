"""Run a program of the benchmark and measure it from outside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import site
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

from deploy.local.endpoint import free_port
from flink_job.dataflow.environment import PROJECT
from tests.bench.data import Input
from tests.bench.progress import PERIOD_S, Progress

#: Seconds from the end of the readings to the end of a job that does not end on its own: long enough for a
#: checkpoint, which is taken each minute.
REST_S = 75


class BenchError(RuntimeError):
    """A program of the bench failed; the message is the end of its output."""


@dataclass
class Result:
    """Result of one run."""

    name: str
    readings: int
    readings_per_s: float
    cpu_us_per_reading: float
    seconds: float
    start_s: float
    peak_bytes: dict[str, int]
    checkpoints: list[dict[str, Any]] = field(default_factory=list)


def run_flink(name: str, data: Input, work: Path, **options: object) -> Result:
    """Run a Flink job of the bench (see tests.bench.child)."""
    state = work / "state"
    shutil.rmtree(state, ignore_errors=True)
    port = free_port()
    arguments = [name, data.folder, data.meters, data.readings, state, "--rest-port", port]
    if data.later:
        arguments += ["--later", data.later]
    for key, value in options.items():
        for text in value if isinstance(value, list) else [value]:
            arguments += [f"--{key.replace('_', '-')}", text]
    line = [sys.executable, "-m", "tests.bench.child", *map(str, arguments)]
    # Python inside the JVM does not find the virtual environment.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), *site.getsitepackages()])}
    with CheckpointPoller(port, data) as watch:
        result = run_program(name, line, data, work / f"{name}.log", environment)
    result.checkpoints = watch.checkpoints
    shutil.rmtree(state, ignore_errors=True)
    return result


def run_later(name: str, data: Input, work: Path, **options: object) -> Result:
    """Run it with readings that arrive after all contracts have been read, as in operation."""
    later = work / "later"
    shutil.rmtree(later, ignore_errors=True)
    later.mkdir()
    try:
        return run_flink(name, replace(data, later=later), work, **options)
    finally:
        shutil.rmtree(later, ignore_errors=True)


def run_program(
    name: str, line: Sequence[str], data: Input, log: Path, environment: dict[str, str] | None = None
) -> Result:
    """Run a program that reads the input's readings once. A program that gets them later does not end on its own: it
    is stopped a while after. Raises BenchError.
    """
    with log.open("w") as out:
        process = subprocess.Popen(
            line, cwd=PROJECT, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            with Progress(data.readings_file, process.pid, data.contracts_file) as progress:
                while (code := process.poll()) is None and not (data.later and progress.is_over(REST_S)):
                    time.sleep(PERIOD_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if code:
        raise BenchError(f"{name} ended with {code}; its log {log} ends with:\n{log.read_text()[-3000:]}")
    share_per_s, cpu_s = progress.rates()
    return Result(
        name,
        data.readings,
        share_per_s * data.readings,
        cpu_s / data.readings * 1e6,
        progress.ended - progress.started,
        progress.first_read_s,
        progress.peak_bytes,
    )


class CheckpointPoller:
    """Polls the checkpoints of a running Flink each second, and adds later readings once the contracts are in state."""

    def __init__(self, port: int, data: Input) -> None:
        self.url = f"http://127.0.0.1:{port}/jobs"
        self.data = data
        self.checkpoints: list[dict[str, Any]] = []
        self._end = Event()

    def __enter__(self) -> CheckpointPoller:
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(1):
            try:
                for job in _get(self.url)["jobs"]:
                    history = _get(f"{self.url}/{job['id']}/checkpoints")["history"]
                    found = {c["id"]: c for c in [*self.checkpoints, *history] if c["status"] == "COMPLETED"}
                    self.checkpoints = list(found.values())
                    if self.data.later:
                        self._let_in(job["id"], self.data.later / self.data.readings_file.name)
            except (OSError, ValueError, KeyError):
                continue

    def _let_in(self, job_id: str, readings: Path) -> None:
        if not readings.exists() and _known(_get(f"{self.url}/{job_id}")) >= self.data.meters:
            os.link(self.data.readings_file.resolve(), readings)


def _known(job: dict[str, Any]) -> int:
    """Return the number of contracts that the join has received. Their source does not end: its end would advance the
    watermark to its maximum while there are no readings yet.
    """
    return sum(v["metrics"]["read-records"] for v in job["vertices"] if v["name"].startswith("Newest("))


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)
