"""Writes the contract snapshot of a bounded run, so that every reading is priced with the newest contract."""

from __future__ import annotations

import gzip
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from flink_job.io.contract_snapshot import StoredRecord, snapshot_lines, stored_record
from flink_job.metering.contract import ContractError


class _Staged(msgspec.Struct):
    """A staged record; `payload` is base64."""

    payload: str
    arrival_ms: int
    record_position: str


_decoder = msgspec.json.Decoder(_Staged)


def write_snapshot(staged: Path, target: Path, tenant: str, read_ms: int) -> int:
    """Write the contracts of a staged file (flink_job/io/records.py) as a snapshot. Returns the number of records.

    The newest of each meter and supply point is written. Those without a version are as new as `read_ms` [epoch ms],
    in the order of the file. Invalid contracts are skipped. Contracts that do not name a tenant belong to `tenant`.
    """
    with staged.open("rb") as lines:
        records = list(_records(lines, tenant, read_ms))
    with gzip.open(target, "wb", compresslevel=1) as out:
        out.writelines(snapshot_lines(records))
    return len(records)


def _records(lines: Iterable[bytes], tenant: str, read_ms: int) -> Iterator[StoredRecord]:
    for line in lines:
        record = _decoder.decode(line)
        with suppress(ContractError):
            yield stored_record(b64decode(record.payload), read_ms + record.arrival_ms, record.record_position, tenant)
