"""Reads files of contracts for commands that need those in force."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from flink_job.io.records import read_records
from flink_job.metering.contract import Contract, ContractError, of_tenant
from flink_job.metering.supply_terms import SupplyTerms, parse_record, terms_of_tenant
from flink_job.tenants import DEFAULT

#: A version after that of every contract that was issued: contracts without a version are taken as issued last.
_NOW_MS = 1 << 62


class ContractRecords(NamedTuple):
    """The contract in force of each meter, and the terms in force of each supply point, by qualified name.

    `contract_places`, `terms_places`: where these records are, `file:line`.
    """

    contracts: dict[str, Contract]
    terms: dict[str, SupplyTerms]
    contract_places: dict[str, str]
    terms_places: dict[str, str]


def records_in_force(
    names: Iterable[str], skipped: Callable[[str], None], tenant: str = DEFAULT, accept_unknown: bool = False
) -> ContractRecords:
    """Return what is in force of NDJSON files: the latest version of each record, else the last one.

    Names are qualified by their tenant, which is `tenant` if they do not name one. `skipped` is called with the place
    and fault of each invalid record. Raises InputError.
    """
    found = ContractRecords({}, {}, {}, {})
    for name in names:
        for line, payload in read_records(name):
            place = f"{name}:{line}"
            try:
                record = parse_record(payload, accept_unknown)
            except ContractError as error:
                skipped(f"{place}: {error}")
                continue
            if isinstance(record, SupplyTerms):
                terms = terms_of_tenant(record, tenant)
                if _is_latest(found.terms.get(terms.supply_point), terms):
                    found.terms[terms.supply_point], found.terms_places[terms.supply_point] = terms, place
            else:
                contract = of_tenant(record, tenant)
                if _is_latest(found.contracts.get(contract.meter_id), contract):
                    found.contracts[contract.meter_id], found.contract_places[contract.meter_id] = contract, place
    return found


def _is_latest(before: Contract | SupplyTerms | None, record: Contract | SupplyTerms) -> bool:
    """Return whether a record replaces the one before of its meter or supply point."""
    return before is None or before.version_ms(_NOW_MS) <= record.version_ms(_NOW_MS)


def contracts_in_force(
    names: Iterable[str], skipped: Callable[[str], None], tenant: str = DEFAULT, accept_unknown: bool = False
) -> dict[str, Contract]:
    """Return the contracts of `records_in_force`."""
    return records_in_force(names, skipped, tenant, accept_unknown).contracts
