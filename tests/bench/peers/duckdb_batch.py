"""The bench's computation as a batch in DuckDB: `python -m tests.bench.peers.duckdb_batch FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb


def run(folder: Path) -> duckdb.DuckDBPyConnection:
    """Tables `costs` and `kpis` of the input in a folder."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    places = {
        "readings": str(folder / "readings" / "readings.ndjson"),
        "contracts": str(folder / "contracts" / "contracts.ndjson"),
    }
    for statement in Path(__file__).with_name("batch.sql").read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            needed = {name: place for name, place in places.items() if f"${name}" in statement}
            connection.execute(statement, needed)
    return connection


if __name__ == "__main__":
    run(Path(sys.argv[1]))
