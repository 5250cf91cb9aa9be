"""Ctrl-C at any moment leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.local.endpoint import free_port
from flink_job.dataflow.environment import PROJECT

MARK = "INTERRUPT_TEST_RUN"


def processes_of(mark: str) -> list[str]:
    """Command lines of the processes whose environment carries the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200])
        except (OSError, PermissionError):
            continue
    return [line for line in found if line]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at processes through /proc")
@pytest.mark.parametrize("seconds", [4, 18])
def test_interrupting_the_demo_stops_all_it_started(tmp_path: Path, seconds: int) -> None:
    mark = f"{os.getpid()}-{seconds}"
    environment = {key: value for key, value in os.environ.items() if key != "AWS_ENDPOINT_URL"} | {MARK: mark}
    line = [sys.executable, "-m", "deploy.local", "run", "--port", str(free_port()), "--work", str(tmp_path / "run")]
    demo = subprocess.Popen(
        line,
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_hear_ctrl_c,
    )
    time.sleep(seconds)
    assert len(processes_of(mark)) >= 2, "the demo should be running by now"
    os.killpg(demo.pid, signal.SIGINT)
    output, _ = demo.communicate(timeout=40)
    assert demo.returncode == 130, output.decode()
    deadline = time.monotonic() + 10
    while (left := processes_of(mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []


def _hear_ctrl_c() -> None:
    """A shell starts what runs in its background deaf to it, and the tests may run there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
