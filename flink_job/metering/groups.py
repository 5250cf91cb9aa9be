"""Documents that a contract needs beside its own, as the stream attaches them: its supply's terms, its upstream meter.

In the stream a record provides groups, and listens to those whose documents it needs (flink_job/java: GroupJoin). Of
several providers of a group the one with the first name counts. A contract travels with the documents attached.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flink_job.metering.contract import Contract, of_tenant
from flink_job.metering.contract_document import parse_contract
from flink_job.metering.membership import Membership, memberships
from flink_job.metering.supply_terms import SupplyTerms, parse_record, terms_of_tenant
from flink_job.tenants import DEFAULT

#: Separates groups, and attached documents; ends the group of one. JSON has no control characters.
SEPARATOR, NAME_END = "\x1e", "\x1d"
#: Prefixes of groups: the terms in the record of a supply, the terms in the contract of a main or part, the main that
#: is upstream of submeters that name none, and each meter.
_TERMS, _BEARER, _MAIN, _METER = "s:", "t:", "u:", "m:"


class Links(NamedTuple):
    """The name of a record among those of its tenant, and the groups that it listens to and provides."""

    name: str
    listens: tuple[str, ...]
    provides: tuple[str, ...]


def links_of(record: Contract | SupplyTerms, otherwise: str = DEFAULT) -> Links:
    """Return the links of a record; `otherwise` is the tenant of one that names none."""
    if isinstance(record, SupplyTerms):
        name = _TERMS + terms_of_tenant(record, otherwise).supply_point
        return Links(name, (), (name,))
    return _links(of_tenant(record, otherwise))


def _links(contract: Contract) -> Links:
    """Return the links of a contract that is qualified by its tenant."""
    listens: dict[str, None] = {}
    provides: dict[str, None] = {_METER + contract.meter_id: None}
    for member in memberships(contract):
        if member.role == "sensor":
            continue
        is_source = member.role in ("main", "part")
        listens[_TERMS + member.supply_point] = None
        if not is_source or not contract.assignments:
            listens[_BEARER + member.supply_point] = None
        elif is_source:
            provides[_BEARER + member.supply_point] = None
        if member.role == "main":
            provides[_MAIN + member.supply_point] = None
        if member.role == "sub":
            listens[_upstream_group(member)] = None
    return Links(_METER + contract.meter_id, tuple(listens), tuple(provides))


def _upstream_group(member: Membership) -> str:
    return _METER + member.upstream if member.upstream else _MAIN + member.supply_point


class Attached(NamedTuple):
    """A contract of a meter with the documents of its groups. All names are qualified by their tenant."""

    contract: Contract
    documents: dict[str, Contract | SupplyTerms]

    def terms_of(self, member: Membership) -> Contract | None:
        """Return the terms of the supply of a membership as a contract; None if it has none."""
        record = self.documents.get(_TERMS + member.supply_point)
        if isinstance(record, SupplyTerms):
            return record.as_contract()
        if member.role in ("main", "part") and self.contract.assignments:
            return self.contract
        bearer = self.documents.get(_BEARER + member.supply_point)
        return bearer if isinstance(bearer, Contract) else None

    def upstream_of(self, member: Membership) -> Contract | None:
        """Return the contract of the meter that also measures a submeter; None if it is not known."""
        found = self.documents.get(_upstream_group(member)) if member.role == "sub" else None
        return found if isinstance(found, Contract) else None


def own_document(document: str) -> str:
    """Return the contract of a document with attachments."""
    return document.partition(SEPARATOR)[0]


def has_attachments(document: str) -> bool:
    """Return True if documents are attached to a contract."""
    return SEPARATOR in document


def parse_attached(document: str, otherwise: str) -> Attached:
    """Return the contract and attachments of a document. `otherwise`: tenant of records that name none.

    Raises ContractError.
    """
    own, *attachments = document.split(SEPARATOR)
    contract = of_tenant(parse_contract(own, accept_unknown=True), otherwise)
    found: dict[str, Contract | SupplyTerms] = {}
    text = ""
    for attachment in attachments:
        group, _, attached = attachment.partition(NAME_END)
        text = attached or text  # an empty one is the same as the one before
        record = parse_record(text, accept_unknown=True)
        if isinstance(record, SupplyTerms):
            found[group] = terms_of_tenant(record, otherwise)
        else:
            found[group] = of_tenant(record, otherwise)
    return Attached(contract, found)


def attached_contracts(contracts: Mapping[str, Contract]) -> dict[str, Attached]:
    """Return qualified contracts by meter with those of their groups, but not with the terms of supply points."""
    links = {meter: _links(contract) for meter, contract in contracts.items()}
    providers: dict[str, Contract] = {}
    for meter in sorted(contracts, key=lambda one: links[one].name, reverse=True):
        providers |= dict.fromkeys(links[meter].provides, contracts[meter])
    return {
        meter: Attached(contract, {group: providers[group] for group in links[meter].listens if group in providers})
        for meter, contract in contracts.items()
    }
