"""Questions of the API: whatever a caller says stays a value, and only their sites are asked for."""

from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.api.runtime.questions import QUESTIONS, ParameterError, literal, prepared
from deploy.lake.catalog import empty_lake

DAYS = {"from": "2026-03-01", "to": "2026-03-31"}
GIVEN = {name: {**DAYS, **({"level": "line"} if "level" in q.conditions else {})} for name, q in QUESTIONS.items()}


@pytest.fixture(scope="module")
def lake() -> duckdb.DuckDBPyConnection:
    """The views over empty tables: SQL that Athena's engine for tests accepts."""
    return empty_lake()


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_runs(name: str, lake: duckdb.DuckDBPyConnection) -> None:
    for sites in ({"zaragoza"}, {"a", "b"}, set(), None):
        for more in ({}, {p.name: "x" for p in QUESTIONS[name].parameters if p.optional and p.name != "site"}):
            sql, literals = prepared(QUESTIONS[name], {**GIVEN[name], **more}, sites, "default")
            assert sql.count("?") == len(literals)
            # As Athena does it: literals take the places of the question marks.
            lake.execute(re.sub(r"\?", lambda _, left=iter(literals): next(left), sql))


@given(st.text(min_size=1, max_size=40), st.sets(st.text(min_size=1, max_size=20), max_size=3))
@settings(max_examples=400, deadline=None)
def test_what_a_caller_says_never_becomes_sql(said: str, sites: set[str]) -> None:
    """The SQL does not depend on it, and each literal reads back as what was said."""
    try:
        sql, literals = prepared(QUESTIONS["costs"], {**DAYS, "meter": said}, sites, "acme")
    except ParameterError:
        assert any(ord(c) < 32 or ord(c) == 127 for text in (said, *sites) for c in text)
        return
    plain, _ = prepared(QUESTIONS["costs"], {**DAYS, "meter": "m"}, {f"s{n}" for n in range(len(sites))}, "acme")
    assert sql == plain
    [values] = duckdb.execute("SELECT " + ", ".join(literals)).fetchall()
    assert values is not None
    assert list(values) == ["2026-03-01", "2026-03-31", "acme", *sorted(sites), said]


def test_no_site_is_no_row() -> None:
    sql, literals = prepared(QUESTIONS["costs"], DAYS, set(), "default")
    assert "AND FALSE AND" in sql
    assert literals[2:] == ["'default'"]


@pytest.mark.parametrize(
    ("said", "word"),
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
def test_parameters_that_are_wrong_are_named(said: dict[str, object], word: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(word)):
        prepared(QUESTIONS["costs"], said, {"s"}, "default")


def test_a_level_is_one_of_four() -> None:
    with pytest.raises(ParameterError, match="meter, line, process, factory"):
        prepared(QUESTIONS["hours"], {**DAYS, "level": "meter' OR 'a'='a"}, {"s"}, "default")


def test_a_quote_is_doubled() -> None:
    assert literal("o'clock") == "'o''clock'"
