"""Uploaded exports: read as by `import`, with a map or without; every file gets a receipt."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flink_job.batch import publish, upload
from flink_job.batch.publish import publish_once
from flink_job.batch.receipt import PUBLISHED, REFUSED, Receipt
from flink_job.batch.upload_map import NO_MAP, StatedMap, map_at, map_of_upload
from flink_job.config import Job
from flink_job.imports.questions import in_map
from flink_job.io.records import InputError

NOW_S = 1_774_700_000  # 2026-03-28 12:13:20 UTC
DATADIS = "cups;fecha;hora;consumo_kWh\nES1;2026/03/01;1;0,5\nES1;2026/03/01;2;1.234,567\nES1;2026/03/01;3;x\n"
OCTOPUS = "Consumption (kwh),Start,End\n0.25,2026-03-01T00:00:00Z,2026-03-01T00:30:00Z\n0.5,2026-03-01T00:30:00Z,\n"


@dataclass
class Stream:
    """Stands for the readings stream: keeps the readings that are published."""

    folder: Path
    readings: list[dict[str, Any]] = field(default_factory=list)

    def put(self, kinesis: object, stream: str, entries: list[dict[str, Any]]) -> list[dict[str, str]]:
        for entry in entries:
            inner = entry["Data"]
            self.readings += [json.loads(line) for line in inner.split(b"\n")]
        return [{"ShardId": "s", "SequenceNumber": str(n)} for n in range(len(entries))]

    def publish(self, name: str, content: str | bytes, stated: StatedMap = NO_MAP) -> tuple[Receipt, bool]:
        file = self.folder / name
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return publish_once(str(file), "acme", Job(), "readings", str(self.folder / "receipts"), 10_000, stated)

    @property
    def values(self) -> list[tuple[str, str, str]]:
        return [(row["meter_id"], row["interval_start"], str(row["energy_kwh"])) for row in self.readings]


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stream:
    found = Stream(tmp_path)
    monkeypatch.setattr(publish, "time", SimpleNamespace(time=lambda: NOW_S))
    monkeypatch.setattr(upload, "client", lambda name: None)
    monkeypatch.setattr(upload, "enclose", lambda payload, tenant: payload)
    monkeypatch.setattr(upload, "put", found.put)
    return found


#: Madrid is UTC+1 in March: hour 1 of 1 March begins at 23:00 UTC of 28 February.
EXPECTED = [("ES1", "2026-02-28T23:00:00Z", "0.5"), ("ES1", "2026-03-01T00:00:00Z", "1234.567")]


@pytest.mark.parametrize("name", ["datadis.csv", "datadis.csv.gz", "Datadis März +1.csv"])
def test_an_export_of_a_known_profile_is_published_as_readings(stream: Stream, name: str) -> None:
    receipt, is_new = stream.publish(name, gzip.compress(DATADIS.encode()) if name.endswith(".gz") else DATADIS)
    assert stream.values == EXPECTED
    assert (receipt.status, is_new, receipt.rows, receipt.taken, receipt.published) == (PUBLISHED, True, 3, 2, 2)
    assert receipt.refused == {"no_number in consumo_kWh": 1}
    assert [(row.line, row.detail) for row in receipt.refused_rows] == [("4", "x")]
    assert receipt.understood["profile"].startswith("datadis")
    assert receipt.understood["time zone"] == "Europe/Madrid"
    [beside] = (stream.folder / "receipts" / "acme").glob(f"{name}.*.refused.csv")
    assert beside.read_text() == "line,reason,row\n4,no_number in consumo_kWh,x\n"


def test_what_is_hardly_meant_in_readings_is_in_the_notes(stream: Stream) -> None:
    """Hours with the length of a quarter of an hour, and a field of contracts."""
    rows = [
        {"meter_id": "m", "interval_start": f"2026-03-01T{n:02d}:00:00Z", "interval_s": 900, "energy_kwh": 1 + n % 2}
        for n in range(8)
    ]
    receipt, _ = stream.publish("r.ndjson", "\n".join(json.dumps({**row, "multiplyer": 4}) for row in rows))
    assert (receipt.status, receipt.published, receipt.understood) == (PUBLISHED, 8, {})
    assert receipt.notes == [
        "r.ndjson: field 'multiplyer' is ignored (8 records): multiplier is a field of contracts",
        "meter m: interval_s is 15min, but readings begin 1h apart: each covers a part of its time only: "
        "correct interval_s if the energy is that of 1h",
    ]


def test_the_same_file_is_published_once(stream: Stream) -> None:
    stream.publish("datadis.csv", DATADIS)
    receipt, is_new = stream.publish("datadis.csv", DATADIS)
    assert (is_new, receipt.published) == (False, 2)
    assert stream.values == EXPECTED


def test_a_file_that_leaves_something_open_is_refused_with_its_questions(stream: Stream) -> None:
    """Half hours of Octopus do not name their meter."""
    receipt, _ = stream.publish("octopus.csv", OCTOPUS)
    assert stream.readings == []
    assert (receipt.status, receipt.questions) == (
        REFUSED,
        {"the file does not name its meter": "meter_id: NAME"},
    )
    assert "the file does not name its meter" in receipt.why


def test_a_map_that_answers_is_enough(stream: Stream) -> None:
    """The refused file is read again with the map; another map makes it another file."""
    stream.publish("octopus.csv", OCTOPUS)
    receipt, _ = stream.publish("octopus.csv", OCTOPUS, StatedMap("m.yaml", "meter_id: hall-1"))
    assert stream.values == [("hall-1", "2026-03-01T00:00:00Z", "0.25"), ("hall-1", "2026-03-01T00:30:00Z", "0.5")]
    assert (receipt.map, receipt.understood["profile"].split(":")[0]) == ("m.yaml", "octopus")
    _, is_new = stream.publish("octopus.csv", OCTOPUS, StatedMap("m.yaml", "meter_id: hall-2"))
    assert is_new
    assert {meter for meter, _, _ in stream.values} == {"hall-1", "hall-2"}


@pytest.mark.parametrize(
    ("name", "content", "stated", "why"),
    [
        ("x.csv", "Tag;Wert\n1;2\n", "", "it holds no reading: x.csv: no column of times among 'Tag', 'Wert'"),
        ("x.csv.gz", b"\x1f\x8bbroken", "", "x.csv.gz: "),
        ("x.xlsx", b"PK\x03\x04broken", "", "x.xlsx: the archive is damaged"),
        ("x.csv", "<!doctype html>", "", "it holds no reading: x.csv:1: a web page"),
        ("x.csv", DATADIS, "tme: {}", "x.csv: the map: Object contains unknown field `tme`"),
        ("x.csv", DATADIS, "profile: nonesuch", "x.csv: the map: profile nonesuch: it is one of datadis"),
    ],
)
def test_a_file_that_cannot_be_read_has_a_receipt(
    stream: Stream, name: str, content: str | bytes, stated: str, why: str
) -> None:
    receipt, _ = stream.publish(name, content, StatedMap("m.yaml", stated) if stated else NO_MAP)
    assert receipt.status == REFUSED
    assert receipt.why.startswith(why), receipt.why
    assert stream.readings == []


def test_the_map_of_a_file_is_its_own_or_that_of_the_nearest_folder(tmp_path: Path) -> None:
    for name in ("acme/map.yaml", "acme/press/map.yaml", "acme/press/a.csv.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"meter_id: {name}")

    def found(path: str, tenant: str = "acme") -> str:
        return map_of_upload(path, tenant, f"{tmp_path}/").uri.removeprefix(f"{tmp_path}/")

    assert found("press/a.csv") == "acme/press/a.csv.yaml"
    assert found("press/b.csv") == "acme/press/map.yaml"
    assert found("press/2026/b.csv") == "acme/press/map.yaml"
    assert found("b.csv") == "acme/map.yaml"
    assert found("b.csv", "other") == ""


@pytest.mark.parametrize("content", [b"", b"\xff", b"x" * 65_537, b"a\0b"])
def test_what_is_no_map_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.yaml").write_bytes(content)
    with pytest.raises(InputError, match=r"m\.yaml: a map"):
        map_at(str(tmp_path / "m.yaml"))


def test_answers_are_keys_of_a_map() -> None:
    assert in_map("--timezone, such as Europe/Madrid") == "timezone: Europe/Madrid"
    assert in_map("--standard-time if ..., or another --timezone") == "fixed_offset: true; or timezone: Europe/Madrid"
    assert in_map("split the file") == "split the file"
