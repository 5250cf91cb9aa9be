"""The page of faults: the last outcome of each, whenever it was."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.chaos.faults import FAULTS
from tests.chaos.outcome import Outcome
from tests.chaos.report import page

WHEN = datetime(2026, 11, 26, tzinfo=UTC)


def rows(text: str) -> list[list[str]]:
    """Fault and version of each row."""
    return [line.split(" | ")[:2] for line in text.splitlines() if line.startswith("| ")][2:]


def test_a_fault_that_was_not_run_keeps_its_row() -> None:
    first, second, third = list(FAULTS)[:3]
    before = page([Outcome(first, "1"), Outcome(third, "1")], WHEN)
    assert rows(page([Outcome(second, "2"), Outcome(third, "2")], WHEN, before)) == [
        [f"| {FAULTS[first].doc}", "1"],
        [f"| {FAULTS[second].doc}", "2"],
        [f"| {FAULTS[third].doc}", "2"],
    ]
