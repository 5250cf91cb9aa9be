"""Checks files of contracts: each record by itself, then the supply points that they make up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from flink_job.batch.contracts import ContractRecords, records_in_force
from flink_job.errors import MeteringError
from flink_job.supplies.membership import Supply, SupplyError, supplies_of
from flink_job.supplies.tree import trees
from flink_job.tariffs.registry import TariffRegistry
from flink_job.tenants import DEFAULT, plain


@dataclass
class Checked:
    """Records in force of files of contracts, their supply points, and the faults of the files.

    `unused`: places of terms of supply points that no meter names.
    """

    records: ContractRecords
    supplies: list[Supply]
    faults: list[str]
    unused: list[str]


def check_contracts(names: Iterable[str], tenant: str = DEFAULT, registry: TariffRegistry | None = None) -> Checked:
    """Return what is in force and all faults of NDJSON files, with their places. Raises InputError.

    With a `registry`, tariffs that it does not have are faults. Of a supply point the first fault is found.
    """
    problems: list[str] = []
    records = records_in_force(names, problems.append, tenant)
    supplies, faults = supplies_of(records.contracts, records.terms)
    for supply in supplies:
        try:
            trees(supply)
        except SupplyError as error:
            faults.append(error)
    problems += [_placed(records, fault) for fault in sorted(faults, key=lambda fault: fault.supply_point)]
    if registry is not None:
        problems += _tariff_faults(records, registry)
    named = {member.supply_point for supply in supplies for member in supply.members}
    named |= {fault.supply_point for fault in faults}
    unused = [
        f"{place}: no meter names supply point {plain(name)}"
        for name, place in records.terms_places.items()
        if name not in named
    ]
    return Checked(records, supplies, problems, unused)


def _placed(records: ContractRecords, fault: SupplyError) -> str:
    """Return a fault of a supply point after the places of the contracts that cause it."""
    places = [records.contract_places[meter] for meter in dict.fromkeys(fault.meters)]
    return f"{', '.join(places[:5])}{', ...' * (len(places) > 5)}: {fault}"


def _tariff_faults(found: ContractRecords, registry: TariffRegistry) -> Iterator[str]:
    """Yield the records that assign a tariff of which no version is in force on the day of the assignment."""
    records = [(found.terms_places[name], terms.as_contract()) for name, terms in found.terms.items()]
    records += [(found.contract_places[name], contract) for name, contract in found.contracts.items()]
    for place, contract in records:
        for assignment in contract.assignments:
            try:
                _check_tariff(registry, assignment.tariff_id, assignment.valid_from)
            except MeteringError as error:
                yield f"{place}: {plain(contract.meter_id)}: {error}"


def _check_tariff(registry: TariffRegistry, tariff_id: str, day: date) -> None:
    """Raise UnknownTariffError if no version of a tariff is in force on a day, or later."""
    versions = registry.versions(tariff_id)
    if not any(tariff.valid_from >= day for tariff in versions):
        registry.in_force(tariff_id, day)
