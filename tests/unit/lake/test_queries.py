"""The query library: headers are complete, SQL runs, and the columns with a unit exist."""

from __future__ import annotations

import re

import pytest

from deploy.api.runtime.parameters import PARAMETERS
from deploy.lake.catalog import empty_lake
from flink_job.lake.queries import (
    QueryHeaderError,
    QueryNotFoundError,
    library,
    parameterised_queries,
    parse,
    saved_queries,
    saved_query,
)

NUMBERS = ("BIGINT", "INTEGER", "DOUBLE", "HUGEINT")
#: Numeric columns that are no quantities.
NO_UNIT = {"revision", "flapping"}


@pytest.mark.parametrize("name", library())
def test_every_numeric_column_has_a_unit(name: str) -> None:
    query = library()[name]
    sql = re.sub(r"\{\w+\}", "TRUE", query.sql)
    with empty_lake() as lake:
        columns = lake.execute(f"DESCRIBE {sql}").fetchall()
    numbers = {column for column, kind, *_ in columns if kind in NUMBERS or kind.startswith("DECIMAL")}
    assert set(query.units) == numbers - NO_UNIT


@pytest.mark.parametrize("name", parameterised_queries())
def test_every_parameter_has_a_place_in_the_sql(name: str) -> None:
    query = library()[name]
    places = re.findall(r"\{(\w+)\}", query.sql)
    assert places == ["sites" if name == "site" else name for name in query.conditions]
    assert query.conditions.keys() <= PARAMETERS.keys()
    assert {"from", "to", "site"} <= query.conditions.keys()


def test_saved_queries_are_ready_to_run() -> None:
    assert set(saved_queries()) | set(parameterised_queries()) == set(library())
    for query in saved_queries().values():
        assert "{" not in query.sql
        assert "--" not in query.sql
    assert saved_query("peak_demand").startswith("SELECT entity AS factory")


def test_an_unknown_name_is_answered_with_the_names_that_exist() -> None:
    with pytest.raises(QueryNotFoundError, match="no saved query 'peaks': use one of bills_by_cycle, "):
        saved_query("peaks")
    with pytest.raises(QueryNotFoundError):
        saved_query("costs")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("-- title: T\n-- units: n [1]", "a.sql: the header lacks description"),
        ("-- title: T\n-- description: D\n-- units: n [1]\n-- parameter x: x = ?", "lacks max_days"),
        ("-- titel: T", "'-- titel: T' is not a header field"),
        ("-- title: T\n-- description: D\n-- units: n", "'n' in units"),
    ],
)
def test_a_malformed_header_is_reported_with_its_file(header: str, message: str) -> None:
    with pytest.raises(QueryHeaderError, match=re.escape(message)):
        parse("a.sql", f"{header}\nSELECT 1 AS n\n")


def test_lines_of_a_header_are_joined() -> None:
    query = parse("a.sql", "-- title: T\n-- description: D\n-- units: n [1],\n--   m [s]\nSELECT 1 AS n, 2 AS m\n")
    assert query.units == {"n": "1", "m": "s"}
    assert query.sql == "SELECT 1 AS n, 2 AS m"
