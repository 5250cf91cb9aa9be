"""`explain` as a user meets it: from files, from a lake, in three formats, with errors that say what to do."""

from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flink_job.__main__ import app
from tests.harness.jobs import command
from tests.unit.billing.test_rate import HEADER, TARIFF, write
from tests.unit.billing.test_settled_days import Site, cost, flat

ROWS = "a,2026-07-10T05:30:00Z,900,1\na,2026-07-10T06:30:00Z,900,2\na,2026-07-11T12:00:00+02:00,900,-4\n"


@pytest.fixture
def files(tmp_path: Path) -> list[object]:
    tariff, readings = write(tmp_path / "t.json", TARIFF), write(tmp_path / "r.csv", HEADER + ROWS)
    return ["--tariff", tariff, "--readings", readings, "--timezone", "Europe/Madrid"]


def shown(*arguments: object, code: int = 0) -> str:
    answer = CliRunner().invoke(app, ["explain", *map(str, arguments)])
    assert answer.exit_code == code, answer.output
    return answer.output


def test_a_bill_and_its_readings_from_files(files: list[object]) -> None:
    """The bill of test_rate: 1 x 0.10 + 2 x 0.20 = 0.50, export 4 x 0.05, fixed 31, VAT 0.105 + 6.51; sum 37.915.

    The second reading costs 2 x 0.20 = 0.40, the time since the first one and their VAT. Fixed are 31 x 223.75 / 744 =
    9.322917 after the first, which ends at 07:45, and 31 x 224.75 / 744 = 9.364583 after the second.
    """
    text = command("explain", "--bill", "a", "2026-07", *files)
    assert re.search(r"night +0\.10 += 1 kWh × 0\.1 EUR/kWh", text)
    assert re.search(r"export day +-0\.20 += 4 kWh × -0\.05 EUR/kWh", text)
    assert re.search(r"sum +37\.915 EUR", text)
    reading = json.loads(shown("a@2026-07-10T08:30", *files, "--format", "json"))[0]
    lines = {line["line"]: line for line in reading["lines"]}
    assert lines["energy"]["entries"][0]["amount"] == "0.4"
    assert Decimal(lines["fixed"]["amount"]) == Decimal("0.041666")
    assert sum(Decimal(line["amount"]) for line in lines.values()) == Decimal(reading["amount"])
    assert Decimal(reading["bill_after"]) - Decimal(reading["bill_before"]) == Decimal(reading["amount"])


def test_a_page_is_written(files: list[object], tmp_path: Path) -> None:
    page = tmp_path / "pages" / "bill.html"
    assert "wrote" in shown("--bill", "a", "2026-07-31", *files, "--format", "html", "--out", page)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["a@2026-07-10T08:31"], "no reading that begins at 2026-07-10 08:31"),
        (["b@2026-07-10T08:30"], "meter 'b' has no readings in these files; there are: a"),
        (["a@noon"], "'noon' is not a time; name a reading as METER@START"),
        (["0123abcd"], "name a reading of files as METER@START"),
        (["--bill", "a", "July"], "'July' is not a day or month"),
        (["--bill", "a", "2025-07"], "no bill of a cycle with 2025-07-01"),
        ([], "give either a reading"),
        (["--bill", "a", "2026-07", "--lake", "out"], "give either --readings FILE"),
    ],
)
def test_errors_say_what_to_do(files: list[object], arguments: list[str], problem: str) -> None:
    assert problem in " ".join(shown(*arguments, *files, code=2).split())


def contract(tmp_path: Path) -> Path:
    assigned = [{"tariff_id": "t", "valid_from": "2026-01-01"}]
    terms = {"meter_id": "m", "site_path": "f/p/l1/m", "timezone": "Europe/Madrid", "assignments": assigned}
    return write(tmp_path / "contracts.ndjson", terms)


def stored(tmp_path: Path) -> tuple[Site, list[object]]:
    """A lake with 2 kWh at 0.10 of version 1; the reading of 2 June was priced by it, before version 2 was known."""
    rows: list[dict[str, Any]] = [cost(1, "2", "0.20"), cost(25, "1", "0.10")]
    site = Site(tmp_path, [flat("t", "1", "0.10"), flat("t", "2", "0.25", "2026-06-02")], costs=rows)
    where = ["--lake", site.lake, "--contracts", contract(tmp_path), "--tariffs", tmp_path / "tariffs"]
    return site, where


