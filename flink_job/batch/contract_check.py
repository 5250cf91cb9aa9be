"""Checks files of contracts: each record by itself, then the supply points that they make up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from flink_job.batch.contracts import is_latest
from flink_job.errors import MeteringError
from flink_job.io.records import read_records
from flink_job.metering.contract import Contract, ContractError, of_tenant
from flink_job.metering.supply_terms import SupplyTerms, parse_record, terms_of_tenant
from flink_job.supplies.membership import Supply, SupplyError, supplies_of
from flink_job.supplies.tree import trees
from flink_job.tariffs.registry import TariffRegistry
from flink_job.tenants import DEFAULT, plain


@dataclass
class Checked:
    """Records in force of files of contracts, by qualified name, and the faults of the files.

    `places`: where each record in force is, `file:line`, by meter or supply point.
    """

    contracts: dict[str, Contract] = field(default_factory=dict)
    terms: dict[str, SupplyTerms] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    supplies: list[Supply] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def check_contracts(names: Iterable[str], tenant: str = DEFAULT, registry: TariffRegistry | None = None) -> Checked:
    """Return what is in force and all faults of NDJSON files, with their places. Raises InputError.

    With a `registry`, tariffs that it does not have are faults. Of a supply point the first fault is found.
    """
    found = Checked()
    for name in names:
        for line, payload in read_records(name):
            try:
                _add(found, f"{name}:{line}", parse_record(payload), tenant)
            except ContractError as error:
                found.faults.append(f"{name}:{line}: {error}")
    found.supplies, faults = supplies_of(found.contracts, found.terms)
    for supply in found.supplies:
        try:
            trees(supply)
        except SupplyError as error:
            faults.append(error)
    found.faults += [_placed(found, fault) for fault in sorted(faults, key=lambda fault: fault.supply_point)]
    if registry is not None:
        found.faults += list(_tariff_faults(found, registry))
    named = {member.supply_point for supply in found.supplies for member in supply.members}
    named |= {fault.supply_point for fault in faults}
    found.unused = [f"{found.places[name]}: no meter names supply point {plain(name)}" for name in found.terms
                    if name not in named]  # fmt: skip
    return found


def _add(found: Checked, place: str, record: Contract | SupplyTerms, tenant: str) -> None:
    """Add a record if it is the latest of its meter or supply point, as the job decides."""
    if isinstance(record, SupplyTerms):
        terms = terms_of_tenant(record, tenant)
        if is_latest(found.terms.get(terms.supply_point), terms):
            found.terms[terms.supply_point], found.places[terms.supply_point] = terms, place
        return
    contract = of_tenant(record, tenant)
    if is_latest(found.contracts.get(contract.meter_id), contract):
        found.contracts[contract.meter_id], found.places[_meter(contract.meter_id)] = contract, place


def _meter(meter_id: str) -> str:
    """Return the key of a meter among the places: a supply point may have the same name."""
    return f"meter {meter_id}"


def _placed(found: Checked, fault: SupplyError) -> str:
    """Return a fault of a supply point after the places of the contracts that cause it."""
    places = [found.places[_meter(meter)] for meter in dict.fromkeys(fault.meters)]
    return f"{', '.join(places[:5])}{', ...' * (len(places) > 5)}: {fault}"


def _tariff_faults(found: Checked, registry: TariffRegistry) -> Iterator[str]:
    """Yield the records that assign a tariff of which no version is in force on the day of the assignment."""
    records: list[tuple[str, Contract]] = [(name, terms.as_contract()) for name, terms in found.terms.items()]
    records += [(_meter(name), contract) for name, contract in found.contracts.items()]
    for key, contract in records:
        for assignment in contract.assignments:
            try:
                _check_tariff(registry, assignment.tariff_id, assignment.valid_from)
            except MeteringError as error:
                yield f"{found.places[key]}: {plain(contract.meter_id)}: {error}"


def _check_tariff(registry: TariffRegistry, tariff_id: str, day: date) -> None:
    """Raise UnknownTariffError if no version of a tariff is in force on a day, or later."""
    versions = registry.versions(tariff_id)
    if not any(tariff.valid_from >= day for tariff in versions):
        registry.in_force(tariff_id, day)
