"""Reads files of contracts for commands that need those in force."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flink_job.io.records import read_records
from flink_job.metering.contract import Contract, ContractError, of_tenant
from flink_job.metering.supply_terms import SupplyTerms, parse_record
from flink_job.tenants import DEFAULT

#: A version after that of every contract that was issued: contracts without a version are taken as issued last.
_NOW_MS = 1 << 62


def contracts_in_force(
    names: Iterable[str], skipped: Callable[[str], None], tenant: str = DEFAULT, accept_unknown: bool = False
) -> dict[str, Contract]:
    """Return the contract in force of each meter in NDJSON files: the latest version, else the last one.

    Contracts and meters are qualified by their tenant, which is `tenant` if they do not name one. `skipped` is called
    with the place and fault of each invalid record. Terms of supply points are left out. Raises InputError.
    """
    found: dict[str, Contract] = {}
    for name in names:
        for line, payload in read_records(name):
            try:
                record = parse_record(payload, accept_unknown)
            except ContractError as error:
                skipped(f"{name}:{line}: {error}")
                continue
            if isinstance(record, SupplyTerms):
                continue
            contract = of_tenant(record, tenant)
            before = found.get(contract.meter_id)
            if before is None or before.version_ms(_NOW_MS) <= contract.version_ms(_NOW_MS):
                found[contract.meter_id] = contract
    return found
