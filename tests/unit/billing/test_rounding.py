"""Differences of rounding are no adjustments; the bill is exact without them."""

from __future__ import annotations

import pandas as pd
import pytest

from flink_job.billing.rounding import without_rounding

CHARGES = ("energy_cost", "tax")


def settled(rows: list[tuple[str, int, int, int]]) -> list[tuple[str, int, int, int]]:
    """(cycle, energy cost, tax, exact cost) of the rows that remain of (cycle, readings, energy cost, tax).

    Each row has two records, a cost of 0 in the stream and as many millionths in settlement as its charges.
    """
    frame = pd.DataFrame(rows, columns=["cycle_start", "readings", *CHARGES])
    frame = frame.assign(tariff_id="t", tariff_version="1", streamed_cost=0)
    frame["exact_cost"] = frame["energy_cost"] + frame["tax"]
    found = without_rounding(frame, CHARGES, ("readings",), pd.Series(2, index=frame.index))
    return [tuple(row) for row in found[["cycle_start", *CHARGES, "exact_cost"]].itertuples(index=False)]


def test_differences_of_rounding_that_add_up_to_nothing_leave_no_row() -> None:
    assert settled([("a", 0, 1, 0), ("a", 0, -1, 1), ("a", 0, 0, -1)]) == []


def test_a_row_that_differs_by_more_takes_what_is_left_out() -> None:
    """Of cycle a, 1 + 2 millionths are left out: the largest row has 900 + 3. Cycle b has nothing to leave out."""
    rows = [("a", 0, 1, 0), ("a", 0, 900, 10), ("a", 0, 2, 0), ("a", 0, -400, 0), ("b", 0, 50, 0)]
    assert settled(rows) == [("a", 903, 10, 913), ("a", -400, 0, -400), ("b", 50, 0, 50)]


def test_a_bill_that_changes_by_rounding_only_has_one_row() -> None:
    """1 + 1 + 1 millionths in three quarter hours, as of a tariff with another price in the seventh digit."""
    assert settled([("a", 0, 1, 0), ("a", 0, 1, 0), ("a", 0, 1, 0)]) == [("a", 3, 0, 3)]


@pytest.mark.parametrize(("energy", "readings"), [(5, 0), (1, 1)])
def test_rows_of_readings_and_above_the_rounding_remain(energy: int, readings: int) -> None:
    """Two records may differ by two millionths each: 5 are more."""
    assert settled([("a", readings, energy, 0), ("a", 0, 4, 0)]) == [("a", energy + 4, 0, energy + 4)]
