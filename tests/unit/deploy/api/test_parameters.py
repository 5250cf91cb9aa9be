"""Parameters of the query API: values never become SQL, and rows are limited to the caller's tenant and sites."""

from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.api.runtime.parameters import QUERIES, ParameterError, bind, parameters_of
from deploy.kit.athena import literal
from deploy.lake.catalog import empty_lake

DAYS = {"from": "2026-03-01", "to": "2026-03-31"}
GIVEN = {name: {**DAYS, **({"level": "line"} if "level" in q.conditions else {})} for name, q in QUERIES.items()}


@pytest.fixture(scope="module")
def lake() -> duckdb.DuckDBPyConnection:
    """The views over empty tables."""
    return empty_lake()


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_runs(name: str, lake: duckdb.DuckDBPyConnection) -> None:
    for sites in ({"zaragoza"}, {"a", "b"}, set(), None):
        for more in ({}, {p.name: "x" for p in parameters_of(QUERIES[name]) if p.optional and p.name != "site"}):
            sql, literals = bind(QUERIES[name], {**GIVEN[name], **more}, sites, "default")
            assert sql.count("?") == len(literals)
            # Like Athena: each literal replaces its question mark.
            lake.execute(re.sub(r"\?", lambda _, left=iter(literals): next(left), sql))


@given(st.text(min_size=1, max_size=40), st.sets(st.text(min_size=1, max_size=20), max_size=3))
@settings(max_examples=400, deadline=None)
def test_values_never_become_sql(value: str, sites: set[str]) -> None:
    """The SQL does not depend on the values, and each literal evaluates to its value."""
    try:
        sql, literals = bind(QUERIES["costs"], {**DAYS, "meter": value}, sites, "acme")
    except ParameterError:
        assert any(ord(c) < 32 or ord(c) == 127 for text in (value, *sites) for c in text)
        return
    plain, _ = bind(QUERIES["costs"], {**DAYS, "meter": "m"}, {f"s{n}" for n in range(len(sites))}, "acme")
    assert sql == plain
    [values] = duckdb.execute("SELECT " + ", ".join(literals)).fetchall()
    assert values is not None
    assert list(values) == ["2026-03-01", "2026-03-31", "acme", *sorted(sites), value]


def test_no_site_matches_no_row() -> None:
    sql, literals = bind(QUERIES["costs"], DAYS, set(), "default")
    assert "AND FALSE AND" in sql
    assert literals[2:] == ["'default'"]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"from": "2026-03-01"}, "to is missing"),
        ({**DAYS, "from": "2026-3-1"}, "YYYY-MM-DD"),
        ({**DAYS, "from": "2026-03-01'; DROP TABLE costs"}, "YYYY-MM-DD"),
        ({**DAYS, "from": 20260301}, "a text"),
        ({**DAYS, "to": "2026-02-01"}, "before"),
        ({**DAYS, "to": "2026-04-01"}, "31 days"),
        ({**DAYS, "meter": "a\nb"}, "printable"),
        ({**DAYS, "meter": "x" * 201}, "200"),
        ({**DAYS, "sites": "*"}, "unknown parameter sites"),
    ],
)
def test_invalid_parameters_are_named(values: dict[str, object], word: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(word)):
        bind(QUERIES["costs"], values, {"s"}, "default")


def test_a_level_is_one_of_four() -> None:
    with pytest.raises(ParameterError, match="meter, line, process, factory"):
        bind(QUERIES["hours"], {**DAYS, "level": "meter' OR 'a'='a"}, {"s"}, "default")


def test_quotes_are_doubled() -> None:
    assert literal("o'clock") == "'o''clock'"
