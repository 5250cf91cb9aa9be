"""How many bytes Firehose bills for rows that are packed into records."""

from __future__ import annotations

from collections.abc import Mapping

from flink_job.dataflow.sinks import LINGER_S, RECORD_BYTES, RECORD_ROWS

#: Rows that the API writes, each a record.
NOT_PACKED = ("alert_actions",)


def billed_bytes_s(rows_s: Mapping[str, float], row_bytes: Mapping[str, float], slots: int, step_bytes: int) -> float:
    """Billed bytes a second of all tables; `rows_s` are those of the whole job, spread evenly over its slots."""
    return sum(
        rate * row_billed_bytes(0 if table in NOT_PACKED else rate / slots, row_bytes[table], step_bytes)
        for table, rate in rows_s.items()
    )


def row_billed_bytes(slot_rows_s: float, row_bytes: float, step_bytes: int) -> float:
    """What a row adds to the billed bytes where a slot has `slot_rows_s` of its table.

    A record holds its first row and those that come within the linger, up to its limits. It is billed as a multiple of
    a step, which is half a step more than it has on average, and one step at least.
    """
    rows = max(1.0, min(1 + slot_rows_s * LINGER_S, RECORD_ROWS, RECORD_BYTES / row_bytes))
    return max(1.0, rows * row_bytes / step_bytes + 0.5) * step_bytes / rows
