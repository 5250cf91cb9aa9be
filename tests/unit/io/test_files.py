"""Files in and out: staging, collecting, the lake's views on rows made by hand."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flink_job.batch.collect import arrow_schema, collect
from flink_job.io.records import InputError, read_records, stage
from flink_job.lake.database import LakeError, open_lake, query, write_gaps
from flink_job.metering.reading import parse_reading
from flink_job.schemas import OUTPUTS

NOW_MS = 1_774_700_000_000


def test_lines_keep_their_bytes_and_order(tmp_path: Path) -> None:
    path = tmp_path / "in.ndjson.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\r\n\xff\xfe\n\nlast'))
    target = tmp_path / "staged.json"
    assert stage([str(path)], target, 1000, lambda count: None) == 3
    staged = [json.loads(line) for line in target.read_text().splitlines()]
    assert [b64decode(s["payload"]) for s in staged] == [b'{"a":1}', b"\xff\xfe", b"last"]
    assert [(s["arrival_ms"], s["record_position"]) for s in staged] == [(1000, "1"), (1001, "2"), (1002, "4")]


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet", "ndjson"])
def test_one_reading_in_every_format(tmp_path: Path, suffix: str) -> None:
    record = {"meter_id": "m", "interval_start": "2026-03-28T09:00:00Z", "interval_s": 900, "energy_kwh": 1.5}
    path = tmp_path / f"in.{suffix}"
    text = "\ufeff" + ",".join(record) + "\n" + ",".join(map(str, record.values())) + "\n"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist([record]), path)
    elif suffix == "ndjson":
        path.write_text(json.dumps(record))
    else:
        path.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    [(_, payload)] = read_records(str(path))
    row = parse_reading(payload, NOW_MS, 10_000, 3600)
    assert (row.reason, row.meter_id, row.import_packed) == (None, "m", 1_500_000)


def test_an_input_that_cannot_be_read_says_which(tmp_path: Path) -> None:
    for name, problem in {"in.xlsx": "must end in one of", "none.csv": "no such file"}.items():
        with pytest.raises(InputError, match=f"{name}.*{problem}"):
            list(read_records(str(tmp_path / name)))


def test_json_rows_become_exact_parquet(tmp_path: Path) -> None:
    folder = tmp_path / "rows" / "costs"
    folder.mkdir(parents=True)
    row = {"reading_id": "r", "cost": 0.1, "interval_start": "2026-03-28 23:00:00", "is_first": True, "interval_s": 900}
    (folder / "part").write_text(json.dumps(row).replace("0.1", "123456789012.000001") + "\n")
    counts = collect(tmp_path / "rows", tmp_path / "out", lambda name, count: None)
    assert counts == {**dict.fromkeys(OUTPUTS, 0), "costs": 1}
    [read] = pq.read_table(tmp_path / "out" / "costs").to_pylist()
    assert read["cost"] == Decimal("123456789012.000001")
    assert read["interval_start"] == datetime(2026, 3, 28, 23)
    assert read["currency"] is None


def test_a_large_file_of_rows_is_read_in_blocks(tmp_path: Path) -> None:
    folder = tmp_path / "rows" / "duplicates"
    folder.mkdir(parents=True)
    (folder / "part").write_text('{"reading_id":"r","revision":0}\n' * 400_000)
    assert collect(tmp_path / "rows", tmp_path / "out", lambda name, count: None)["duplicates"] == 400_000


def test_a_second_run_replaces_the_parts_of_the_first(tmp_path: Path) -> None:
    for run, parts in (("first", 3), ("second", 1)):
        folder = tmp_path / run / "duplicates"
        folder.mkdir(parents=True)
        for part in range(parts):
            (folder / f"p{part}").write_text('{"reading_id":"r","revision":0}\n')
        collect(tmp_path / run, tmp_path / "out", lambda name, count: None)
    assert pq.read_table(tmp_path / "out" / "duplicates").num_rows == 1


def lake(folder: Path, **outputs: list[dict[str, Any]]) -> Path:
    for name, table in OUTPUTS.items():
        (folder / name).mkdir(parents=True)
        rows = [{c.name: row.get(c.name) for c in table.columns} for row in outputs.get(name, [])]
        pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(table)), folder / name / "part.parquet")
    return folder


def cost(meter: str, quarter: int, sequence: int, **more: Any) -> dict[str, Any]:
    start = datetime(2026, 3, 28, quarter // 4, quarter % 4 * 15)
    row = {"reading_id": f"{meter}{quarter}", "meter_id": meter, "interval_start": start, "interval_s": 900}
    return {**row, "sequence_number": sequence, "is_first": True, "device_id": f"d-{meter}", **more}


def gaps_of(tmp_path: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    columns, found = write_gaps(lake(tmp_path / "lake", costs=rows), tmp_path)
    return [dict(zip(columns, gap, strict=True)) for gap in found]


def test_gaps_are_found_and_the_devices_counter_tells_more(tmp_path: Path) -> None:
    # a: quarters 2 and 3 are missing, and the device numbered two readings there: they were lost on the way.
    # b: quarter 1 is missing and no number was skipped: it was never measured. c is complete, in any order.
    rows = [cost("a", q, s) for q, s in [(0, 1), (1, 2), (4, 5)]]
    rows += [cost("b", q, s) for q, s in [(0, 1), (2, 2), (3, 3), (4, 4)]]
    rows += [cost("c", q, q) for q in (2, 0, 1, 4, 3)]
    found = gaps_of(tmp_path, rows)
    assert [(g["meter_id"], g["kind"], g["missing_readings"], g["missing_sequences"]) for g in found] == [
        ("a", "between", 2, 2),
        ("b", "between", 1, 0),
    ]
    assert (found[0]["gap_start"], found[0]["gap_end"]) == (datetime(2026, 3, 28, 0, 30), datetime(2026, 3, 28, 1, 0))
    assert (tmp_path / "gaps.parquet").exists()


def test_silence_before_the_first_reading_and_after_the_last_is_a_gap(tmp_path: Path) -> None:
    # Site f has readings from quarter 0 to 8. Its meter `late` begins with quarter 3, `silent` ends with quarter 1.
    # Site g is another: nothing is missing of its one meter.
    rows = [cost("whole", q, q, site_path="f/p/l/whole") for q in range(9)]
    rows += [cost("late", q, q, site_path="f/p/l/late") for q in range(3, 9)]
    rows += [cost("silent", q, q, site_path="f/p/l/silent") for q in range(2)]
    rows += [cost("other", q, q, site_path="g/p/l/other") for q in range(2, 5)]
    found = gaps_of(tmp_path, rows)
    assert [(g["meter_id"], g["kind"], g["missing_readings"], g["gap_start"], g["gap_end"]) for g in found] == [
        ("late", "before_first", 3, datetime(2026, 3, 28, 0, 0), datetime(2026, 3, 28, 0, 45)),
        ("silent", "after_last", 7, datetime(2026, 3, 28, 0, 30), datetime(2026, 3, 28, 2, 15)),
    ]
    assert [g["missing_sequences"] for g in found] == [None, None]


def test_a_meter_that_moves_to_another_site_is_not_silent_at_the_old_one(tmp_path: Path) -> None:
    rows = [cost("a", q, q, site_path="f/p/l/a") for q in range(8)] + [
        cost("b", q, q, site_path="g/p/l/b") for q in range(8)
    ]
    rows += [cost("moved", q, q, site_path=("f" if q < 4 else "g") + "/p/l/moved") for q in range(8)]
    assert gaps_of(tmp_path, rows) == []


def test_a_row_written_twice_counts_once(tmp_path: Path) -> None:
    rows = [cost("a", 0, 1, cost=Decimal("1.5"))] * 2 + [cost("a", 1, 2, cost=Decimal("2"))]
    assert query(lake(tmp_path, costs=rows), "SELECT COUNT(*), SUM(cost) FROM costs")[1] == [(2, Decimal("3.500000"))]


def part(meter: str, minute: int, kwh: str) -> dict[str, Any]:
    """A reading of five minutes."""
    return {
        **cost(meter, 0, minute),
        "reading_id": f"{meter}{minute}",
        "interval_start": datetime(2026, 3, 28, 0, minute),
        "interval_s": 300,
        "site_path": f"f/p/l/{meter}",
        "energy_kwh": Decimal(kwh),
        "export_kwh": Decimal(0),
        "reactive_kvarh": Decimal("0.5"),
        "cost": Decimal(kwh),
        "currency": "EUR",
        "day_start": datetime(2026, 3, 28),
        "day_s": 82_800,
    }


def test_the_demand_of_a_level_is_that_of_its_meters_at_one_time(tmp_path: Path) -> None:
    # Quarter 0: meter a 1 + 0.5, a correction, b 2: 3.5 kWh = 14 kW. Quarter 1: a 1: 4 kW. A day of 23 hours expects
    # 276 readings of each meter; a correction is none. Power factor: 4.5 kWh against 6 x 0.5 = 3 kvarh.
    late = {**part("a", 5, "0.5"), "reading_id": "late", "is_first": False}
    rows = [part("a", 0, "0.5"), part("a", 5, "0.5"), late, part("b", 10, "2"), part("a", 15, "1"), part("a", 20, "0")]
    sql = "SELECT energy_kwh, max_kw, min_kw, readings, expected_readings, power_factor, mean_kw FROM kpis_1d"
    [row] = query(lake(tmp_path, costs=rows), f"{sql} WHERE level = 'line'")[1]
    assert row[:5] == (Decimal("4.500000"), 14.0, 4.0, 5, 552)
    assert row[5] == pytest.approx(4.5 / (4.5**2 + 3**2) ** 0.5)
    assert row[6] == pytest.approx(4.5 / 23)


def test_a_folder_that_is_no_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="is not the output of a run"):
        open_lake(tmp_path)


def test_a_run_that_fails_leaves_the_files_of_the_earlier_one(tmp_path: Path) -> None:
    """The files of a run replace those of an earlier one only when all are written."""
    (tmp_path / "none").mkdir()
    collect(tmp_path / "none", tmp_path / "out", lambda name, count: None)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.parquet")}

    def fails(name: str, count: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        collect(tmp_path / "none", tmp_path / "out", fails)
    assert before and {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.parquet")} == before


@pytest.mark.parametrize("text", ['[\n {"a": 1.10},\n {"a": 2}\n]\n', '[{"a": 1.10},\n{"a": 2}]'])
def test_an_array_over_several_lines_has_a_record_for_each_element(tmp_path: Path, text: str) -> None:
    file = tmp_path / "f.json"
    file.write_text(text, encoding="utf-8")
    assert list(read_records(str(file))) == [(1, b'{"a": 1.10}'), (2, b'{"a": 2}')]
