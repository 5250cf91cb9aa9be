"""Dated changes of contracts through the job and its settlement: a move, another zone, ratio and billing day.

Each meter counts 1 kWh in every hour from 31 May 22:00 UTC (midnight in Madrid) to 8 June 22:00 UTC, at 0.10 EUR/kWh
and 30 EUR a month. Every change is valid from 5 June.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flink_job.lake.database import query
from tests.harness.jobs import command, run_files, write_records

FIRST, LAST = datetime(2026, 5, 31, 22, tzinfo=UTC), datetime(2026, 6, 8, 22, tzinfo=UTC)
TARIFF = {
    "tariff_id": "t", "version": "1", "currency": "EUR", "valid_from": "2026-01-01", "name": "t", "source": "a test",
    "energy": {"periods": {"all": [{"price": "0.10"}]}}, "fixed": [{"name": "base", "amount": "30", "per": "month"}],
}  # fmt: skip
CHANGES: dict[str, dict[str, Any]] = {
    "move": {"site_path": "f/p/l2/move"},
    "ratio": {"multiplier": "2"},
    "zone": {"timezone": "Europe/London"},
    "cycle": {"billing_day": 3},
}


def reading(meter: str, start: datetime, kwh: float = 1, revision: int = 0) -> bytes:
    record = {"meter_id": meter, "interval_start": start.isoformat(), "interval_s": 3600, "revision": revision}
    return json.dumps({**record, "energy_kwh": kwh}).encode()


def contract(meter: str) -> bytes:
    changes = [{"valid_from": "2026-06-05", **CHANGES[meter]}]
    place = {"meter_id": meter, "site_path": f"/f/p/l1/{meter}", "timezone": "Europe/Madrid", "changes": changes}
    assignments = [{"tariff_id": "t", "valid_from": "2026-01-01"}]
    # Issued before the other one, but read after it.
    older = {**place, "changes": [], "assignments": [{"tariff_id": "old", "valid_from": "2026-01-01"}]}
    versions = [{**place, "assignments": assignments, "issued_at": "2026-06-02T00:00:00Z"}]
    versions.append({**older, "issued_at": "2026-06-01T00:00:00Z"})
    return "\n".join(map(json.dumps, versions)).encode()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("changes")
    (folder / "tariffs").mkdir()
    (folder / "tariffs" / "t.json").write_text(json.dumps(TARIFF))
    hours = [FIRST + timedelta(hours=n) for n in range(int((LAST - FIRST) / timedelta(hours=1)))]
    late = [reading(meter, hours[0]) for meter in CHANGES]
    # A correction of 3 June comes after the move, as does the first hour.
    correction = reading("move", datetime(2026, 6, 3, 10, tzinfo=UTC), 0.5, 1)
    readings = [reading(meter, hour) for hour in hours[1:] for meter in CHANGES] + [correction, *late]
    contracts = [line for meter in CHANGES for line in contract(meter).splitlines()]
    out = folder / "out"
    files = write_records(folder / "r.ndjson", readings), write_records(folder / "c.ndjson", contracts)
    run_files(*files, out, folder / "tariffs")
    command("settle", out, "--contracts", files[1], "--tariffs", folder / "tariffs")
    return out


def rows(lake: Path, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in query(lake, sql)[1]]


def test_energy_is_counted_at_the_place_of_its_time(lake: Path) -> None:
    """Until midnight of 5 June in Madrid 96 hours on line l1, less 0.5 kWh of the correction; then 96 hours on l2."""
    sql = "SELECT site_path, SUM(energy_kwh) FROM costs WHERE meter_id = 'move' GROUP BY 1 ORDER BY 1"
    assert rows(lake, sql) == [("f/p/l1/move", Decimal("95.5")), ("f/p/l2/move", 96)]
    sql = "SELECT entity, SUM(energy_kwh) FROM kpis_1d WHERE entity = 'f/p/l2' GROUP BY 1"
    assert rows(lake, sql) == [("f/p/l2", 96)]


def test_the_ratio_multiplies_from_its_day_on(lake: Path) -> None:
    sql = "SELECT energy_kwh, COUNT(*) FROM costs WHERE meter_id = 'ratio' GROUP BY 1 ORDER BY 1"
    assert rows(lake, sql) == [(1, 96), (2, 96)]


def test_every_hour_is_in_one_local_day(lake: Path) -> None:
    """4 June ends with the midnight of London, an hour after that of Madrid; the last hour of 8 June is missing."""
    sql = "SELECT window_start, energy_kwh FROM kpis_1d WHERE entity = 'zone' ORDER BY 1"
    starts = [datetime(2026, 5, 31, 22) + timedelta(days=n) for n in range(4)]
    starts += [datetime(2026, 6, 4, 23) + timedelta(days=n) for n in range(4)]
    assert rows(lake, sql) == list(zip(starts, [24, 24, 24, 25, 24, 24, 24, 23], strict=True))


def test_a_new_billing_day_cuts_the_cycle(lake: Path) -> None:
    """Four of thirty days to 5 June; 192 hours in all, of which 96 each: 9.60 + 4.00, and so far 9.60 + 4.00."""
    sql = (
        "SELECT cycle_start::VARCHAR, SUM(energy_cost), SUM(fixed_cost) FROM costs WHERE meter_id = 'cycle' "
        "GROUP BY 1 ORDER BY 1"
    )
    assert rows(lake, sql) == [("2026-06-01", Decimal("9.6"), 4), ("2026-06-03", Decimal("9.6"), 4)]


def test_settlement_finds_nothing_to_adjust(lake: Path) -> None:
    """The stream has priced every reading as the exact bill does, by the contract that was issued last."""
    assert rows(lake, "SELECT DISTINCT tariff_id FROM costs") == [("t",)]
    assert rows(lake, "SELECT meter_id, cost, reason FROM adjustments") == []
