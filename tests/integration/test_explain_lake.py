"""`explain` over the output of a run: stored costs of late, repeated and corrected records, to the last digit."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from flink_job.batch.contracts import records_in_force
from flink_job.billing.agreements import Book
from flink_job.billing.explain_lake import Lake
from flink_job.lake.database import query
from flink_job.metering.units import to_micro
from flink_job.tariffs.registry import open_registry
from tests.harness.jobs import SAMPLES

#: A record of each tariff, corrections that raise and lower a quantity, and records of readings that came very late.
CHOSEN = """
SELECT reading_id, cost FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY tariff_id ORDER BY hash(reading_id)) AS one,
    ROW_NUMBER() OVER (PARTITION BY revision > 0, energy_kwh < 0 ORDER BY hash(reading_id)) AS corrected,
    ROW_NUMBER() OVER (ORDER BY arrival - interval_start DESC, reading_id) AS late
  FROM costs
  WHERE COALESCE(role, 'main') IN ('main', 'part')
) WHERE one = 1 OR corrected = 1 OR late = 1
"""


@pytest.fixture(scope="module")
def lake(sample_run: Path) -> Lake:
    known = records_in_force([str(SAMPLES / "contracts.ndjson")], lambda fault: None)
    return Lake(sample_run, Book(known.contracts, open_registry(str(SAMPLES / "tariffs")), terms=known.terms))


def test_stored_costs_are_derived_in_order_of_arrival(lake: Lake) -> None:
    chosen = query(lake.folder, CHOSEN)[1]
    assert len(chosen) > 7
    for reading_id, cost in chosen:
        explanation = lake.reading(str(reading_id))
        assert explanation.title == f"stored cost of reading {reading_id}"
        assert explanation.amount == to_micro(cost)  # type: ignore[arg-type]


def test_a_bill_is_compared_with_what_is_stored(lake: Lake) -> None:
    """The sample ends within March: the bill is open, and lacks the time without readings."""
    [[meter]] = query(lake.folder, "SELECT meter_id FROM costs WHERE tariff_id = 'eur-flat' ORDER BY meter_id LIMIT 1")[
        1
    ]
    [bill] = lake.bill(str(meter), date(2026, 3, 29))
    assert any(note.startswith("the cycle is not closed") for note in bill.notes)
    assert any("settlement (`settle`) will adjust it by" in note for note in bill.notes)
