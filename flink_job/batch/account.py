"""Counts rejected readings in the table `rejected`, which has a row for each part of a record.

Rows of contract records are not counted.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

#: Reason code of an invalid contract record.
NOT_A_CONTRACT = "not_a_contract"
#: SQL condition that selects one row for each rejected reading.
ONE_REJECTED_READING = f"part = 0 AND reason <> '{NOT_A_CONTRACT}'"


def rejected_readings(path: Path) -> int:
    """Return the number of rejected readings in a Parquet file, or folder of Parquet files, of the table."""
    rows = pq.read_table(path, columns=["part", "reason"]).to_pylist()
    return sum(row["part"] == 0 and row["reason"] != NOT_A_CONTRACT for row in rows)
