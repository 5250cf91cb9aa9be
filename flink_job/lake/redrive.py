"""Stored records, put together again from their parts."""

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

#: The outputs that keep a record's bytes, and the rest of their rows' order.
REDRIVEN = {"rejected": "part", "unpriced": "record_position"}

Record = tuple[str, bytes]
"""(reason, payload)"""


def selected(kind: str, first: date | None = None, last: date | None = None) -> Selection:
    """What `stored_records` reads. Both kinds lie by the date of their interval, where they are readings at all."""
    return Selection(needed_tables(f"SELECT * FROM {kind}"), first, last)


class Sent(NamedTuple):
    """What was known of a record beside its bytes."""

    reason: str
    tenant: str
    device: str | None

    def again(self, payload: bytes, streams_tenant: str) -> bytes:
        """The record as it goes to the stream."""
        if self.device is None and self.tenant == streams_tenant:
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
    """Records of an output in order of arrival, restricted to a reason and to arrivals since a moment (UTC).

    They are as they were sent; those of another tenant than `tenant`, the stream's, and those of a device come in an
    envelope that says so. Contract records are left out: they belong to another stream. Raises LakeError.
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
    """Number of records by reason, most first."""
    return dict(Counter(code for code, _ in records).most_common())
