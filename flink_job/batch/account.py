"""Counting in the table `rejected`: a record may lie in several parts, and contract records are no readings."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

#: Reason of a contract record that is none.
NOT_A_CONTRACT = "not_a_contract"
#: SQL condition of the rows that stand for one rejected reading each.
ONE_REJECTED_READING = f"part = 0 AND reason <> '{NOT_A_CONTRACT}'"


def rejected_readings(path: Path) -> int:
    """Rejected readings in a Parquet file, or folder of them, of the table."""
    rows = pq.read_table(path, columns=["part", "reason"]).to_pylist()
    return sum(row["part"] == 0 and row["reason"] != NOT_A_CONTRACT for row in rows)
