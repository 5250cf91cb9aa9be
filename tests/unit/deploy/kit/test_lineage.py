"""Tables that lineage derives from SQL equal the tables that a database needs to run the query."""

from __future__ import annotations

import re

import duckdb
import pytest

from deploy.api.runtime.parameters import QUERIES
from deploy.kit.lineage import LineageError, reads_of
from deploy.lake.catalog import TABLES, empty_lake, views
from flink_job.lake.database import ROWS
from flink_job.lake.queries import saved_queries
from flink_job.lake.selection import named_in

STATEMENTS = {
    **{f"view {name}": f"SELECT * FROM {name}" for name, _ in views()},
    **{f"parameterised {name}": query.sql for name, query in QUERIES.items()},
    **{f"saved {query.id}": query.sql for query in saved_queries().values()},
}


@pytest.mark.parametrize("sql", STATEMENTS.values(), ids=STATEMENTS)
def test_tables_are_those_without_which_the_query_fails(sql: str) -> None:
    runnable = re.sub(r"\{\w+\}", "TRUE", sql)
    needed = set()
    with empty_lake() as lake:
        lake.execute(runnable)
        for name in TABLES:
            lake.execute(f"BEGIN; ALTER TABLE {name}{ROWS} RENAME TO gone")
            try:
                lake.execute(runnable)
            except duckdb.Error:
                needed.add(name)
            lake.execute("ROLLBACK")
    assert reads_of(sql).tables == needed


def test_intermediate_views_are_included() -> None:
    assert reads_of("SELECT * FROM kpis_15m").relations >= {
        "kpis_15m",
        "meter_levels",
        "meter_15m",
        "costs",
        "costs_rows",
    }


def test_common_table_expressions_are_not_tables() -> None:
    assert named_in("WITH a AS (SELECT * FROM costs) SELECT * FROM a JOIN bills USING (meter_id)") == {
        "costs",
        "bills",
    }


def test_an_unknown_table_is_an_error() -> None:
    with pytest.raises(LineageError, match="no table or view 'kosts'"):
        reads_of("SELECT * FROM kosts")
    with pytest.raises(LineageError, match="SELEC"):
        reads_of("SELEC 1")
