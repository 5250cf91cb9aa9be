"""Running the job as a user does, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from flink_job.dataflow.environment import PROJECT

SAMPLES = PROJECT / "sample_data"
TIMEOUT_S = 600


class RunFailedError(AssertionError):
    """The command did not succeed; the message is its output."""


def command(*arguments: object, code: int = 0) -> str:
    """Output of `python -m flink_job ...`; raises RunFailedError when it ends with another code than `code`."""
    return module("flink_job", *arguments, code=code)


def module(name: str, *arguments: object, code: int = 0) -> str:
    """Output of `python -m <name> ...`; raises RunFailedError when it ends with another code than `code`."""
    line = [sys.executable, "-m", name, *map(str, arguments)]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != code:
        raise RunFailedError(f"{' '.join(line)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr[-8000:]}")
    return done.stdout + done.stderr


def run_files(
    readings: Path, contracts: Path, output: Path, tariffs: Path = SAMPLES / "tariffs", rules: object = ""
) -> str:
    """A bounded run; it must end with code 0, so its account closes."""
    return command(
        "run", "--input", readings, "--contracts", contracts, "--tariffs", tariffs, "--rules", rules, "--output", output
    )


def write_records(path: Path, records: Iterable[bytes]) -> Path:
    """An NDJSON file."""
    path.write_bytes(b"".join(record + b"\n" for record in records))
    return path
