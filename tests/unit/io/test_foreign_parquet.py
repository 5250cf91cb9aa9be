"""Parquet files of strangers: none of them runs code, in any command (CVE-2023-47248 in pyarrow 11)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flink_job.io.records import InputError, read_records
from tests.harness.jobs import SAMPLES

ROWS = {"meter_id": ["m", "m"], "ts": ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"], "interval_s": [3600, 3600]}
PROJECT = Path(__file__).resolve().parents[3]

#: Written by a process of its own, so that pickle is never asked here. The marker is all that the attack does.
ATTACK = """
import pathlib, sys
import pyarrow as pa, pyarrow.parquet as pq

class Evil(pa.PyExtensionType):
    def __init__(self):
        pa.PyExtensionType.__init__(self, pa.float64())
    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path(sys.argv[2]),)

kwh = pa.ExtensionArray.from_storage(Evil(), pa.array([1.0, 2.0]))
table = pa.table({"meter_id": ["m", "m"], "ts": ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"],
                  "interval_s": pa.array([3600, 3600]), "kwh": kwh})
pq.write_table(table, sys.argv[1])
"""


@pytest.fixture
def attack(tmp_path: Path) -> tuple[Path, Path]:
    """(file, marker): reading the file with pyarrow's own reader creates the marker."""
    file, marker = tmp_path / "attack.parquet", tmp_path / "marker"
    subprocess.run([sys.executable, "-c", ATTACK, str(file), str(marker)], check=True)
    marker.unlink(missing_ok=True)
    return file, marker


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "flink_job", *arguments]
    return subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_the_attack_is_one(attack: tuple[Path, Path]) -> None:
    file, marker = attack
    subprocess.run([sys.executable, "-c", f"import pyarrow.parquet as p; p.read_table({str(file)!r})"], check=False)
    assert marker.exists(), "with pyarrow's own reader the file does run code: the tests below mean something"


def test_records_of_a_file_run_no_code(attack: tuple[Path, Path]) -> None:
    file, marker = attack
    records = [json.loads(payload) for _, payload in read_records(str(file))]
    assert [record["kwh"] for record in records] == [1.0, 2.0]
    assert not marker.exists()


@pytest.mark.parametrize("name", ["rate", "compare"])
def test_rating_a_file_runs_no_code(attack: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    file, marker = attack
    tariff = SAMPLES / "tariffs"
    where = ["--tariff", str(tariff / "eur-flat.json"), "--out", str(tmp_path / "out")] if name == "rate" else [
        "--tariffs", str(tariff)
    ]  # fmt: skip
    done = command(name, *where, "--readings", str(file), "--timezone", "UTC", "--any-date")
    assert done.returncode == 0, done.stderr
    assert not marker.exists()


def test_rows_come_as_they_were_written(tmp_path: Path) -> None:
    """In order, NULLs left out, a name with a wildcard in it being a name."""
    file = tmp_path / "a[1]*.parquet"
    pq.write_table(pa.table({**ROWS, "energy_kwh": [1.25, None]}), file)
    records = [(number, json.loads(payload)) for number, payload in read_records(str(file))]
    assert records == [
        (1, {"meter_id": "m", "ts": "2026-03-01T00:00:00Z", "interval_s": 3600, "energy_kwh": 1.25}),
        (2, {"meter_id": "m", "ts": "2026-03-01T01:00:00Z", "interval_s": 3600}),
    ]


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    file.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(InputError, match=r"x\.parquet"):
        list(read_records(str(file)))
    wide = tmp_path / "wide.parquet"
    pq.write_table(pa.table({f"c{number}": [1] for number in range(2000)}), wide)
    with pytest.raises(InputError, match="2000 columns"):
        list(read_records(str(wide)))
