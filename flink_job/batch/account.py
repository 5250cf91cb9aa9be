"""Counts the readings in the files of an output table, of which some have several rows for a reading, or others."""

from __future__ import annotations

from pathlib import Path

import duckdb

from flink_job.schemas import OUTPUTS

#: Reason code of an invalid contract record.
NOT_A_CONTRACT = "not_a_contract"


def counted_readings(name: str, path: Path) -> int:
    """Return the number of readings in a Parquet file, or folder of Parquet files, of the output `name`."""
    files = str(path if path.is_file() else path / "**" / "*.parquet")
    with duckdb.connect() as connection:
        [[count]] = connection.execute(
            f"SELECT COUNT(*) FROM read_parquet(?, union_by_name=true) WHERE {OUTPUTS[name].counted_where}", [files]
        ).fetchall()
    return int(count)
