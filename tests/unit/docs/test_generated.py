"""Generated pages are up to date and complete."""

from __future__ import annotations

import dataclasses
import re
import typing
from pathlib import Path

import pytest

from deploy.lake.catalog import view_columns
from deploy.settings import Environment
from docs.generate import PAGES
from docs.generator.meanings import ENVIRONMENT, JOB
from docs.generator.tables import GRAINS
from flink_job.config import Settings
from flink_job.lake.database import TABLES
from flink_job.lake.views import VIEWS

UNIT = re.compile(r"\[[^\]]+\]")
NUMBERS = ("decimal", "double", "int", "bigint")
#: Numbers without a unit: counts, ordinals, ratios, and sizes of windows that the text names in seconds.
UNITLESS = {
    *("revision", "sequence_number", "readings", "records", "expected_readings", "change_number", "part", "parts"),
    *("missing_readings", "missing_sequences", "completeness", "load_factor", "power_factor", "flapping"),
    *("alerts", "most_in_10_min", "chattering", "standing", "acknowledged"),
}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_generated_page_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path](), "run: python -m docs.generate"


def columns() -> list[tuple[str, str, str, str]]:
    """(table or view, column, type, documentation) of every column."""
    tables = [(table.name, c.name, c.glue, c.doc) for table in TABLES.values() for c in table.columns]
    types = view_columns()
    return tables + [
        (name, column, kind, view.columns[column]) for name, view in VIEWS.items() for column, kind in types[name]
    ]


def test_every_column_is_documented_and_every_quantity_has_its_unit() -> None:
    assert [f"{table}.{column}" for table, column, _, doc in columns() if not doc.strip()] == []
    without = [
        f"{table}.{column}: {doc}"
        for table, column, kind, doc in columns()
        if kind.startswith(NUMBERS) and column not in UNITLESS and not UNIT.search(doc)
    ]
    assert without == []


def test_every_table_and_view_has_a_grain_and_a_freshness() -> None:
    assert set(GRAINS) == TABLES.keys() | VIEWS.keys()


def test_every_setting_has_a_meaning() -> None:
    groups = typing.get_type_hints(Settings)
    assert JOB.keys() == groups.keys()
    for group, kind in groups.items():
        assert JOB[group].keys() == {field.name for field in dataclasses.fields(kind)}, group
    assert ENVIRONMENT.keys() == {field.name for field in dataclasses.fields(Environment)}
