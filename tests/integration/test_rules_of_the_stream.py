"""Guarantees of the stream, on small inputs: order does not matter, duplicates and old revisions change nothing."""

from __future__ import annotations

import json
import random
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deploy.local.lake import account
from flink_job.lake.database import open_lake, query
from flink_job.lake.redrive import stored_records
from flink_job.schemas import OUTCOMES
from tests.harness.jobs import run_files, write_records

CONTRACT = {
    "meter_id": "m",
    "site_path": "f/p/l/m",
    "timezone": "Europe/Madrid",
    "assignments": [{"tariff_id": "eur-tou", "valid_from": "2026-01-01"}],
}


def contract(meter: str, tariff: str, **more: Any) -> bytes:
    assigned = [{"tariff_id": tariff, "valid_from": "2026-01-01"}]
    return json.dumps(
        {**CONTRACT, "meter_id": meter, "site_path": f"f/p/l/{meter}", "assignments": assigned, **more}
    ).encode()


def reading(meter: str, minute: int, kwh: float, **more: Any) -> bytes:
    start = f"2026-03-30T{minute // 60:02d}:{minute % 60:02d}:00Z"
    return json.dumps(
        {"meter_id": meter, "interval_start": start, "interval_s": 900, "energy_kwh": kwh, **more}
    ).encode()


def costs_by_meter(output: Path) -> dict[object, object]:
    _, rows = query(output, "SELECT meter_id, SUM(cost), SUM(energy_kwh), SUM(energy_cost) FROM costs GROUP BY ALL")
    return {row[0]: row[1:] for row in rows}


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = [
        contract("tou", "eur-tou"),
        contract("tiered", "inr-tiered"),
        contract("shared", "inr-shared-tiers"),
        contract("demand", "eur-demand"),
        contract("ratio", "eur-flat", multiplier=40),
        contract("nameless", "no-such-tariff"),
        contract("early", "eur-flat", assignments=[{"tariff_id": "eur-flat", "valid_from": "2026-04-01"}]),
        contract("rollover", "eur-flat"),
        b'{"meter_id": "broken", "site_path": "f"}',
        contract("kept", "eur-flat"),
        contract("kept", "eur-flat", timezone="Nowhere/None"),
    ]
    return write_records(tmp_path_factory.mktemp("contracts") / "contracts.ndjson", lines)


def records() -> list[bytes]:
    """Readings with repeats and corrections that never lower a demand."""
    rng = random.Random(7)
    found = []
    for meter in ("tou", "tiered", "shared", "demand"):
        for minute in range(0, 1440, 15):
            kwh = round(rng.uniform(0, 30), 3)
            found.append(reading(meter, minute, kwh))
            if rng.random() < 0.2:
                found.append(found[-1])
            if rng.random() < 0.2:
                found.append(reading(meter, minute, round(kwh + rng.uniform(0, 5), 3), revision=1))
    return found


def another_order() -> list[int]:
    positions = list(range(len(records())))
    random.Random(11).shuffle(positions)
    return positions


