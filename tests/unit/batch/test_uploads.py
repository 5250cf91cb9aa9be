"""Uploaded files: what is taken, what is refused, how readings are packed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_job.batch import upload
from flink_job.batch.receipt import ReceiptError, read_receipt
from flink_job.batch.upload import LONGEST_CYCLE_DAYS, PACK_BYTES, check, packed
from flink_job.commands.uploads import tenant_of
from flink_job.config import Job
from flink_job.io.records import read_records
from flink_job.metering.framing import parts
from flink_job.metering.reading import parse_reading

NOW_MS = 1_774_700_000_000  # 2026-03-28 12:13:20 UTC
DAY_MS = 86_400_000
JOB = Job()


def reading(start_ms: int, **more: object) -> str:
    return json.dumps({"meter_id": "m", "interval_start": start_ms, "interval_s": 900, "energy_kwh": 1, **more})


def records(folder: Path, *lines: str) -> list[tuple[int, bytes]]:
    path = folder / "readings.ndjson"
    path.write_text("\n".join(lines) + "\n")
    return list(read_records(str(path)))


def test_rows_are_taken_or_refused_by_line(tmp_path: Path) -> None:
    start = NOW_MS - DAY_MS
    array = f"[{reading(start)}, 5, {reading(start + 900_000)}]"
    file = records(tmp_path, reading(start), "", "no JSON", array, reading(NOW_MS + DAY_MS))
    checked = check(file, "default", JOB, NOW_MS)
    assert (checked.rows, checked.taken, checked.why) == (6, 3, "")
    assert [(row.line, row.reason) for row in checked.refusals] == [
        ("3", "not_json"), ("4.2", "wrong_type"), ("5", "in_future"),
    ]  # fmt: skip
    assert checked.reasons == {"not_json": 1, "wrong_type": 1, "in_future": 1}
    assert (checked.earliest_ms, checked.latest_ms) == (start, start + 900_000)


def test_all_refused_rows_are_counted(tmp_path: Path) -> None:
    checked = check(records(tmp_path, reading(NOW_MS), *["x"] * 1500), "default", JOB, NOW_MS)
    assert (len(checked.refusals), checked.reasons.total(), checked.rows) == (1500, 1500, 1501)


def test_readings_older_than_the_state_refuse_the_file(tmp_path: Path) -> None:
    """The job would no longer know that it has billed them: publishing twice would bill twice."""
    limit = NOW_MS - (JOB.state_days - LONGEST_CYCLE_DAYS) * DAY_MS
    assert check(records(tmp_path, reading(limit)), "default", JOB, NOW_MS).why == ""
    file = records(tmp_path, reading(NOW_MS), reading(limit - 1))
    checked = check(file, "default", JOB, NOW_MS)
    assert checked.too_old == 1
    assert "1 readings began more than 65 days ago" in checked.why
    assert check(file, "default", replace(JOB, state_days=200), NOW_MS).why == ""


def test_a_file_without_readings_is_refused(tmp_path: Path) -> None:
    assert check(records(tmp_path, "x"), "default", JOB, NOW_MS).why == "it holds no reading"


def test_a_file_of_too_many_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "MAX_READINGS", 2)
    assert "split the file" in check(records(tmp_path, *[reading(NOW_MS)] * 3), "default", JOB, NOW_MS).why


def test_a_csv_row_is_the_same_reading_as_json(tmp_path: Path) -> None:
    path = tmp_path / "readings.csv"
    path.write_text('meter_id,ts,interval_s,kwh\n"m, ""1""",2026-03-28T10:00:00+01:00,900,-1.500\nx,2026,900,1\n')
    rows = list(upload._rows(read_records(str(path)), "acme", JOB, NOW_MS))
    assert [row.reading.reason for row in rows] == [None, "bad_timestamp"]
    assert parse_reading(rows[0].payload, NOW_MS, 10_000, 3600, "acme") == rows[0].reading
    assert rows[0].payload.startswith(b"{")
    assert b"\n" not in rows[0].payload


METERS = st.lists(st.tuples(st.text(max_size=3), st.integers(1, 90_000)), max_size=60)


@given(METERS, st.integers(1, 20))
def test_packs_hold_every_reading_once_and_keep_the_order_of_a_meter(rows: list[tuple[str, int]], most: int) -> None:
    readings = [
        (meter, json.dumps({"meter": meter, "n": n, "x": "x" * size}).encode()) for n, (meter, size) in enumerate(rows)
    ]
    rounds = list(packed(readings, most))
    found = [json.loads(payload) for packs in rounds for pack in packs.values() for payload in pack]
    assert sorted(row["n"] for row in found) == list(range(len(rows)))
    for meter in {meter for meter, _ in rows}:
        numbers = [row["n"] for row in found if row["meter"] == meter]
        assert numbers == sorted(numbers)
    for packs in rounds:
        assert sum(map(len, packs.values())) <= most
        assert all(sum(map(len, pack)) <= PACK_BYTES or len(pack) == 1 for pack in packs.values())


def test_a_pack_is_split_as_it_was_packed_or_not_made() -> None:
    """A reading may hold a field that nests more deeply than a record is split."""
    plain, deep = b'{"a":1}', b'{"x":' + b"[" * 100 + b"]" * 100 + b"}"
    assert upload._framed([plain, plain]) == [[plain, plain]]
    assert upload._framed([plain, deep]) == [[plain], [deep]]
    assert parts(deep) == [deep]


def test_the_tenant_is_the_folder_below_the_inbox() -> None:
    inbox = "s3://uploads/inbox/"
    assert tenant_of(f"{inbox}acme/2026/march.csv", inbox) == "acme"
    assert tenant_of(f"{inbox}march.csv", inbox) == ""
    assert tenant_of("acme/march.csv", "") == ""


def test_what_is_no_receipt_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for content in ("{", "{}"):
        path.write_text(content)
        with pytest.raises(ReceiptError, match=r"x\.json is no receipt"):
            read_receipt(str(path))
    with pytest.raises(ReceiptError, match=r"none\.json"):
        read_receipt(str(tmp_path / "none.json"))
