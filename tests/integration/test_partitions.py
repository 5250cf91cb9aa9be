"""Commands over a lake on S3 read the tables and partitions they need, counted at the endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from deploy.local.endpoint import endpoint, free_port
from flink_job.__main__ import app
from flink_job.batch.collect import arrow_schema
from flink_job.billing.adjustments import kept_rows
from flink_job.billing.rerate import is_covered
from flink_job.io import remote
from flink_job.io.kinesis import client
from flink_job.lake.selection import Selection
from flink_job.schemas import OUTPUTS

BUCKET, FIRST, DAYS = "partitions", date(2026, 3, 1), 10


class Counted:
    """A client of S3 that notes which objects are read."""

    def __init__(self, s3: Any) -> None:
        self._s3, self.read = s3, list[str]()

    def get_object(self, **request: Any) -> Any:
        self.read.append(request["Key"])
        return self._s3.get_object(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)


def rows_of(name: str, day: date) -> list[dict[str, Any]]:
    start = datetime(day.year, day.month, day.day, 10)
    row = {column.name: None for column in OUTPUTS[name].columns} | {
        "reading_id": f"{name}-{day}",
        "meter_id": "m",
        "interval_start": start,
        "interval_s": 900,
        "is_first": True,
        "shard": name,
        "record_position": str(day),
        "arrival": start,
        "cost": Decimal(1),
        "part": 0,
        "payload": "e30=",
        "dated": start,
        "reason": "x",
    }
    return [{column.name: row.get(column.name) for column in OUTPUTS[name].columns}]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Ten days of four tables, an object for each, in partitions as Firehose writes them."""
    folder = tmp_path_factory.mktemp("partitions")
    with endpoint(folder / "endpoint.log", free_port()) as url:
        s3 = client("s3", url)
        s3.create_bucket(Bucket=BUCKET)
        for name in ("costs", "rejected", "unpriced", "kpis"):
            for number in range(DAYS):
                day = FIRST + timedelta(number)
                path = folder / "part.parquet"
                pq.write_table(pa.Table.from_pylist(rows_of(name, day), schema=arrow_schema(OUTPUTS[name])), path)
                s3.upload_file(str(path), BUCKET, f"{name}/event_date={day}/part.parquet")
        yield url


@pytest.fixture
def counted(url: str, monkeypatch: pytest.MonkeyPatch) -> Counted:
    found = Counted(client("s3", url))
    monkeypatch.setattr(remote, "client", lambda service, endpoint=None: found)
    return found


def days(name: str, *numbers: int) -> set[str]:
    return {f"{name}/event_date=2026-03-{number:02d}/part.parquet" for number in numbers}


def outcomes(*numbers: int) -> set[str]:
    """Of the tables in which a record may end, those that are in the lake."""
    return set().union(*(days(name, *numbers) for name in ("costs", "unpriced", "rejected")))


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_a_query_reads_its_tables_and_days(counted: Counted) -> None:
    sql = "SELECT COUNT(*) AS n FROM costs"
    said = run("query", f"s3://{BUCKET}", sql, "--from", "2026-03-03", "--to", "2026-03-04")
    assert "2" in said
    # `costs` looks at other outcomes of its records in the same partitions; `kpis` is not touched.
    assert set(counted.read) == outcomes(3, 4)
    assert len(counted.read) == 6


def test_without_days_only_the_tables_are_limited(counted: Counted) -> None:
    run("query", f"s3://{BUCKET}", "SELECT COUNT(*) FROM kpis")
    assert set(counted.read) == days("kpis", *range(1, 11))


def test_gaps_between_two_days(counted: Counted) -> None:
    said = run("gaps", f"s3://{BUCKET}", "--from", "2026-03-09")
    assert "1 gap, 95 readings missing: 1 between two readings" in said
    assert set(counted.read) == outcomes(9, 10) | days("kpis", 9, 10)


def test_records_are_sent_again_from_some_days(counted: Counted) -> None:
    said = run("redrive", "rejected", "--lake", f"s3://{BUCKET}", "--from", "2026-03-10", "--dry-run")
    assert "x: 1 records" in said
    assert set(counted.read) == outcomes(10)


def test_a_period_without_rows_is_empty_and_a_wrong_place_is_named(counted: Counted) -> None:
    assert "0" in run("query", f"s3://{BUCKET}", "SELECT COUNT(*) AS n FROM costs", "--from", "2027-01-01")
    assert counted.read == []
    run("query", f"s3://{BUCKET}/elsewhere", "SELECT * FROM costs", code=2)


def test_files_outside_partitions_are_filtered_by_row(tmp_path: Path) -> None:
    rows = [row for number in range(DAYS) for row in rows_of("costs", FIRST + timedelta(number))]
    (tmp_path / "costs").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(OUTPUTS["costs"])), tmp_path / "costs/part.parquet")
    said = run("query", str(tmp_path), "SELECT SUM(cost) AS n FROM costs", "--to", "2026-03-04")
    assert "4.000000" in said


def test_rerating_replaces_the_cycles_that_the_days_cover(tmp_path: Path) -> None:
    selection = Selection(first=date(2026, 1, 31), last=date(2026, 3, 1))
    cycles = [(date(2026, month, 1), date(2026, month + 1, 1)) for month in (1, 2, 3)]
    assert [is_covered(start, end, selection) for start, end in cycles] == [False, True, False]
    starts, ends = [str(s) for s, _ in cycles], [str(e) for _, e in cycles]
    names = {"tenant": ["default"] * 3, "meter_id": ["m"] * 3}
    table = pa.table({**names, "cycle_start": starts, "cycle_end": ends})
    pq.write_table(table, tmp_path / "adjustments.parquet")
    kept = kept_rows(tmp_path / "adjustments.parquet", lambda start, end: is_covered(start, end, selection))
    assert kept is not None
    assert kept["cycle_start"].to_pylist() == ["2026-01-01", "2026-03-01"]
