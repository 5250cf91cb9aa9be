"""Tables, views and columns that the pages name exist: every query on a page is bound to the lake's schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from flink_job.lake.database import TABLES, open_lake
from flink_job.lake.views import VIEWS
from tests.harness.documents import commands, fences, pages, spans

SECTION = re.compile(r"^## (\w+)$", re.MULTILINE)


def queries() -> Iterator[tuple[str, str]]:
    """(page, SQL) of every query: SQL blocks, spans that begin with SELECT, arguments of `query`."""
    for name, text in pages().items():
        found = [body for language, body in fences(text) if language == "sql"]
        found += [span for span in spans(text) if span.startswith("SELECT ")]
        found += [word for command in commands(name, text) for word in command.words if word.startswith("SELECT ")]
        for sql in found:
            yield name, sql


@pytest.fixture
def lake(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    (tmp_path / "costs").mkdir()
    return open_lake(tmp_path)


def problem(lake: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Why a query cannot be bound; empty if it can."""
    try:
        lake.execute(sql)
    except duckdb.Error as error:
        return str(error)
    return ""


def test_queries_of_the_pages_run(lake: duckdb.DuckDBPyConnection) -> None:
    found = list(queries())
    assert len(found) > 15
    assert [f"{page}: {sql}: {fault}" for page, sql in found if (fault := problem(lake, sql))] == []


def test_a_column_that_does_not_exist_is_found(lake: duckdb.DuckDBPyConnection) -> None:
    assert "price" in problem(lake, "SELECT price FROM costs")
    assert "invoices" in problem(lake, "SELECT * FROM invoices")


def test_the_page_of_tables_has_every_table_and_view() -> None:
    assert set(SECTION.findall(pages()["docs/reference/tables.md"])) == TABLES.keys() | VIEWS.keys()
