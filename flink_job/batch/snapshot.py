"""Writes the contract snapshot of a bounded run, so that every reading is priced with the newest contract."""

from __future__ import annotations

import gzip
from base64 import b64decode
from pathlib import Path

import msgspec

from flink_job.io.contract_snapshot import snapshot_line
from flink_job.metering.contract import ContractError
from flink_job.metering.contract_document import parse_contract


class _Staged(msgspec.Struct):
    """A staged record; `payload` is base64."""

    payload: str
    arrival_ms: int
    record_position: str


_decoder = msgspec.json.Decoder(_Staged)


def write_snapshot(staged: Path, target: Path, tenant: str, read_ms: int) -> int:
    """Write the contracts of a staged file (flink_job/io/records.py) as a snapshot. Returns their number.

    All contracts are written; the job retains the newest of each meter. Those without a version are as new as
    `read_ms` [epoch ms], in the order of the file. Invalid contracts are skipped. Contracts that do not name a tenant
    belong to `tenant`.
    """
    count = 0
    with staged.open("rb") as lines, gzip.open(target, "wb", compresslevel=1) as out:
        for line in lines:
            record = _decoder.decode(line)
            payload = b64decode(record.payload)
            try:
                contract = parse_contract(payload)
            except ContractError:
                continue
            named = contract.tenant or tenant, contract.meter_id
            version_ms = contract.version_ms(read_ms + record.arrival_ms)
            out.write(snapshot_line(*named, payload.decode(), version_ms, record.record_position))
            count += 1
    return count
