"""`explain` and `optimise-contract` of a supply point, from files and from a lake."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flink_job.__main__ import app
from tests.harness.plants import ENERGY_AND_PEAK
from tests.unit.billing.test_contract_power import HEAD, contracted
from tests.unit.billing.test_rate import HEADER, write
from tests.unit.billing.test_settled_days import Site, cost

MADRID = {"timezone": "Europe/Madrid", "supply_point": "plant"}
ASSIGNED = [{"tariff_id": "t", "valid_from": "2026-01-01"}]
MAIN = {"meter_id": "main", "site_path": "f/main", "role": "main", "assignments": ASSIGNED, **MADRID}
SUB = {"meter_id": "press", "site_path": "f/p/l/press", "role": "sub", **MADRID}
#: The plant draws 10 and 40 kW, the press 4 and 30 kW of it.
ROWS = [
    f"{meter},2026-06-01T{hour}:00:00+02:00,3600,{kwh}\n"
    for meter, hour, kwh in (("main", 10, 10), ("main", 11, 40), ("press", 10, 4), ("press", 11, 30))
]


def records(path: Path, *documents: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")
    return path


def tariffs(tmp_path: Path, tariff: dict[str, Any]) -> Path:
    folder = tmp_path / "tariffs"
    folder.mkdir(exist_ok=True)
    write(folder / "t.json", tariff)
    return folder


def shown(command: str, *arguments: object, code: int = 0) -> str:
    answer = CliRunner().invoke(app, [command, *map(str, arguments)])
    assert answer.exit_code == code, answer.output
    return answer.stdout if code == 0 else answer.output


@pytest.fixture
def files(tmp_path: Path) -> list[object]:
    contracts = records(tmp_path / "contracts.ndjson", SUB, MAIN)
    readings = write(tmp_path / "r.csv", HEADER + "".join(ROWS))
    return ["--readings", readings, "--contracts", contracts, "--tariffs", tariffs(tmp_path, ENERGY_AND_PEAK)]


@pytest.mark.parametrize("name", ["plant", "main"])
def test_the_bill_is_that_of_the_load_of_the_supply(name: str, files: list[object]) -> None:
    """50 kWh at 0.10 and 40 kW at 1; the press adds nothing."""
    text = shown("explain", "--bill", name, "2026-06", *files)
    assert re.search(r"5\.00 += 50 kWh × 0\.1 EUR/kWh", text)
    assert re.search(r"sum +45\.00 EUR", text)


def test_a_reading_of_a_submeter_has_a_share(files: list[object]) -> None:
    """30 of 40 kWh in the hour that set the peak: 30 x 0.10 of the energy and 30 of the 40 of demand."""
    [found] = json.loads(shown("explain", "press@2026-06-01T11:00", *files, "--format", "json"))
    assert found["facts"]["adds to the bill"].startswith("0.000000")
    assert {line["line"]: line["amount"] for line in found["lines"]} == {"energy": "3", "demand": "30"}
    assert found["amount"] == "33"


def test_a_reading_of_the_main_adds_to_the_bill(files: list[object]) -> None:
    """40 x 0.10, and a peak of 40 kW after 10: 30 more."""
    [found] = json.loads(shown("explain", "main@2026-06-01T11:00", *files, "--format", "json"))
    assert (found["bill_before"], found["bill_after"]) == ("11", "45")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--bill", "press", "2026-06"], "press is a submeter of supply point plant, which has the bill: name plant"),
        (["--bill", "other", "2026-06"], "'other' is neither a meter nor a supply point of --contracts"),
        (["press@2026-06-01T12:00"], "press has no reading that begins at 2026-06-01T10:00:00Z"),
    ],
)
def test_errors_say_what_to_name(files: list[object], arguments: list[str], problem: str) -> None:
    assert problem in " ".join(shown("explain", *arguments, *files, code=2).split())


def test_a_lake_has_the_bill_of_the_supply_and_the_share_of_a_submeter(tmp_path: Path) -> None:
    """2 kWh and 1 kWh of the main at 0.10, the second of which set no peak; the press measured half of the first.

    Bill: 0.30 and 2 kW at 1. The press bears 1 x 0.10 and 1 of the 2 kW.
    """
    place: dict[str, Any] = {"supply_point": "plant"}
    main = {**place, "meter_id": "main", "role": "main", "site_path": "f/main"}
    rows = [
        cost(1, "2", "0.20", **{**main, "demand_cost": Decimal(2), "cost": Decimal("2.20")}),
        cost(2, "1", "0.10", **main),
        cost(1, "1", "0", **place, meter_id="press", role="sub", upstream="main", reading_id="p1"),
    ]
    site = Site(tmp_path, [ENERGY_AND_PEAK], costs=rows)
    where = ["--lake", site.lake, "--contracts", records(tmp_path / "c.ndjson", SUB, MAIN)]
    where += ["--tariffs", tariffs(tmp_path, ENERGY_AND_PEAK)]
    assert "2.30" in shown("explain", "--bill", "plant", "2026-06", *where)
    [share] = json.loads(shown("explain", "p1", *where, "--format", "json"))
    assert {line["line"]: line["amount"] for line in share["lines"]} == {"energy": "0.1", "demand": "1"}


def test_the_contracted_power_is_that_of_the_parts_together(tmp_path: Path) -> None:
    """Two parts of 7 kW at the same time are 14 kW: 360 + 2 x 40 = 440 with 12 kW, 420 with 14 (see test_optimise)."""
    named = {"timezone": "Europe/Madrid", "supply_point": "plant", "role": "part"}
    assigned = [{"tariff_id": "t", "valid_from": "2026-01-01", "contracted_kw": {"all": 12}}]
    terms = {"supply_point": "plant", "timezone": "Europe/Madrid", "assignments": assigned}
    parts = ({"meter_id": part, "site_path": f"f/p/l/{part}", **named} for part in "ab")
    contracts = records(tmp_path / "contracts.ndjson", *parts, terms)
    rows = "".join(f"{part},2026-06-01T10:00:00+02:00,900,1.75\n" for part in "ab")
    options = ["--contracts", contracts, "--readings", write(tmp_path / "r.csv", HEADER + rows), "--supply", "plant"]
    options += ["--tariffs", tariffs(tmp_path, {**HEAD, **contracted("maximeter", "20")})]
    found = json.loads(shown("optimise-contract", *options, "--format", "json"))
    assert (found["periods"][0]["present_kw"], found["present_bills"]) == ("12", "440.000000")
    assert found["periods"][0]["best_kw"] == "14"
