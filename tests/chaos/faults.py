"""Faults: each is done to a running cluster, a number of times, with pauses between."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from deploy.stream_job.cluster import Cluster

WORKER = "pyflink.fn_execution.beam.beam_boot"


@dataclass(frozen=True)
class Fault:
    """A fault; `inject` says how many processes it hit."""

    name: str
    doc: str
    times: int
    pause_s: float
    inject: Callable[[Cluster], int]


def workers() -> list[int]:
    """Process ids of the Python workers of jobs on this machine."""
    found = subprocess.run(["pgrep", "-f", WORKER], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def kill_task_manager(running: Cluster) -> int:
    """The TaskManager and its Python workers are gone at once; another is started, as the service does."""
    running.kill("taskmanager.sh")
    running.start("taskmanager.sh")
    return 1


def kill_workers(running: Cluster) -> int:
    """The Python workers are gone; the TaskManager stays."""
    group = os.getpgid(running.processes["taskmanager.sh"].pid)
    killed = 0
    for pid in workers():
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(pid) == group:
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("none", "nothing: the control", 0, 0, lambda running: 0),
        Fault("task_manager", "kill -9 of the TaskManager and its workers", 5, 12, kill_task_manager),
        Fault("workers", "kill -9 of the Python workers", 5, 8, kill_workers),
    )
}
