"""Temporary tables of which the rows of one meter or supply point are found without reading those of the others."""

from __future__ import annotations

import duckdb

_HASH = "name_hash"


def create_by_name(connection: duckdb.DuckDBPyConnection, table: str, name: str, select: str) -> None:
    """Create a temporary table of a query, sorted by the column `name`.

    DuckDB skips row groups by their minimum and maximum. Of a text it knows the first eight bytes, which many names
    have in common, so rows are sorted by a hash.
    """
    connection.execute(
        f"CREATE TEMP TABLE {table} AS SELECT *, hash({name}) AS {_HASH} FROM ({select}) ORDER BY {_HASH}"
    )


def rows_by_name(
    connection: duckdb.DuckDBPyConnection, table: str, name: str, value: str, order: str = ""
) -> duckdb.DuckDBPyConnection:
    """Select the other columns of the rows of a name, ordered by the column `order` if it is given."""
    rows = f"SELECT * EXCLUDE ({name}, {_HASH}) FROM {table} WHERE {_HASH} = hash(CAST($1 AS VARCHAR)) AND {name} = $1"
    return connection.execute(f"{rows} ORDER BY {order}" if order else rows, [value])
