"""The outputs as a DuckDB database: deduplicated tables and the merged views."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import duckdb

from flink_job.columns import Table
from flink_job.errors import MeteringError
from flink_job.lake.selection import EVERYTHING, QueryError, Selection, tables_of
from flink_job.lake.views import VIEWS
from flink_job.schemas import BATCH_TABLES, EVENT_DATE, OUTCOMES, OUTPUTS, SERVICE_TABLES
from flink_job.tenants import DEFAULT

TABLES = {**OUTPUTS, **SERVICE_TABLES, **BATCH_TABLES}
#: Suffix of the tables that hold rows as delivered, with copies; the views without it have each key once.
ROWS = "_rows"
TENANT = "tenant"
#: Rows written before tenants were introduced have none.
_TENANT = f"COALESCE({TENANT}, '{DEFAULT}')"
#: Views that are lines of a common file: the file, and the comment at the end of the lines that only this view has.
_VARIANTS = {"kpis_1h": ("kpis_windows", "-- hours"), "kpis_1d": ("kpis_windows", "-- days")}
#: Columns that identify a record, and its partition.
_RECORD = ("shard", "record_position", EVENT_DATE.name)


class LakeError(MeteringError, ValueError):
    """A folder that does not contain the outputs of a run."""


def read_view(name: str) -> str:
    """Return the SQL of a view."""
    file, variant = _VARIANTS.get(name, (name, ""))
    lines = (files(__package__) / f"{file}.sql").read_text(encoding="utf-8").splitlines()
    others = tuple(other for shared, other in _VARIANTS.values() if shared == file and other != variant)
    return "\n".join(line.removesuffix(f"  {variant}") for line in lines if not line.endswith(others))


def each_key_once(table: Table) -> str:
    """Return the SQL of the view of a table: each record once, without those that wait no longer (`ended_by`).

    A reading that was published again has another record, which is a row of another table.
    """
    records = each_record_once(table)
    if not table.ended_by:
        return records
    key = (TENANT, "reading_id", EVENT_DATE.name)
    ended = " UNION ".join(
        f"SELECT {', '.join(key)} FROM ({each_record_once(OUTPUTS[name])}) AS {name}_records{_where(OUTPUTS[name])}"
        for name in table.ended_by
    )
    columns = ", ".join(f"records.{column.name}" for column in (*table.columns, EVENT_DATE))
    return (
        f"SELECT {columns} FROM ({records}) AS records LEFT JOIN ({ended}) AS ended ON "
        + " AND ".join(f"records.{name} = ended.{name}" for name in key)
        + " WHERE ended.reading_id IS NULL"
    )


def each_record_once(table: Table) -> str:
    """Return the SQL that deduplicates `<name>_rows`: one row per key, the newest, because sinks are at-least-once.

    A record that had another outcome when it was read again appears only in the table of its newest outcome. The
    partition is part of the columns and of the key, so that a condition on it is pushed down to the source.
    """
    if table.name in BATCH_TABLES:  # written by commands, without copies
        columns = ", ".join(column.name for column in table.columns if column.name != TENANT)
        return f"SELECT {_TENANT} AS {TENANT}, {columns} FROM {table.name}{ROWS}"
    date = (EVENT_DATE.name,) if table.event_time else ()
    others = [column.name for column in table.columns if column.name != TENANT]
    columns = ", ".join((f"{_TENANT} AS {TENANT}", *(f"copies.{name}" for name in (*others, *date))))
    key = ", ".join((*(_TENANT if name == TENANT else name for name in table.key), *date))
    order = f"{table.written_at} DESC" if table.written_at else key
    once = (
        f"SELECT {columns} FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {order}) AS copy_number "
        f"FROM {table.name}{ROWS}) AS copies"
    )
    if table.name not in OUTCOMES:
        return f"{once} WHERE copy_number = 1"
    superseded = f"COALESCE(others.written_at > copies.{table.written_at}, FALSE)"
    if table.outcome_where:
        superseded = f"({superseded} AND {table.outcome_where})"
    return (
        f"{once} LEFT JOIN ({_other_outcomes(table)}) AS others ON "
        + " AND ".join(f"copies.{name} = others.{name}" for name in _RECORD)
        + f" WHERE copy_number = 1 AND NOT {superseded}"
    )


def _other_outcomes(table: Table) -> str:
    """Return the SQL of the records with an outcome in another table, and the time of the newest one."""
    record = ", ".join(_RECORD)
    written = " UNION ALL ".join(
        f"SELECT {record}, {OUTPUTS[name].written_at} AS written_at FROM {name}{ROWS}" + _where(OUTPUTS[name])
        for name in OUTCOMES
        if name != table.name
    )
    return f"SELECT {record}, MAX(written_at) AS written_at FROM ({written}) AS written GROUP BY {record}"


def _where(table: Table) -> str:
    """Return the SQL condition of the rows that are the outcome of a reading."""
    return f" WHERE {table.outcome_where}" if table.outcome_where else ""


def needed_tables(sql: str) -> frozenset[str] | None:
    """Return the tables whose files a query reads, including through views; None (all) if it is not a SELECT."""
    views = {name: each_key_once(table) for name, table in TABLES.items()}
    try:
        named = tables_of(sql, views | {name: read_view(name) for name in VIEWS})
    except QueryError:
        return None
    return frozenset(name for name in TABLES if f"{name}{ROWS}" in named)


def open_lake(folder: Path, selection: Selection = EVERYTHING) -> duckdb.DuckDBPyConnection:
    """Connect to the selected part of the lake: a view per output under `folder`/<output>/, and the merged views.

    An output without rows is an empty view. Raises LakeError if the folder contains no output at all.
    """
    parts = {name: _files(folder, name, selection) for name in TABLES}
    if not any(parts.values()) and not any((folder / name).is_dir() for name in OUTPUTS):
        raise LakeError(f"{folder} is not the output of a run: it contains no Parquet files of {', '.join(OUTPUTS)}")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, table in TABLES.items():
        connection.execute(f"CREATE VIEW {name}{ROWS} AS {_rows(table, parts[name], selection)}")
    for name, table in TABLES.items():
        connection.execute(f"CREATE VIEW {name} AS {each_key_once(table)}")
    for name in VIEWS:
        connection.execute(f"CREATE VIEW {name} AS {read_view(name)}")
    return connection


def _files(folder: Path, name: str, selection: Selection) -> list[Path]:
    if not selection.has_table(name):
        return []
    found = sorted((folder / name).glob("**/*.parquet"))
    return [path for path in found if selection.has_file(path.relative_to(folder / name).as_posix())]


def _rows(table: Table, parts: Sequence[Path], selection: Selection) -> str:
    date = f", strftime({table.event_time}, '%Y-%m-%d') AS {EVENT_DATE.name}" if table.event_time else ""
    columns = ", ".join(f"CAST(NULL AS {column.glue}) AS {column.name}" for column in table.columns)
    if not parts:
        return f"SELECT *{date} FROM (SELECT {columns} WHERE FALSE) AS nothing"
    listed = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts)
    files = f"SELECT * FROM read_parquet([{listed}], union_by_name=true, hive_partitioning=false)"
    # Files of earlier releases may lack columns.
    rows = f"SELECT *{date} FROM ({files} UNION ALL BY NAME SELECT {columns} WHERE FALSE) AS files"
    # A table without partitions may have the date as a column.
    dated = table.event_time or any(column.name == EVENT_DATE.name for column in table.columns)
    return f"SELECT * FROM ({rows}) AS dated WHERE {selection.condition()}" if dated else rows


def query(folder: Path, sql: str, selection: Selection = EVERYTHING) -> tuple[Sequence[str], list[tuple[object, ...]]]:
    """Return (column names, rows) of a query over the outputs."""
    with open_lake(folder, selection) as connection:
        result = connection.execute(sql)
        return [d[0] for d in result.description or ()], result.fetchall()


def write_gaps(
    folder: Path, target: Path, selection: Selection = EVERYTHING
) -> tuple[Sequence[str], list[tuple[object, ...]]]:
    """Return (column names, rows) of the gaps and write them to `target`/gaps.parquet. Raises LakeError."""
    path = str(target / "gaps.parquet").replace("'", "''")
    with open_lake(folder, selection) as connection:
        connection.execute(
            f"COPY (SELECT * FROM gaps ORDER BY tenant, meter_id, gap_start) TO '{path}' (FORMAT PARQUET)"
        )
        result = connection.execute(f"SELECT * FROM read_parquet('{path}')")
        return [d[0] for d in result.description or ()], result.fetchall()
