"""The lines of a bill are listed once."""

from __future__ import annotations

from flink_job.schemas import ADJUSTMENTS, COSTS
from flink_job.tariffs.bill_lines import CHARGES, COST_COLUMNS, LINES, OTHER_COLUMNS
from flink_job.tariffs.document import schema
from flink_job.tariffs.state import STREAM_LINES


def test_every_line_is_in_one_column() -> None:
    assert sorted(line for lines in COST_COLUMNS.values() for line in lines) == sorted(LINES)
    assert set(OTHER_COLUMNS.values()) == set(COST_COLUMNS["other_cost"])


def test_lines_of_the_stream_are_lines_of_a_bill() -> None:
    assert STREAM_LINES == LINES


def test_cost_columns_are_those_of_the_tables() -> None:
    for table in (COSTS, ADJUSTMENTS):
        names = [column.name for column in table.columns]
        assert [name for name in names if name in COST_COLUMNS] == list(COST_COLUMNS)


def test_taxable_charges_are_documented_in_the_schema() -> None:
    text = str(schema()["properties"]["taxes"])
    assert all(charge in text for charge in CHARGES)
