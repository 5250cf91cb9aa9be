"""An export of a known profile is the same readings for every command; other files are left as they are."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.billing.inputs import read_readings
from flink_job.imports.accept import accepted
from flink_job.imports.questions import UndecidedError
from flink_job.imports.write import write_readings
from flink_job.io.records import read_parts
from flink_job.metering.packing import unpack
from flink_job.metering.reading import parse_reading
from tests.unit.imports.files import imported

HEADER = "cups;fecha;hora;consumo_kWh\n"
NOW_MS = 1_800_000_000_000


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 9_999_999), min_size=1, max_size=24), st.integers(1, 28))
def test_one_file_has_one_set_of_readings(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], day: int
) -> None:
    """`import`, the reader of `rate` and `compare`, and the parser of `run` have the same energy by start."""
    folder = tmp_path_factory.mktemp("one")
    rows = [
        f"ES1;2026/03/{day:02d};{n}:00;{value // 1000},{value % 1000:03d}\n" for n, value in enumerate(values, start=1)
    ]
    file = folder / "datadis.csv"
    file.write_text(HEADER + "".join(rows), encoding="utf-8")
    frame = imported(file.read_bytes()).rows
    by_import = dict(zip(frame["start_ms"].tolist(), frame["micro"].tolist(), strict=True))
    files = accepted([str(file)], folder)
    found = read_readings(files.names, ZoneInfo("Etc/UTC"))
    data = found.meters["ES1"]
    assert dict(zip(data.start_ms.tolist(), data.import_ukwh.tolist(), strict=True)) == by_import
    parsed = [parse_reading(payload, NOW_MS, 1 << 20, 0) for _, payload in read_parts(files.names[0])]
    assert {row.start_ms: unpack(row.import_packed or 0)[1] for row in parsed} == by_import
    assert list(by_import.values()) == [value * 1000 for value in values]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own.csv", "meter_id,ts,interval_s,kwh\nm,2026-03-01T00:00:00Z,3600,1\n"),
        ("own.ndjson", '{"meter_id":"m","interval_start":"2026-03-01T00:00:00Z","interval_s":3600,"energy_kwh":1}\n'),
        ("other.csv", "a,b\n1,2\n"),
        ("empty.csv", ""),
        ("missing.csv", None),
    ],
)
def test_other_files_are_left_as_they_are(tmp_path: Path, name: str, text: str | None) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert accepted([str(tmp_path / name)], tmp_path / "aside").names == [str(tmp_path / name)]


def test_an_export_that_leaves_something_open_is_refused_with_the_command(tmp_path: Path) -> None:
    file = tmp_path / "octopus.csv"
    file.write_text("Consumption (kwh),Start,End\n1,2026-03-01T00:00Z,2026-03-01T00:30Z\n", encoding="utf-8")
    with pytest.raises(UndecidedError, match=r"--meter ID(.|\n)*metering import"):
        accepted([str(file)], tmp_path / "aside")


def test_refused_rows_of_an_export_are_counted_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "datadis.csv"
    file.write_text(HEADER + "ES1;2026/03/01;1;0,5\nES1;2026/03/01;2;x\n", encoding="utf-8")
    found = accepted([str(file)], tmp_path / "aside")
    assert found.refused == {"no_number in consumo_kWh": 1}
    assert found.notes[1] == f"{file}:3: refused: no_number in consumo_kWh x"


@pytest.mark.parametrize("suffix", [".ndjson", ".parquet"])
def test_written_readings_are_read_back_exactly(tmp_path: Path, suffix: str) -> None:
    """3 units of 1e-6, and a value that a float of 32 bits would not hold."""
    result = imported(HEADER + "ES1;2026/03/01;1;0,000003\nES1;2026/03/01;2;1234,567891\n")
    target = tmp_path / f"readings{suffix}"
    write_readings(result.rows, target)
    data = read_readings([str(target)], ZoneInfo("Etc/UTC")).meters["ES1"]
    assert data.import_ukwh.tolist() == [3, 1_234_567_891]
