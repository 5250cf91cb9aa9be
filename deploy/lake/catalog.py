"""Glue definitions of tables and views: columns from flink_job/schemas.py, views from flink_job/lake."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import duckdb

from flink_job.columns import Column, Table
from flink_job.lake.database import ROWS, each_key_once, read_view
from flink_job.lake.views import VIEWS
from flink_job.metering.bounds import EARLIEST_DAY
from flink_job.schemas import BATCH_TABLES, EVENT_DATE, OUTPUTS, SERVICE_TABLES

DELIVERED = {**OUTPUTS, **SERVICE_TABLES}
TABLES = {**DELIVERED, **BATCH_TABLES}
#: Earliest date of a reading. A query without bounds lists the prefix of every day from here on.
FIRST_DAY = EARLIEST_DAY.isoformat()
_PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
#: Athena types by DuckDB type, if the names differ.
_ATHENA_TYPES = {"HUGEINT": "bigint", "TIMESTAMP": "timestamp(3)", "INTEGER": "integer"}
_EMPTY_TYPES = {"string": "VARCHAR", "timestamp": "TIMESTAMP"}


def glue_table(table: Table, bucket: str) -> dict[str, Any]:
    """TableInput of a table in s3://bucket/<name>/. Partition projection makes a crawler unnecessary."""
    location = f"s3://{bucket}/{table.name}/"
    projection = {
        "projection.enabled": "true",
        f"projection.{EVENT_DATE.name}.type": "date",
        f"projection.{EVENT_DATE.name}.format": "yyyy-MM-dd",
        f"projection.{EVENT_DATE.name}.range": f"{FIRST_DAY},NOW+2DAYS",
        "storage.location.template": f"{location}{EVENT_DATE.name}=${{{EVENT_DATE.name}}}/",
    }
    partitions = [EVENT_DATE] if table.event_time else []
    return {
        "Name": f"{table.name}{ROWS}",
        "Description": table.doc,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"classification": "parquet", **(projection if partitions else {})},
        "PartitionKeys": [_column(c) for c in partitions],
        "StorageDescriptor": {"Columns": [_column(c) for c in table.columns], "Location": location, **_PARQUET},
    }


def views() -> Iterator[tuple[str, str]]:
    """Yield (name, SQL) of every view, each after those it reads. The SQL runs on Athena and DuckDB."""
    for name, table in TABLES.items():
        yield name, each_key_once(table)
    for name in VIEWS:
        yield name, read_view(name)


def glue_view(name: str, sql: str, columns: list[tuple[str, str]], database: str) -> dict[str, Any]:
    """TableInput of a view in Athena's format."""
    document = {
        "originalSql": without_comments(sql),
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": column, "type": kind} for column, kind in columns],
    }
    encoded = base64.b64encode(json.dumps(document).encode()).decode()
    return {
        "Name": name,
        "Description": description(name, sql),
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": column, "Type": _hive(kind)} for column, kind in columns],
            "SerdeInfo": {},
        },
        "ViewOriginalText": f"/* Presto View: {encoded} */",
        "ViewExpandedText": "/* Presto View */",
    }


def view_columns() -> dict[str, list[tuple[str, str]]]:
    """(column, Athena type) of each view, determined by DuckDB over empty tables."""
    found = {}
    with empty_lake() as connection:
        for name, _ in views():
            described = connection.execute(f"DESCRIBE {name}").fetchall()
            found[name] = [(column, _ATHENA_TYPES.get(kind, kind.lower())) for column, kind, *_ in described]
    return found


def empty_lake() -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the tables, empty, and the views."""
    connection = duckdb.connect()
    for name, table in TABLES.items():
        partition = [EVENT_DATE] if table.event_time else []
        columns = ", ".join(f"{c.name} {_EMPTY_TYPES.get(c.glue, c.glue)}" for c in (*table.columns, *partition))
        connection.execute(f"CREATE TABLE {name}{ROWS} ({columns})")
    for name, sql in views():
        connection.execute(f"CREATE VIEW {name} AS {sql}")
    return connection


def description(name: str, sql: str) -> str:
    """Description of a view: the comments in its SQL, or the doc of the table that it reads."""
    comments = " ".join(line[3:] for line in sql.splitlines() if line.startswith("-- "))
    return comments or TABLES[name].doc


def without_comments(sql: str) -> str:
    return "\n".join(line for line in sql.splitlines() if not line.lstrip().startswith("--"))


def _column(column: Column) -> dict[str, str]:
    return {"Name": column.name, "Type": column.glue, "Comment": column.doc}


def _hive(kind: str) -> str:
    return {"varchar": "string", "timestamp(3)": "timestamp", "integer": "int"}.get(kind, kind)
