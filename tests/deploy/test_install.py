"""The project as a distribution: what its extras pin, and the console command in a fresh environment."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from flink_job.dataflow.environment import PROJECT
from flink_job.version import version
from tests.harness.jobs import SAMPLES

TIMEOUT_S = 600
META = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def metering(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console command, installed from the tree without extras."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    line = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    done = subprocess.run([*line, PROJECT], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "bin" / "metering"


def said(metering: Path, folder: Path, *arguments: object, code: int = 0) -> str:
    """Output of the command in a folder outside the tree."""
    line = [metering, *map(str, arguments)]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == code, done.stdout + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_files_are_rated_without_flink(metering: Path, tmp_path: Path) -> None:
    assert said(metering, tmp_path, "--version") == f"meter-costing {version()}\n"
    readings = tmp_path / "readings.csv"
    readings.write_text("meter_id,ts,interval_s,kwh\na,2026-07-10T05:30:00Z,900,1\n", encoding="utf-8")
    tariff = SAMPLES / "tariffs" / "eur-flat.json"
    said(
        *(metering, tmp_path, "rate", "--tariff", tariff, "--readings", readings),
        *("--timezone", "Europe/Madrid", "--out", tmp_path / "out"),
    )
    [bill] = csv.DictReader((tmp_path / "out" / "bills.csv").open())
    assert (bill["meter_id"], bill["energy_kwh"]) == ("a", "1.000000")
    assert "no faults" in said(metering, tmp_path, "alerts", "check", SAMPLES / "rules.yaml")
    assert "eur-demand" in said(metering, tmp_path, "tariffs", "check", SAMPLES / "tariffs")


def test_what_an_extra_brings_is_named_where_it_is_missing(metering: Path, tmp_path: Path) -> None:
    assert "meter-costing[job]" in said(metering, tmp_path, "run", "--input", "x.ndjson", code=2)
    assert ".[deploy]" in said(metering, tmp_path, "deploy", "status", code=2)


def test_extras_are_at_the_versions_that_are_tested() -> None:
    tested = "\n".join((PROJECT / f"{name}.in").read_text() for name in ("requirements/base", "requirements/dev"))
    extras = [one for group in META["optional-dependencies"].values() for one in group if "==" in one]
    assert len(extras) > 5
    for one in extras:
        assert re.search(rf"^{re.escape(one)}$", tested, re.MULTILINE), one


def test_every_dependency_is_one_of_the_job() -> None:
    tested = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    for one in META["dependencies"]:
        name = re.split(r"[<>=]", one)[0]
        assert re.search(rf"^{re.escape(name)}==", tested, re.MULTILINE), name
