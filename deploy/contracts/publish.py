"""Contracts of a file into the stream; the store keeps them from there."""

from __future__ import annotations

from pathlib import Path

from flink_job.io.kinesis import publish
from flink_job.io.records import read_records
from flink_job.metering.contract import ContractError, parse_contract


class ContractFileError(ValueError):
    """A file with a record that is no contract; the message names every such line."""


def publish_contracts(file: Path, stream: str) -> int:
    """Check every contract of a file, then publish all of them; returns their number.

    Raises ContractFileError before anything is published.
    """
    found, faults = [], []
    for line, payload in read_records(str(file)):
        try:
            parse_contract(payload)
            found.append(payload)
        except ContractError as error:
            faults.append(f"{file}:{line}: {error}")
    if faults:
        raise ContractFileError("\n".join(faults))
    return publish(stream, iter(found), lambda sent: None)
