"""Fixtures shared by the tests that run the job."""

from __future__ import annotations

import atexit
import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.harness.jobs import SAMPLES, run_files
from tests.harness.oracle import Oracle
from tests.harness.samples import is_malformed

#: Files and folders whose tests share what is slow to make, and so run in one process, one after the other.
TOGETHER = {
    "the sample run": ("integration/test_sample_run", "integration/test_rerate", "integration/test_alert_commands"),
    "templates": ("deploy/",),
}


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


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of one bounded run over the sample readings."""
    output = tmp_path_factory.mktemp("sample-run")
    run_files(SAMPLES / "readings.ndjson.gz", SAMPLES / "contracts.ndjson", output, rules=SAMPLES / "rules.yaml")
    return output


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
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for Managed Flink, built from this code."""
    from deploy.stream_job.package import build

    path = tmp_path_factory.mktemp("package") / "flink-app.zip"
    build(path)
    return path
