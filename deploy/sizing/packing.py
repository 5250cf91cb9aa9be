"""Bytes that Firehose bills for rows packed into records."""

from __future__ import annotations

from collections.abc import Mapping

from flink_job.dataflow.sinks import LINGER_S, RECORD_BYTES, RECORD_ROWS

#: Tables that the API writes, one record per row.
NOT_PACKED = ("alert_actions",)


def billed_bytes_s(rows_s: Mapping[str, float], row_bytes: Mapping[str, float], slots: int, step_bytes: int) -> float:
    """Billed bytes per second of all tables; `rows_s` of the whole job are evenly distributed over its slots."""
    return sum(
        rate * row_billed_bytes(0 if table in NOT_PACKED else rate / slots, row_bytes[table], step_bytes)
        for table, rate in rows_s.items()
    )


def row_billed_bytes(slot_rows_s: float, row_bytes: float, step_bytes: int) -> float:
    """Billed bytes per row, for a slot that emits `slot_rows_s` rows per second of a table.

    A record contains its first row and those emitted within the linger time, up to its limits. It is billed in
    multiples of a step, on average half a step more than its size, and at least one step.
    """
    rows = max(1.0, min(1 + slot_rows_s * LINGER_S, RECORD_ROWS, RECORD_BYTES / row_bytes))
    return max(1.0, rows * row_bytes / step_bytes + 0.5) * step_bytes / rows
