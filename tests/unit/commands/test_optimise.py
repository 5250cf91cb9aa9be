"""`optimise-contract` as a user meets it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from flink_job.__main__ import app
from tests.harness.jobs import command
from tests.unit.billing.test_contract_power import HEAD, contracted
from tests.unit.billing.test_rate import HEADER, write

JUNE = "a,2026-06-01T10:00:00+02:00,900,3.5\n"


@pytest.fixture
def files(tmp_path: Path) -> list[object]:
    """A peak of 14 kW in June, 30 days."""
    tariff = write(tmp_path / "t.json", {**HEAD, **contracted("maximeter", "20")})
    readings = write(tmp_path / "r.csv", HEADER + JUNE)
    return ["--tariff", tariff, "--readings", readings, "--timezone", "Europe/Madrid"]


def shown(*arguments: object, code: int = 0) -> str:
    answer = CliRunner().invoke(app, ["optimise-contract", *map(str, arguments)])
    assert answer.exit_code == code, answer.output
    return " ".join(answer.output.split())


def test_a_table_a_chart_and_files(files: list[object], tmp_path: Path) -> None:
    """June at 1 a kW and day and 2 x 20 for each kW above: 14 kW are 420, 10 kW 300 + 160 = 460; the saving is 40."""
    chart, out = tmp_path / "power.png", tmp_path / "best.csv"
    text = " ".join(command("optimise-contract", *files, "--chart", chart).split())
    assert "now 460.00, best 420.00 EUR" in text
    assert "saving 40.00 EUR (8.7%)" in text
    assert "the bills are of 30 days" in text
    assert chart.read_bytes().startswith(b"\x89PNG")
    shown(*files, "--format", "csv", "--out", out)
    [row] = csv.DictReader(out.open())
    assert (row["present_kw"], row["best_kw"], row["best_power_cost"]) == ("10", "14", "420.000000")


def test_contracts_name_the_present_power(files: list[object], tmp_path: Path) -> None:
    """12 kW by the contract: 360 + 2 x 40 = 440."""
    assigned = [{"tariff_id": "t", "valid_from": "2026-01-01", "contracted_kw": {"all": 12}}]
    terms = {"meter_id": "a", "site_path": "f/p/l/a", "timezone": "Europe/Madrid", "assignments": assigned}
    contracts, books = write(tmp_path / "contracts.ndjson", terms), tmp_path / "tariffs"
    books.mkdir()
    write(books / "t.json", {**HEAD, **contracted("maximeter", "20")})
    options = ["--contracts", contracts, "--tariffs", books, "--readings", files[3], "--meter", "a"]
    document = CliRunner().invoke(app, ["optimise-contract", *map(str, options), "--format", "json"])
    found = json.loads(document.stdout)
    assert (found["periods"][0]["present_kw"], found["present_bills"]) == ("12", "440.000000")


def test_errors_say_what_to_do(files: list[object], tmp_path: Path) -> None:
    assert "give --tariff FILE and --timezone ZONE" in shown("--readings", files[3], code=2)
    assert "has no contracted_power" in shown(*files, *_tariff(tmp_path), code=2)
    assert "no contracted power for all" in shown(*files, *_tariff(tmp_path, unknown=True), code=2)
    two = write(tmp_path / "two.csv", HEADER + JUNE + JUNE.replace("a,", "b,"))
    assert "choose one with --meter (a, b)" in shown(*files[:2], "--readings", two, *files[4:], code=2)


def _tariff(tmp_path: Path, unknown: bool = False) -> list[object]:
    """Options that replace the version by one without contracted power, or with one whose kW are unknown."""
    document = {**HEAD, **contracted("maximeter", "20"), "valid_from": "2026-05-01", "version": "2"}
    if unknown:
        del document["contracted_power"]["kw"]
    else:
        del document["contracted_power"]
    return ["--tariff", write(tmp_path / "t2.json", document)]


def test_a_year_of_quarter_hours_takes_seconds(tmp_path: Path) -> None:
    """35,040 readings and 60 candidates: the work is linear in readings plus candidates."""
    rng = np.random.default_rng(1)
    stamps = np.datetime64("2026-01-01T00:00") + np.arange(35_040) * np.timedelta64(15, "m")
    rows = "".join(f"a,{at}Z,900,{kwh:.3f}\n" for at, kwh in zip(stamps, rng.random(35_040) * 15, strict=True))
    readings = write(tmp_path / "year.csv", HEADER + rows)
    tariff = write(tmp_path / "t.json", {**HEAD, **contracted("root_of_squares", "2", kw="20")})
    text = shown("--tariff", tariff, "--readings", readings, "--timezone", "UTC", "--step-kw", 1)
    assert "saving" in text
