"""`make bills` needs what its lock has and nothing else: neither Flink nor AWS's library."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flink_job.dataflow.environment import PROJECT

LOCK = PROJECT / "requirements/bills.txt"
TIMEOUT_S = 300
#: Runs a command with every distribution hidden that is not in the lock.
HIDING = """
import sys
from importlib.metadata import packages_distributions

locked = set(sys.argv.pop(1).split(","))
known = packages_distributions()


class Hidden:
    def find_spec(self, name, path=None, target=None):
        owners = known.get(name.partition(".")[0], ())
        if owners and not locked & {owner.lower().replace("_", "-") for owner in owners}:
            raise ModuleNotFoundError(f"{name} is not in the lock", name=name)


sys.meta_path.insert(0, Hidden())
from flink_job.__main__ import app

app()
"""


def locked() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", HIDING, ",".join(locked()), *map(str, arguments)]
    return subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


@pytest.fixture
def readings(tmp_path: Path) -> Path:
    path = tmp_path / "r.csv"
    path.write_text("meter_id,ts,interval_s,kwh\na,2026-07-10T05:30:00Z,900,1\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("command", ["rate", "compare"])
def test_the_commands_of_make_bills_run_with_what_is_locked(command: str, readings: Path, tmp_path: Path) -> None:
    tariffs = PROJECT / "sample_data" / "tariffs"
    more = ("--tariff", tariffs / "eur-flat.json") if command == "rate" else ("--tariffs", tariffs)
    picture, out = tmp_path / "picture.png", tmp_path / "out"
    done = run(
        command,
        "--readings",
        readings,
        "--timezone",
        "Etc/GMT-1",
        "--any-date",
        *more,
        "--out",
        out,
        "--chart",
        picture,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert picture.is_file()


def test_what_is_not_locked_is_hidden(readings: Path) -> None:
    assert {"matplotlib", "duckdb", "typer"} <= locked()
    assert not locked() & {"boto3", "apache-flink"}
    done = run("compare", "--readings", "s3://bucket/r.csv", "--tariffs", "sample_data/tariffs", "--timezone", "UTC")
    assert done.returncode != 0
    assert "boto3 is not in the lock" in done.stderr
