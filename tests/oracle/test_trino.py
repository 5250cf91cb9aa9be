"""The lake's SQL in Athena's own engine: Trino, in this process's child, over rows of the sample run.

DuckDB answers locally, Trino answers in Athena: the views must mean the same in both, and have the types declared in
Glue, or Athena calls a view stale.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from deploy.api.runtime.parameters import QUERIES as ASKED
from deploy.api.runtime.parameters import bind
from deploy.lake.catalog import TABLES, view_columns, views
from flink_job.columns import Column, Table
from flink_job.lake.database import ROWS, open_lake
from flink_job.lake.queries import saved_queries
from flink_job.schemas import EVENT_DATE

HERE = Path(__file__).parent / "trino"
BUILD = Path(__file__).resolve().parents[2] / "build" / "trino"
TRINO = {"string": "varchar", "timestamp": "timestamp(3)", "int": "integer"}
ROWS_OF_EACH = 120


@dataclass
class Answer:
    """Return the response of Trino to a statement."""

    columns: list[str]
    types: list[str]
    rows: list[list[str]]


def asked_of_trino() -> dict[str, str]:
    """Statements by name: every view whole, every saved query, every question of the API."""
    found = {f"view {name}": f"SELECT * FROM {name}" for name, _ in views()}
    found |= {f"saved {question.id}": question.sql for question in saved_queries().values()}
    for name, question in ASKED.items():
        given = {
            "from": "2026-03-27",
            "to": "2026-03-30",
            **({"level": "line"} if "level" in question.conditions else {}),
        }
        sql, literals = bind(question, given, {"zaragoza", "pune"}, "default")
        parts = sql.split("?")
        found[f"asked {name}"] = "".join(a + b for a, b in zip(parts, [*literals, ""], strict=True))
    return found


@pytest.fixture(scope="module")
def lake(sample_run: Path) -> duckdb.DuckDBPyConnection:
    """Some rows of each table, in DuckDB, one of them twice, with the views over them. A reading that was costed is a
    repeat later.
    """
    source, connection = open_lake(sample_run), duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, table in TABLES.items():
        columns = _columns(table)
        listed = ", ".join(c.name for c in columns)
        kinds = ", ".join(f"{c.name} {'VARCHAR' if c.glue == 'string' else c.glue}" for c in columns)
        connection.execute(f"CREATE TABLE {name}{ROWS} ({kinds})")
        order = ", ".join(table.key)
        rows = source.execute(f"SELECT {listed} FROM {name} ORDER BY {order} LIMIT {ROWS_OF_EACH}").fetchall()
        if rows:
            marks = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO {name}{ROWS} VALUES ({marks})", [*rows, rows[0]])
    for name, sql in views():
        connection.execute(f"CREATE VIEW {name} AS {sql}")
    connection.execute(
        f"INSERT INTO duplicates{ROWS} SELECT tenant, reading_id, meter_id, interval_start, revision, shard, "
        f"record_position, arrival, costed_at + INTERVAL '1 second', event_date FROM costs{ROWS} "
        "ORDER BY reading_id LIMIT 1"
    )
    return connection


@pytest.fixture(scope="module")
def answers(lake: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """Trino's answers over the same rows."""
    statements = [_create(lake, table) for table in TABLES.values()]
    before, asked = len(statements), asked_of_trino()
    # This runner makes no views; as named queries before the question they are the same.
    named = ",\n".join(f"{name} AS (\n{sql}\n)" for name, sql in views())
    script = tmp_path_factory.mktemp("trino") / "statements.sql"
    script.write_text(
        "\n;\n".join([*statements, *(f"WITH {named}\n{sql}" for sql in asked.values())]), encoding="utf-8"
    )
    # The runner ends before optimising JIT compilation pays off.
    quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    line = ["java", *quick, "-Duser.timezone=UTC", "-cp", _classpath(), str(HERE / "RunTrino.java"), str(script)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = _read(done.stdout)
    assert len(found) == before + len(asked), done.stdout[:3000]
    return dict(zip(asked, found[before:], strict=True))


def _classpath() -> str:
    """Trino's jars; fetched on first use."""
    listed = BUILD / "classpath.txt"
    if not listed.is_file():
        maven = os.environ.get("MVN", "mvn")
        if shutil.which(maven) is None:
            pytest.skip("no Maven here, which fetches Trino")
        BUILD.mkdir(parents=True, exist_ok=True)
        line = [maven, "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:build-classpath"]
        done = subprocess.run([*line, f"-Dmdep.outputFile={listed}"], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"Trino cannot be fetched: {done.stdout[-300:]}")
    return listed.read_text(encoding="utf-8").strip()


def _read(said: str) -> list[Answer]:
    found: list[Answer] = []
    for line in said.splitlines():
        head, _, rest = line.partition("\t")
        assert head != "#failed", rest[:1500]
        if head == "#columns":
            found.append(Answer(rest.split("\t"), [], []))
        elif head == "#types":
            found[-1].types = rest.split("\t")
        elif found and not line.startswith("# WARNING"):
            found[-1].rows.append(line.split("\t"))
    return found


def _columns(table: Table) -> Sequence[Column]:
    return (*table.columns, EVENT_DATE) if table.event_time else table.columns


def _create(lake: duckdb.DuckDBPyConnection, table: Table) -> str:
    columns = _columns(table)
    casts = ", ".join(f"CAST({c.name} AS {TRINO.get(c.glue, c.glue)}) AS {c.name}" for c in columns)
    rows = lake.execute(f"SELECT * FROM {table.name}{ROWS}").fetchall()
    listed = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows or [(None,) * len(columns)])
    names = ", ".join(c.name for c in columns)
    none = "" if rows else " WHERE FALSE"
    return f"CREATE TABLE {table.name}{ROWS} AS SELECT {casts} FROM (VALUES {listed}) AS given ({names}){none}"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, float):
        return f"DOUBLE '{value!r}'"
    return f"DECIMAL '{value}'" if isinstance(value, Decimal) else str(value)


