"""Fixtures shared by the tests that run the job."""

from __future__ import annotations

import atexit
import fcntl
import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.harness.jobs import SAMPLES, run_files
from tests.harness.oracle import Oracle
from tests.harness.samples import is_malformed

#: Files and folders whose tests share what is slow to make, and so run in one process, one after the other.
TOGETHER = {"templates": ("deploy/",)}


def pytest_configure(config: pytest.Config) -> None:
    """Collect what the tests and the programs they start write to the temporary folder in one, removed at the end.

    A whole run writes some 7 GB. Call pytest with `--basetemp=FOLDER` to keep what the tests themselves wrote.
    """
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="metering-")
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        # Registered first, so it runs after all that clean up in it at exit.
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Distributes tests to processes file by file (`make test`); files of TOGETHER count as one."""

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.split("::")[0].removeprefix("tests/")
        return next((group for group, places in TOGETHER.items() if name.startswith(places)), name)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Distribute tests with ByFile."""
    return ByFile(config, log)


@pytest.fixture(scope="module", autouse=True)
def environment_of_this_module() -> Iterator[None]:
    """Restore the environment variables after each module.

    A Flink job that runs in this process has its Python workers here too, and they set `PYFLINK_GATEWAY_DISABLED`:
    a command started later with that variable cannot start its JVM.
    """
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder of all processes of a test run: the first one that needs it makes it, the others wait."""
    folder = Path(tempfile.gettempdir()) / "shared" / name
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


@pytest.fixture(scope="session")
def sample_run() -> Path:
    """Output of one bounded run over the sample readings. Tests do not change it."""

    def run(output: Path) -> None:
        run_files(SAMPLES / "readings.ndjson.gz", SAMPLES / "contracts.ndjson", output, rules=SAMPLES / "rules.yaml")

    return made_once("sample-run", run)


@pytest.fixture(scope="session")
def sample_records() -> list[bytes]:
    """The sample readings, in order of arrival."""
    with gzip.open(SAMPLES / "readings.ndjson.gz") as lines:
        return [line.rstrip(b"\n") for line in lines]


@pytest.fixture(scope="session")
def sample_oracle(sample_records: list[bytes]) -> Oracle:
    """The independent computation of the sample readings."""
    contracts = (SAMPLES / "contracts.ndjson").read_bytes().splitlines()
    tariffs = [json.loads(path.read_text()) for path in sorted((SAMPLES / "tariffs").glob("*.json"))]
    oracle = Oracle(contracts, tariffs)
    for record in sample_records:
        if not is_malformed(record):
            oracle.add(json.loads(record))
    return oracle


@pytest.fixture(scope="session")
def package() -> Path:
    """The package for Managed Flink, built from this code."""
    from deploy.stream_job.package import build

    return made_once("package", lambda folder: build(folder / "flink-app.zip")) / "flink-app.zip"