def test_a_reading_of_a_lake_names_what_the_stream_priced(tmp_path: Path) -> None:
    """Reading `25`, 1 kWh of 2 June: exact is 0.25, the stream had 0.10, 0.15 less."""
    _, where = stored(tmp_path)
    text = shown("25", *where)
    assert re.search(r"all +0\.25 += 1 kWh × 0\.25 EUR/kWh", text)
    assert "revision 0 of 1.000000 kWh cost 0.100000" in text
    assert "with -0.150000 against this derivation" in text
    assert shown("m@2026-06-02T01:00", *where) == text


def test_a_record_is_explained_in_order_of_arrival(tmp_path: Path) -> None:
    """Hour 5 with 10 kWh came before hour 1 with 4 kWh, at 0.10 a kWh and 2 a kW.

    The stream priced 10 kWh at 1.00 and a peak of 10 kW at 20, then 4 kWh at 0.40 without a new peak. In order of time,
    hour 1 has a peak of 4 kW: 8.40. Then hour 1 was corrected to 12 kWh: 0.80 more, and 2 kW more of the peak: 4.
    """
    rows: list[dict[str, Any]] = [
        came(5, "10", "1", "20", minute=1),
        came(1, "4", "0.4", "0", minute=2),
        came(1, "8", "0.8", "4", minute=3, reading_id="1b", revision=1, is_first=False),
    ]
    site = Site(tmp_path, [flat("t", "1", "0.10", demand={"window_s": 3600, "flat": [{"price": "2"}]})], costs=rows)
    where = ["--lake", site.lake, "--contracts", contract(tmp_path), "--tariffs", tmp_path / "tariffs"]
    first = shown("1", *where)
    assert "stored cost of reading 1: 0.40 EUR" in first
    assert "order: of arrival; records of this bill that came before: 1" in first
    [document] = json.loads(shown("1", *where, "--format", "json"))
    assert [line["line"] for line in document["lines"]] == ["energy"]
    later = shown("1b", *where)
    assert "stored cost of reading 1b: 4.80 EUR" in later
    assert re.search(r"peak of all hours +4\.00 += 2 kW × 2 EUR/kW", later)
    assert "12 kW in the demand interval from 2026-06-01 01:00" in later
    assert "bill before 21.40, after 26.20 EUR" in later


def came(hour: int, kwh: str, energy: str, demand: str, minute: int, **more: Any) -> dict[str, Any]:
    """A row of `costs` that was priced at a minute of 10 June."""
    amounts = {"demand_cost": Decimal(demand), "cost": Decimal(energy) + Decimal(demand)}
    return cost(hour, kwh, energy, **{**amounts, "costed_at": datetime(2026, 6, 10, 0, minute), **more})


def test_a_bill_of_a_lake_is_compared_with_what_is_stored(tmp_path: Path) -> None:
    """Version 1 has 0.20 of 0.30 streamed, version 2 is 0.25; after settlement both are equal to the last digit."""
    site, where = stored(tmp_path)
    before = shown("--bill", "m", "2026-06", *where)
    assert "settlement (`settle`) will adjust it by -0.100000" in before
    site.settle()
    after = shown("--bill", "m", "2026-06", *where)
    assert after.count("equal to the last digit") == 2
    assert "the cycle is not closed" in after


def test_a_settled_bill_that_changed_is_an_error(tmp_path: Path) -> None:
    site, where = stored(tmp_path)
    site.settle()
    write(tmp_path / "tariffs" / "0.json", flat("t", "1", "0.30"))
    assert "run `settle`" in shown("--bill", "m", "2026-06", *where, code=2)


def test_unknown_names_of_a_lake(tmp_path: Path) -> None:
    _, where = stored(tmp_path)
    assert "no reading 'zzz' in table costs" in shown("zzz", *where, code=2)
    assert "'x' is neither a meter nor a supply point of --contracts" in " ".join(
        shown("--bill", "x", "2026-06", *where, code=2).split()
    )
