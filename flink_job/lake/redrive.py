"""Stored records of `rejected` and `unpriced`, reassembled from their parts to be published again."""

from __future__ import annotations

from base64 import b64decode
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

from flink_job.lake.database import needed_tables, open_lake
from flink_job.lake.selection import EVERYTHING, Selection
from flink_job.metering.envelope import enclose
from flink_job.tenants import DEFAULT

#: Tables that store the bytes of a record, and the last column of the order of their rows.
REDRIVEN = {"rejected": "part", "unpriced": "record_position"}

Record = tuple[str, bytes]
"""(reason, payload)"""


def selected(kind: str, first: date | None = None, last: date | None = None) -> Selection:
    """Return the part of the lake that `stored_records` reads.

    Both tables are partitioned by the start of the interval (by arrival if the record is not a reading).
    """
    return Selection(needed_tables(f"SELECT * FROM {kind}"), first, last)


class Sent(NamedTuple):
    """Metadata of a stored record."""

    reason: str
    tenant: str
    device: str | None

    def again(self, payload: bytes, stream_tenant: str) -> bytes:
        """Return the record to publish: in an envelope if it has a device or another tenant than the stream's."""
        if self.device is None and self.tenant == stream_tenant:
            return payload
        return enclose(payload, self.tenant, self.device)


def stored_records(
    folder: Path,
    kind: str,
    reason: str = "",
    since: datetime | None = None,
    selection: Selection = EVERYTHING,
    tenant: str = DEFAULT,
) -> list[Record]:
    """Return the records of a table in order of arrival, optionally of one `reason` and from `since` (UTC) on.

    Records are returned as they were received. A record of a device or of another tenant than `tenant` (the stream's)
    is wrapped in an envelope. Contract records are excluded: they belong to another stream. Raises LakeError.
    """
    rows: dict[tuple[str, str], tuple[Sent, list[bytes]]] = {}
    with open_lake(folder, selection) as connection:
        result = connection.execute(
            f"SELECT shard, record_position, reason, tenant, device, payload FROM {kind} "
            "WHERE reason <> 'not_a_contract' AND (? = '' OR reason = ?) AND arrival >= ? "
            f"ORDER BY arrival, shard, LENGTH(record_position), record_position, {REDRIVEN[kind]}",
            [reason, reason, since or datetime(1970, 1, 1)],
        )
        for shard, position, *sent, payload in result.fetchall():
            rows.setdefault((shard, position), (Sent(*sent), []))[1].append(b64decode(payload))
    return [(sent.reason, sent.again(b"".join(parts), tenant)) for sent, parts in rows.values()]


def summary(records: list[Record]) -> dict[str, int]:
    """Return the number of records by reason, most frequent first."""
    return dict(Counter(code for code, _ in records).most_common())
