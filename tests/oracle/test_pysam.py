"""Our bills against NREL's PySAM: the same URDB documents, the same measured loads, month by month.

PySAM's year has no 29 February, no clock changes, and begins on a Monday. 2018 does as well, in a zone of fixed offset:
its calendar is the real one. (Fed with another year unchanged, PySAM is up to 10 % off: docs/tariffs.md.)
"""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flink_job.environment import PROJECT
from tests.harness.jobs import SAMPLES, command
from tests.oracle.urdb import DAY, DEMAND, DOCUMENTS, FLAT, energy, schedule

PYTHON = PROJECT / ".venv-oracle" / "bin" / "python"
DRIVER = Path(__file__).parent / "pysam_bill.py"
METERS = ("metal-works", "factory", "home-pv")
HOURS = 8760
#: Of each monthly amount, in the currency.
TOLERANCE = 1e-4


def pysam(cases: list[dict[str, Any]]) -> list[dict[str, list[float]]]:
    done = subprocess.run(
        [PYTHON, DRIVER], input=json.dumps(cases), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: list[dict[str, list[float]]] = json.loads(done.stdout)
    return answers


@pytest.fixture(scope="module")
def loads() -> dict[str, np.ndarray]:
    """Net energy [kWh] of each interval of the year, by meter."""
    import gzip

    found: dict[str, list[float]] = {meter: [] for meter in METERS}
    with gzip.open(SAMPLES / "year.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            found[row["meter_id"]].append(float(row["kwh"]))
    return {meter: np.array(values) for meter, values in found.items()}


def case(document: dict[str, Any], net_kwh: np.ndarray, **rates: Any) -> dict[str, Any]:
    kw = net_kwh * len(net_kwh) / HOURS
    load, generation = np.maximum(kw, 0), np.maximum(-kw, 0)
    return {"urdb": document, "load_kw": load.tolist(), "generation_kw": generation.tolist(), "rates": rates}


def ours(document: dict[str, Any], folder: Path, readings: Path = SAMPLES / "year.csv.gz") -> dict[str, dict[str, np.ndarray]]:
    """Twelve amounts of each column of bills.csv, by meter, from the command line."""
    (folder / "urdb.json").write_text(json.dumps(document))
    command(
        "rate", "--tariff", folder / "urdb.json", "--readings", readings, "--timezone", "Etc/GMT-1", "--out", folder / "out"
    )
    found: dict[str, dict[str, list[float]]] = {}
    for row in csv.DictReader((folder / "out" / "bills.csv").open()):
        for column in row.keys() - {"tariff", "meter_id", "cycle_start", "cycle_end"}:
            found.setdefault(row["meter_id"], {}).setdefault(column, []).append(float(row[column]))
    return {meter: {column: np.array(values) for column, values in lines.items()} for meter, lines in found.items()}


def assert_same(bill: dict[str, np.ndarray], theirs: dict[str, list[float]], lines: str = "energy demand fixed minimum total") -> None:
    amounts = {
        "energy": (bill["energy_charge"] + bill["export_credit"], np.array(theirs["energy"])),
        "demand": (bill["demand_charge"], np.array(theirs["demand_flat"]) + np.array(theirs["demand_periods"])),
        "fixed": (bill["fixed_charge"], np.array(theirs["fixed"])),
        "minimum": (bill["minimum_charge"], np.array(theirs["minimum"])),
        "total": (bill["total"], np.array(theirs["total"])),
    }
    for line in lines.split():
        mine, other = amounts[line]
        np.testing.assert_allclose(mine, other, rtol=0, atol=TOLERANCE, err_msg=line)


@pytest.fixture(scope="module")
def theirs(loads: dict[str, np.ndarray]) -> dict[tuple[str, str], dict[str, list[float]]]:
    """PySAM's answers for every document and meter, in one run of it."""
    keys = [(name, meter) for name in DOCUMENTS for meter in METERS]
    answers = pysam([case(DOCUMENTS[name], loads[meter]) for name, meter in keys])
    return dict(zip(keys, answers, strict=True))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_charge_of_every_month(name: str, theirs: Any, tmp_path: Path) -> None:
    bills = ours(DOCUMENTS[name], tmp_path)
    for meter in METERS:
        assert_same(bills[meter], theirs[name, meter])
        assert np.abs(bills[meter]["total"]).sum() > 1