def _told(value: Any) -> str:
    """A value as both engines' answers are compared."""
    if value is None or value == "null":
        return "null"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _same(ours: str, theirs: str) -> bool:
    if ours == theirs or ours == theirs.replace(" ", "T").split(".")[0]:
        return True
    try:
        return math.isclose(float(ours), float(theirs), rel_tol=1e-9)
    except ValueError:
        # 10:15 of a full minute: Trino leaves out the seconds.
        return ours.removesuffix(":00") == theirs


@pytest.mark.parametrize("name", [f"view {name}" for name, _ in views()])
def test_a_view_has_the_types_that_glue_is_told(name: str, answers: dict[str, Answer]) -> None:
    told, found = view_columns()[name.removeprefix("view ")], answers[name]
    assert found.columns == [column for column, _ in told]
    for (column, declared), actual in zip(told, found.types, strict=True):
        # What Athena asks: can the view's type be made the declared one without loss?
        base = actual.split("(")[0]
        fits = actual == declared or base == declared == "varchar" or (base, declared) == ("integer", "bigint")
        assert fits, f"{column}: Glue declares {declared}, Athena returns {actual}"


@pytest.mark.parametrize("name", asked_of_trino())
def test_trino_answers_as_duckdb_does(name: str, answers: dict[str, Answer], lake: duckdb.DuckDBPyConnection) -> None:
    ours = sorted([_told(value) for value in row] for row in lake.execute(asked_of_trino()[name]).fetchall())
    theirs = sorted(answers[name].rows)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert all(map(_same, mine, other)), (mine, other)


def test_there_was_something_to_compare(answers: dict[str, Answer]) -> None:
    for name in ("costs", "kpis", "kpis_1h", "kpis_1d", "bills", "gaps", "duplicates", "alert_episodes"):
        assert answers[f"view {name}"].rows, name
    assert len(answers["view costs"].rows) == ROWS_OF_EACH - 1
    assert len(answers["view duplicates"].rows) == ROWS_OF_EACH + 1
