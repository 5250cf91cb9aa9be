"""`import --to-stream`: readings of exports in the stream, each file once, with a receipt."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from flink_job.__main__ import app
from flink_job.batch import publish, upload
from flink_job.io.kinesis import PublishError

NOW_S = 1_774_700_000  # 2026-03-28 12:13:20 UTC
DATADIS = "cups;fecha;hora;consumo_kWh\nES1;2026/03/01;1;0,5\nES1;2026/03/01;2;1.234,567\nES1;2026/03/01;3;x\n"


@dataclass
class Stream:
    """Stands for Kinesis: keeps the entries of each call; the first `failing` calls fail."""

    calls: list[list[dict[str, Any]]] = field(default_factory=list)
    failing: int = 0

    def put(self, kinesis: object, stream: str, entries: list[dict[str, Any]]) -> list[dict[str, str]]:
        if self.failing:
            self.failing -= 1
            raise PublishError(f"stream {stream!r}: {len(entries)} records failed 8 times")
        self.calls.append(entries)
        return [{"ShardId": "s", "SequenceNumber": str(n)} for n in range(len(entries))]

    @property
    def energies(self) -> list[tuple[str, str]]:
        lines = [line for call in self.calls for entry in call for line in entry["Data"].split(b"\n")]
        return [(row["interval_start"], str(row["energy_kwh"])) for row in map(json.loads, lines)]


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stream:
    found = Stream()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(publish, "time", SimpleNamespace(time=lambda: NOW_S))
    monkeypatch.setattr(upload, "client", lambda name: None)
    monkeypatch.setattr(upload, "enclose", lambda payload, tenant: payload)
    monkeypatch.setattr(upload, "put", found.put)
    Path("datadis.csv").write_text(DATADIS)
    return found


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["import", *arguments])
    return result.exit_code, " ".join(result.output.split())


#: Madrid is UTC+1 in March: hour 1 of 1 March begins at 23:00 UTC of 28 February.
EXPECTED = [("2026-02-28T23:00:00Z", "0.5"), ("2026-03-01T00:00:00Z", "1234.567")]


def test_readings_are_published_once_with_a_receipt(stream: Stream) -> None:
    code, shown = run("datadis.csv", "--to-stream", "readings", "--tenant", "acme")
    assert (code, stream.energies) == (0, EXPECTED), shown
    assert "published 2 readings of datadis.csv" in shown
    [receipt] = Path("receipts/acme").glob("datadis.csv.*.json")
    found = json.loads(receipt.read_bytes())
    assert (found["rows"], found["taken"], found["published"], found["status"]) == (3, 2, 2, "published")
    assert found["refused_rows"] == [["4", "no_number in consumo_kWh", "x"]]
    code, shown = run("datadis.csv", "--to-stream", "readings", "--tenant", "acme")
    assert (code, stream.energies) == (0, EXPECTED)
    assert "nothing was published now" in shown


def test_other_answers_are_another_file(stream: Stream) -> None:
    run("datadis.csv", "--to-stream", "readings")
    run("datadis.csv", "--to-stream", "readings", "--meter", "hall-1")
    assert stream.energies == EXPECTED * 2


def test_a_failure_of_the_stream_leaves_no_receipt_and_can_be_repeated(stream: Stream) -> None:
    stream.failing = 1
    code, shown = run("datadis.csv", "--to-stream", "readings")
    assert code == 2
    assert "run the command again" in shown
    assert not Path("receipts").exists()
    assert run("datadis.csv", "--to-stream", "readings")[0] == 0
    assert stream.energies == EXPECTED


def test_readings_that_are_too_old_are_refused_as_in_an_upload(stream: Stream) -> None:
    """1 March 2025 is more than a year before now; state has the last 65 days of whole cycles."""
    Path("old.csv").write_text(DATADIS.replace("2026", "2025"))
    code, shown = run("old.csv", "--to-stream", "readings")
    assert (code, stream.calls) == (3, [])
    assert "2 readings began more than 65 days ago" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--out is required, such as readings.ndjson, or --to-stream"),
        (("--out", "r.ndjson", "--to-stream", "readings"), "--out is required"),
        (("--to-stream", "readings", "--tenant", "a/b"), "--tenant is 'a/b'"),
    ],
)
def test_options_that_do_not_fit_are_named(stream: Stream, arguments: tuple[str, ...], message: str) -> None:
    code, shown = run("datadis.csv", *arguments)
    assert (code, stream.calls) == (2, [])
    assert message in shown


def test_a_dry_run_publishes_nothing(stream: Stream) -> None:
    assert run("datadis.csv", "--to-stream", "readings", "--dry-run")[0] == 0
    assert stream.calls == []
