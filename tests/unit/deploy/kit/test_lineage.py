"""What a query reads is found in its SQL, and agrees with what a database looks for when it runs the query."""

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
    **{f"question {name}": question.sql for name, question in QUERIES.items()},
    **{f"saved {question.id}": question.sql for question in saved_queries().values()},
}


@pytest.mark.parametrize("sql", STATEMENTS.values(), ids=STATEMENTS)
def test_the_tables_are_those_without_which_the_query_does_not_run(sql: str) -> None:
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


def test_views_on_the_way_are_named_too() -> None:
    assert reads_of("SELECT * FROM kpis_15m").relations >= {
        "kpis_15m",
        "meter_levels",
        "meter_15m",
        "costs",
        "costs_rows",
    }


def test_what_a_statement_defines_itself_is_no_table() -> None:
    assert named_in("WITH a AS (SELECT * FROM costs) SELECT * FROM a JOIN bills USING (meter_id)") == {
        "costs",
        "bills",
    }


def test_a_table_that_nobody_knows_is_a_fault() -> None:
    with pytest.raises(LineageError, match="no table or view 'kosts'"):
        reads_of("SELECT * FROM kosts")
    with pytest.raises(LineageError, match="SELEC"):
        reads_of("SELEC 1")
