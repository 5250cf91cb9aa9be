"""A table with a bad cell, or with fields of records, is read by `rate` as by the stream."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flink_job.billing.inputs import read_readings
from flink_job.io.records import InputError

ZONE = ZoneInfo("Europe/Madrid")
ROWS = "meter_id,ts,interval_s,kwh\nm,2026-03-01T00:00:00Z,3600,1.5\nm,2026-03-01T01:00:00Z,3600,{}\n"


@pytest.mark.parametrize("cell", ["NaN", "x", "", "1e5000000", "1,5", "9" * 4400])
def test_a_bad_cell_rejects_its_row_only(tmp_path: Path, cell: str) -> None:
    file = tmp_path / "f.csv"
    file.write_text(ROWS.format(cell), encoding="utf-8")
    found = read_readings([str(file)], ZONE)
    assert found.meters["m"].import_ukwh.tolist() == [1_500_000]
    assert found.rejected.total() == 1


def test_a_unit_beside_kwh_is_not_ignored(tmp_path: Path) -> None:
    file = tmp_path / "f.csv"
    file.write_text("meter_id,ts,interval_s,kwh,unit\nm,2026-03-01T00:00:00Z,3600,1500,Wh\n", encoding="utf-8")
    with pytest.raises(InputError, match="unknown_unit"):
        read_readings([str(file)], ZONE)


def test_a_revision_of_a_table_replaces_the_earlier_value(tmp_path: Path) -> None:
    row = "m,2026-03-01T00:00:00Z,3600"
    file = tmp_path / "f.csv"
    file.write_text(f"meter_id,ts,interval_s,kwh,revision\n{row},2,0\n{row},1,1\n", encoding="utf-8")
    assert read_readings([str(file)], ZONE).meters["m"].import_ukwh.tolist() == [1_000_000]


def test_a_bad_cell_among_local_times_is_a_fault_of_the_file(tmp_path: Path) -> None:
    """Only a table has local times: row by row they would all be rejected."""
    file = tmp_path / "f.csv"
    file.write_text(ROWS.format("x").replace("Z,", ","), encoding="utf-8")
    with pytest.raises(InputError, match="kwh"):
        read_readings([str(file)], ZONE)
