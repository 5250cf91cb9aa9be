"""`contracts check`: every fault with the place of its record, its code and the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flink_job.batch.contract_check import check_contracts
from flink_job.tariffs.registry import open_registry
from tests.harness.jobs import command

BASE = {"site_path": "plant/m", "timezone": "Europe/Madrid"}
ASSIGNED = {"assignments": [{"tariff_id": "t", "valid_from": "2026-01-01"}]}


def meter(name: str, role: str = "", **fields: Any) -> dict[str, Any]:
    place = {"supply_point": "sp", "role": role} if role else {}
    return {"meter_id": name, **BASE, **place, **fields}


TERMS = {"supply_point": "sp", "timezone": "Europe/Madrid", **ASSIGNED}


def written(folder: Path, *records: dict[str, Any] | str) -> str:
    path = folder / "contracts.ndjson"
    path.write_text("\n".join(record if isinstance(record, str) else json.dumps(record) for record in records))
    return str(path)


@pytest.mark.parametrize(
    ("records", "code", "lines", "way_out"),
    [
        ([TERMS, meter("s", "sub")], "no_main", [2], "give the meter that measures the supply the role main"),
        ([meter("x", "main"), meter("s", "sub")], "no_supply", [1], "add a record with supply_point"),
        (
            [meter("x", "main", **ASSIGNED), meter("y", "main", billing_day=2, **ASSIGNED)],
            "different_terms",
            [1, 2],
            "give them equal ones",
        ),
        ([TERMS, meter("x", "main"), meter("p", "part")], "main_and_part", [3, 2], "has submeters (role sub)"),
        (
            [TERMS, meter("x", "main"), meter("s", "sub", upstream="nobody")],
            "unknown_upstream",
            [3],
            "give nobody the same supply point",
        ),
        (
            [TERMS, meter("x", "main"), meter("a", "sub", upstream="b"), meter("b", "sub", upstream="a")],
            "upstream_cycle",
            [3, 4],
            "change one `upstream`",
        ),
    ],
)
def test_a_fault_names_its_records_and_the_way_out(
    tmp_path: Path, records: list[dict[str, Any]], code: str, lines: list[int], way_out: str
) -> None:
    file = written(tmp_path, *records)
    [fault] = check_contracts([file]).faults
    assert fault.startswith(f"{', '.join(f'{file}:{line}' for line in lines)}: supply point ")
    assert f": {code}: " in fault
    assert way_out in fault


def test_the_record_in_force_is_checked(tmp_path: Path) -> None:
    """The first record of s has no such upstream; the second one, which was issued later, has none."""
    wrong = meter("s", "sub", upstream="nobody", issued_at="2026-01-01T00:00:00Z")
    right = meter("s", "sub", issued_at="2026-02-01T00:00:00Z")
    for records in ((wrong, right), (right, wrong)):
        assert check_contracts([written(tmp_path, TERMS, meter("x", "main"), *records)]).faults == []


def test_every_invalid_record_is_found(tmp_path: Path) -> None:
    file = written(tmp_path, "{", meter("x", "main", **ASSIGNED), meter("y", "boss"))
    first, second = check_contracts([file]).faults
    assert (first.split(":")[1], second.split(":")[1]) == ("1", "3")
    assert "role" in second


def test_a_tariff_that_does_not_exist_is_a_fault_of_its_record(tmp_path: Path) -> None:
    head = {"tariff_id": "t", "version": "1", "currency": "EUR", "valid_from": "2026-02-01", "valid_to": "2027-01-01"}
    (tmp_path / "tariffs").mkdir()
    document = {**head, "energy": {"periods": {"all": [{"price": "0.10"}]}}}
    (tmp_path / "tariffs" / "t.json").write_text(json.dumps(document))
    later = [{"tariff_id": "t", "valid_from": "2027-01-01"}, {"tariff_id": "u", "valid_from": "2026-01-01"}]
    file = written(tmp_path, meter("x", **ASSIGNED), meter("y", assignments=later[:1]), meter("z", assignments=later))
    faults = check_contracts([file], registry=open_registry(str(tmp_path / "tariffs"))).faults
    # t begins in February 2026, so an assignment from January has it from then on; none begins after its end.
    assert [(fault.split(":")[1], fault.split(": ")[1]) for fault in faults] == [("2", "y"), ("3", "z"), ("3", "z")]
    assert "no tariff 'u'" in faults[1]
    assert "2027-01-01" in faults[2]


def test_a_supply_point_that_no_meter_names_is_no_fault_but_said(tmp_path: Path) -> None:
    checked = check_contracts([written(tmp_path, TERMS, meter("own", **ASSIGNED))])
    assert checked.faults == []
    assert checked.unused == [f"{tmp_path}/contracts.ndjson:1: no meter names supply point sp"]


def test_the_command_ends_with_code_2_if_there_are_faults(tmp_path: Path) -> None:
    assert "no_main" in command("contracts", "check", written(tmp_path, TERMS, meter("s", "sub")), code=2)
    fine = written(tmp_path, TERMS, meter("x", "main"), meter("s", "sub"), meter("own", **ASSIGNED))
    assert "3 meters, 1 record of supply points; 2 supply points with 2 mains, 1 sub" in command(
        "contracts", "check", fine
    )
