"""Stored records, put together again from their parts."""

from __future__ import annotations

from base64 import b64decode
from collections import Counter
from datetime import date, datetime
from pathlib import Path

from flink_job.lake.database import needed_tables, open_lake
from flink_job.lake.selection import EVERYTHING, Selection

#: The outputs that keep a record's bytes, and the rest of their rows' order.
REDRIVEN = {"rejected": "part", "unpriced": "record_position"}

Record = tuple[str, bytes]
"""(reason, payload)"""


def selected(
    kind: str, first: date | None = None, last: date | None = None, since: datetime | None = None
) -> Selection:
    """What `stored_records` reads. Rejected records lie by the date of their arrival, so `since` limits that too."""
    if kind == "rejected" and since:
        first = max(first or since.date(), since.date())
    return Selection(needed_tables(f"SELECT * FROM {kind}"), first, last)


def stored_records(
    folder: Path, kind: str, reason: str = "", since: datetime | None = None, selection: Selection = EVERYTHING
) -> list[Record]:
    """Records of an output in order of arrival, restricted to a reason and to arrivals since a moment (UTC).

    Contract records are left out: they belong to another stream. Raises LakeError.
    """
    rows: dict[tuple[str, str], tuple[str, list[bytes]]] = {}
    with open_lake(folder, selection) as connection:
        result = connection.execute(
            f"SELECT shard, record_position, reason, payload FROM {kind} "
            "WHERE reason <> 'not_a_contract' AND (? = '' OR reason = ?) AND arrival >= ? "
            f"ORDER BY arrival, shard, LENGTH(record_position), record_position, {REDRIVEN[kind]}",
            [reason, reason, since or datetime(1970, 1, 1)],
        )
        for shard, position, code, payload in result.fetchall():
            rows.setdefault((shard, position), (code, []))[1].append(b64decode(payload))
    return [(code, b"".join(parts)) for code, parts in rows.values()]


def summary(records: list[Record]) -> dict[str, int]:
    """Number of records by reason, most first."""
    return dict(Counter(code for code, _ in records).most_common())
