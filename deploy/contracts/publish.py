"""Publishes contracts of a file to the contracts stream."""

from __future__ import annotations

from pathlib import Path

from deploy.errors import DeployError
from flink_job.io.kinesis import publish
from flink_job.io.records import read_records
from flink_job.metering.contract import ContractError
from flink_job.metering.supply_terms import parse_record


class ContractFileError(DeployError, ValueError):
    """A file with invalid contracts; the message names each line and reason."""


def publish_contracts(file: Path, stream: str) -> int:
    """Validate all contracts of a file, then publish them; returns their number.

    Raises ContractFileError before anything is published.
    """
    found, faults = [], []
    for line, payload in read_records(str(file)):
        try:
            parse_record(payload)
            found.append(payload)
        except ContractError as error:
            faults.append(f"{file}:{line}: {error}")
    if faults:
        raise ContractFileError("\n".join(faults))
    return publish(stream, iter(found), lambda sent: None)
