"""Two lakes agree where every bill of every meter is the same to the last digit."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flink_job.batch.collect import arrow_schema
from flink_job.lake.bill_comparison import BillComparison, after_replay, compare, compare_replay, selected
from flink_job.schemas import OUTPUTS

REPLAYED_AT = datetime(2026, 3, 29, 1)


def cost(meter: str, quarter: int, amount: str, cycle: str = "2026-03-01", copy: int = 0) -> dict[str, Any]:
    started = datetime(2026, 3, 28, quarter, tzinfo=UTC)
    return {
        "tenant": "default",
        "reading_id": f"{meter}-{quarter}",
        "revision": 0,
        "meter_id": meter,
        "site_path": "zaragoza/casting",
        "interval_start": started,
        "shard": "shard-0",
        "record_position": f"{quarter}",
        "costed_at": datetime(2026, 3, 29, copy, tzinfo=UTC),
        "cycle_start": cycle,
        "tariff_id": "eur-flat",
        "tariff_version": "1",
        **{name: Decimal(0) for name in ("energy_kwh", "export_kwh", "demand_cost", "export_credit", "other_cost")},
        **{name: Decimal(0) for name in ("fixed_cost", "tax")},
        "energy_cost": Decimal(amount),
        "cost": Decimal(amount),
    }


def lake(folder: Path, *rows: dict[str, Any]) -> Path:
    (folder / "costs").mkdir(parents=True)
    table = pa.Table.from_pylist(list(rows), schema=arrow_schema(OUTPUTS["costs"]))
    pq.write_table(table, folder / "costs" / "part.parquet")
    return folder


def test_the_order_and_copies_of_rows_do_not_matter(tmp_path: Path) -> None:
    """Another run prices the readings in another order: each may cost something else, the bill does not."""
    one = lake(tmp_path / "one", cost("a", 0, "0.10"), cost("a", 1, "0.25"), cost("b", 0, "1"))
    other = lake(
        tmp_path / "two", cost("b", 0, "9"), cost("a", 1, "0.2"), cost("a", 0, "0.15"), cost("b", 0, "1", copy=1)
    )
    assert compare(one, other) == BillComparison(2, [])


def test_the_last_digit_counts(tmp_path: Path) -> None:
    one = lake(tmp_path / "one", cost("a", 0, "0.100000"), cost("b", 0, "1"))
    other = lake(tmp_path / "two", cost("a", 0, "0.100001"), cost("b", 0, "1"))
    found = compare(one, other)
    assert found.bills == 2
    assert [(d.bill[1], d.amount) for d in found.differences] == [("a", "energy_cost"), ("a", "cost")]
    assert str(found.differences[1]).endswith("cost is 0.100000 and 0.100001")


def test_a_bill_that_one_lake_lacks_is_a_difference(tmp_path: Path) -> None:
    one = lake(tmp_path / "one", cost("a", 0, "1"), cost("a", 1, "2", cycle="2026-02-01"))
    other = lake(tmp_path / "two", cost("a", 0, "1"))
    [difference] = compare(one, other).differences
    assert (difference.one, difference.other) == (Decimal(2), None)
    assert "cycle_start=2026-02-01" in str(difference)
    assert compare(other, one).differences[0].one is None
    assert compare(one, other, since=date(2026, 3, 1)) == BillComparison(1, [])


def test_a_replay_that_costs_everything_again_changes_no_bill(tmp_path: Path) -> None:
    """Readings that are new since then are not compared: they have no bill before."""
    before = [cost("a", 0, "0.10"), cost("a", 1, "0.25"), cost("b", 0, "1")]
    after = [cost("a", 0, "0.20", copy=2), cost("a", 1, "0.15", copy=2), cost("a", 2, "7", copy=3)]
    assert compare_replay(lake(tmp_path, *before, *after), REPLAYED_AT) == BillComparison(2, [])


def test_a_replay_that_begins_in_mid_cycle_is_found_out(tmp_path: Path) -> None:
    """The tiers of the bill restart: the reading that is read again is the first of the cycle now, and cheaper."""
    copies = lake(tmp_path, cost("a", 0, "0.10"), cost("a", 1, "0.25"), cost("a", 1, "0.10", copy=2), cost("b", 0, "1"))
    found = compare_replay(copies, REPLAYED_AT)
    assert found.bills == 2
    assert [(d.bill[1], d.one, d.other) for d in found.differences if d.amount == "cost"] == [
        ("a", Decimal("0.35"), Decimal("0.20"))
    ]


def test_a_deployment_that_drops_state_says_how_to_check_the_bills() -> None:
    said = after_replay("prod", REPLAYED_AT, 168)
    assert "the last 168 h" in said
    assert "python -m deploy compare --env prod --replayed-at 2026-03-29T01:00:00" in said


def test_only_what_the_bills_are_made_of_is_read() -> None:
    selection = selected(date(2026, 3, 1))
    assert selection.has_table("costs")
    assert not selection.has_table("kpis")
    assert selection.first == date(2026, 2, 28)
