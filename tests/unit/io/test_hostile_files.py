"""Files made to exhaust their reader: each is refused by name, in bounded time and memory."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from flink_job.billing.inputs import read_readings
from flink_job.io.records import InputError, read_records
from flink_job.metering import bounds

HEADER = b"meter_id,ts,interval_s,kwh"
PROJECT = Path(__file__).resolve().parents[3]
UTC_ZONE = ZoneInfo("UTC")
RECORD = "'m' meter_id, '2026-03-01T00:00:00Z' interval_start, 900 interval_s, 1.5 energy_kwh"

#: Reads a file twenty times beside a thread of Python, as a command has, in a process that can be given up.
READ_AGAIN = """
import sys, threading, time
from zoneinfo import ZoneInfo
from flink_job.io.records import InputError
from flink_job.billing.inputs import read_readings
def beside():
    while True:
        time.sleep(0)

threading.Thread(target=beside, daemon=True).start()
for _ in range(20):
    try:
        read_readings([sys.argv[1]], ZoneInfo("UTC"))
    except InputError as error:
        assert sys.argv[1] in str(error)
    else:
        raise AssertionError("the file was read")
"""


def parquet(path: Path, columns: str, rows: int = 1) -> Path:
    with duckdb.connect() as connection:
        connection.sql(f"SELECT {columns} FROM range({rows})").write_parquet(str(path))
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("header.csv", HEADER),
        ("truncated.csv.gz", gzip.compress(HEADER + b"\na,2026-03-01T00:00:00Z,900,1\n")[:-9]),
        ("garbage.csv.gz", gzip.compress(HEADER + b"\na,2026-03-01T00:00:00Z,900,1\n") + b"garbage"),
    ],
    ids=["header", "truncated", "garbage"],
)
def test_a_faulty_first_block_ends_the_reading(tmp_path: Path, name: str, content: bytes) -> None:
    """Pyarrow 11 waits for ever, more often than not, for a Python stream that it gave up."""
    path = tmp_path / name
    path.write_bytes(content)
    line = [sys.executable, "-c", READ_AGAIN, str(path)]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_table_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_TABLE_BYTES", 1 << 20)
    columns = "repeat('m', 100) meter_id, '2026-03-01T00:00:00Z' ts, 900 interval_s, 1.5::DOUBLE kwh"
    bomb = parquet(tmp_path / "bomb.parquet", columns, 100_000)
    zipped = tmp_path / "bomb.csv.gz"
    zipped.write_bytes(gzip.compress(HEADER + b"\na,2026-03-01T00:00:00Z,900,1" * 100_000))
    plain = tmp_path / "bomb.csv"
    plain.write_bytes(gzip.decompress(zipped.read_bytes()))
    for path in (bomb, zipped, plain):
        with pytest.raises(InputError, match=f"{path.name}: more than 1048576 bytes when unpacked"):
            read_readings([str(path)], UTC_ZONE)


@pytest.mark.parametrize(
    "columns",
    [
        "'m' meter_id, true ts, 900 interval_s, 1.5::DOUBLE kwh",
        "{'a': 1} meter_id, '2026-03-01T00:00:00Z' ts, 900 interval_s, 1.5::DOUBLE kwh",
        "'m' meter_id, [1] ts, 900 interval_s, 1.5::DOUBLE kwh",
        "'m' meter_id, '2026-03-01T00:00:00Z' ts, DATE '2026-03-01' interval_s, 'x' kwh",
    ],
)
def test_columns_of_the_wrong_type_are_named(tmp_path: Path, columns: str) -> None:
    with pytest.raises(InputError, match=r"wrong\.parquet"):
        read_readings([str(parquet(tmp_path / "wrong.parquet", columns))], UTC_ZONE)


def test_columns_that_json_cannot_hold_do_not_stop_their_rows(tmp_path: Path) -> None:
    path = parquet(tmp_path / "keys.parquet", f"{RECORD}, MAP([true], [3]) x", 2)
    found = [json.loads(payload) for _, payload in read_records(str(path))]
    assert [(row["energy_kwh"], row["x"]) for row in found] == [("1.5", "{True: 3}")] * 2


def test_a_row_longer_than_a_record_is_cut(tmp_path: Path) -> None:
    path = parquet(tmp_path / "long.parquet", f"{RECORD}, repeat('x', 2000000) x")
    [(_, payload)] = read_records(str(path))
    assert len(payload) == bounds.MAX_LINE_BYTES + 1, "a byte more than any record has, so it is rejected as oversized"


def test_a_header_that_would_multiply_the_file_is_refused(tmp_path: Path) -> None:
    """The header goes with each line: one of 200 kB with a million short lines would be staged as 200 GB."""
    path = tmp_path / "wide.csv"
    path.write_bytes(b"c," * 100_000 + b"\n1\n2\n")
    with pytest.raises(InputError, match=r"wide\.csv: line 1: the header has more than"):
        list(read_records(str(path)))


def test_reading_a_table_says_nothing_on_its_own(tmp_path: Path) -> None:
    """Neither a bar of progress nor a warning of a library between the lines of a command."""
    columns = "'m' meter_id, '2026-03-01T00:00:00Z' ts, 900 interval_s, 1.5::DOUBLE kwh"
    path = parquet(tmp_path / "quiet.parquet", columns)
    script = "import sys; from zoneinfo import ZoneInfo; from flink_job.billing.inputs import read_readings; "
    script += "read_readings([sys.argv[1]], ZoneInfo('UTC'))"
    line = [sys.executable, "-W", "always::UserWarning", "-c", script, str(path)]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "UserWarning: Arrow" not in done.stderr and "%" not in done.stdout + done.stderr
