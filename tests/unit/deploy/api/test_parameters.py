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


def test_bills_and_shares_of_a_supply_are_those_of_the_callers_sites_and_tenant() -> None:
    """Supply sp has meters a at the caller's site and b at another; tenant other has a supply of the same name."""
    with empty_lake() as lake:
        rows = (
            "('default', 'sp', 'a', 'mine', 1), ('default', 'sp', 'b', 'yours', 2), ('other', 'sp', 'c', 'mine', 4), "
        )
        rows += "('default', 'sp-2', 'd', 'mine', 8)"
        amounts = ("energy_kwh", "energy_cost", "demand_cost", "fixed_cost", "reactive_cost", "export_credit",
                   "minimum_cost", "other_cost", "tax", "adjustment")  # fmt: skip
        zeros = ", ".join(f"0 AS {name}" for name in (*amounts, "export_kwh"))
        texts = "'f/p' AS site_path, '2026-03-01' AS cycle_start, 't' AS tariff_id, '1' AS tariff_version"
        for view in ("bills", "shared_costs"):
            lake.execute(f"DROP VIEW {view}")
            lake.execute(
                f"CREATE VIEW {view} AS SELECT *, {zeros}, {texts}, 'EUR' AS currency, 'open' AS status, "
                f"FALSE AS provisional FROM (VALUES {rows}) AS rows (tenant, supply_point, meter_id, site, cost)"
            )
        for name in ("bills", "shares"):
            for sites, supply, expected in (
                (["mine"], "sp", {"a"}),
                (None, "sp", {"a", "b"}),
                (["mine"], "", {"a", "d"}),
            ):
                sql, literals = bind(QUERIES[name], {**DAYS, "supply": supply}, sites, "default")
                relation = lake.execute(re.sub(r"\?", lambda _, left=iter(literals): next(left), sql))
                at = [column[0] for column in relation.description].index("meter_id")
                assert {row[at] for row in relation.fetchall()} == expected, (name, sites, supply)