@pytest.fixture(scope="module")
def two_orders(contracts: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Outputs of the same records in two orders, the first with some oddities beside them."""
    folder = tmp_path_factory.mktemp("orders")
    odd = [
        reading("ratio", 0, 0.25),
        reading("ratio", 0, 0.2, revision=2),
        reading("ratio", 0, 0.9, revision=1),
        reading("nameless", 0, 1),
        reading("early", 0, 1),
        reading("broken", 0, 1),
        *(reading("kept", minute, 1) for minute in range(0, 1440, 15)),
        reading("stranger", 0, 1),
        b"x" * (1 << 20),
        *(
            reading("rollover", minute, 0, energy_kwh=None, register_kwh=kwh, register_rollover_kwh=1000)
            for minute, kwh in [(0, 990), (15, 995), (45, 4), (30, 999), (60, 9)]
        ),
    ]
    shuffled = [records()[position] for position in another_order()]
    one, other = folder / "one", folder / "other"
    run_files(write_records(folder / "one.ndjson", [*records(), *odd]), contracts, one)
    run_files(write_records(folder / "other.ndjson", shuffled), contracts, other)
    return one, other


def test_two_orders_of_arrival_cost_the_same(two_orders: tuple[Path, Path]) -> None:
    one, other = map(costs_by_meter, two_orders)
    assert {meter: one[meter] for meter in other} == other
    assert set(other) == {"tou", "tiered", "shared", "demand"}


def test_two_orders_of_arrival_have_the_same_windows(two_orders: tuple[Path, Path]) -> None:
    """No window is emitted before the input ends, so none lacks a reading or is emitted twice."""
    columns = "kpi_id, emission, readings, energy_kwh, export_kwh, reactive_kvarh"
    meters = "'tou', 'tiered', 'shared', 'demand'"
    sql = f"SELECT {columns} FROM kpis WHERE entity IN ({meters}) AND window_s > 900 ORDER BY ALL"
    one, other = (query(lake, sql)[1] for lake in two_orders)
    assert one == other
    assert len(one) > 50
    assert len({row[0] for row in one}) == len(one)


def test_read_again_in_another_order_the_newest_outcome_of_each_record_counts(
    two_orders: tuple[Path, Path], tmp_path: Path
) -> None:
    """A lake with the rows of both runs, as after a crash and a replay in which a correction came before its reading:
    what was costed at first is a repeat. The costs are those of the second run, and each record is there once.
    """
    one, other = two_orders
    lake = shutil.copytree(one, tmp_path / "lake")
    with open_lake(other) as connection:
        connection.execute("CREATE TABLE places (position VARCHAR, was VARCHAR)")
        places = [(str(now + 1), str(before + 1)) for now, before in enumerate(another_order())]
        connection.executemany("INSERT INTO places VALUES (?, ?)", places)
        for name in OUTCOMES:
            again = "SELECT r.* EXCLUDE (event_date) "
            again += "REPLACE (replace(shard, 'other.ndjson', 'one.ndjson') AS shard, was AS record_position) "
            again += f"FROM {name}_rows AS r JOIN places ON record_position = position"
            connection.execute(f"COPY ({again}) TO '{lake / name / 'again.parquet'}' (FORMAT PARQUET)")
    costs = costs_by_meter(lake)
    assert {meter: costs[meter] for meter in costs_by_meter(other)} == costs_by_meter(other)
    before, after = account(one), account(lake)
    assert after["costs"] != before["costs"], "the order is to decide what is a repeat"
    assert sum(after[name] for name in OUTCOMES) == sum(before[name] for name in OUTCOMES)


def test_the_multiplier_and_the_highest_revision_count(two_orders: tuple[Path, Path]) -> None:
    # Revision 2 says 0.2 kWh x 40 = 8 kWh, at 0.189: 1.512; revision 1 came too late to matter.
    assert costs_by_meter(two_orders[0])["ratio"][1:] == (Decimal("8.000000"), Decimal("1.512000"))  # type: ignore[index]


def test_a_register_counts_each_kwh_once(two_orders: tuple[Path, Path]) -> None:
    # 990 .. 995: 5; over 1000 to 4: 9, estimated as it took half an hour; the late 999 adds nothing; to 9: 5. All: 19.
    _, rows = query(
        two_orders[0], "SELECT energy_kwh, provisional FROM costs WHERE meter_id = 'rollover' ORDER BY interval_start"
    )
    assert [row[0] for row in rows] == [0, 5, 0, 9, 5]
    assert [row[1] for row in rows] == [False, False, True, True, False]


def test_what_cannot_be_priced_says_why(two_orders: tuple[Path, Path]) -> None:
    _, rows = query(two_orders[0], "SELECT meter_id, reason FROM unpriced")
    assert dict(rows) == {
        "nameless": "unknown_tariff",
        "early": "no_assignment",
        "broken": "no_contract",
        "stranger": "no_contract",
    }


def test_an_invalid_contract_does_not_replace_the_one_before_it(two_orders: tuple[Path, Path]) -> None:
    assert costs_by_meter(two_orders[0])["kept"][1] == 96  # type: ignore[index]
    _, rows = query(
        two_orders[0], "SELECT detail FROM rejected WHERE reason = 'not_a_contract' AND detail LIKE '%kept%'"
    )
    assert rows == [("contract of kept: 'Nowhere/None' is not an IANA time zone",)]


def test_a_mebibyte_is_rejected_in_parts_and_kept_whole(two_orders: tuple[Path, Path]) -> None:
    _, rows = query(two_orders[0], "SELECT reason, parts, COUNT(*) FROM rejected GROUP BY ALL ORDER BY reason")
    assert rows == [("not_a_contract", 1, 2), ("oversized", 2, 2)]
    assert stored_records(two_orders[0], "rejected") == [("oversized", b"x" * (1 << 20))]
