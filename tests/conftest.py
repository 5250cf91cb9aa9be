"""Fixtures shared by the tests that run the job."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.jobs import SAMPLES, run_files
from tests.harness.oracle import Oracle
from tests.harness.samples import is_malformed


@pytest.fixture(scope="module", autouse=True)
def environment_of_this_module() -> Iterator[None]:
    """Environment variables that a module's tests leave behind end with it.

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
    """The independent reckoning of the sample readings."""
    contracts = (SAMPLES / "contracts.ndjson").read_bytes().splitlines()
    tariffs = [json.loads(path.read_text()) for path in sorted((SAMPLES / "tariffs").glob("*.json"))]
    oracle = Oracle(contracts, tariffs)
    for record in sample_records:
        if not is_malformed(record):
            oracle.add(json.loads(record))
    return oracle


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for Managed Flink, as this code makes it."""
    from deploy.stream_job.package import build

    path = tmp_path_factory.mktemp("package") / "flink-app.zip"
    build(path)
    return path
