"""Reads contracts from JSON documents and checks them."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from flink_job.metering.bounds import CONTRACT_YEARS, MAX_CONTRACTED_KW, MAX_DETAIL, MAX_RECORD_BYTES, is_plain
from flink_job.metering.contract import MAX_NAME, MAX_SITE_PATH, Assignment, Change, Contract, ContractError, Outline
from flink_job.tenants import RIGHT, is_tenant

_Read = TypeVar("_Read", Contract, Outline)
_decoder = msgspec.json.Decoder(Contract)
_outline_decoder = msgspec.json.Decoder(Outline)


def parse_outline(payload: bytes | str) -> Outline:
    """Return the outline of the contract in a JSON document, without validating the other fields.

    Raises ContractError if a meter-specific field is invalid.
    """
    return _decoded(_outline_decoder, payload)


def parse_contract(payload: bytes | str, accept_unknown: bool = False) -> Contract:
    """Return the contract in a JSON document, with its assignments in order of validity.

    Raises ContractError if the document is not a valid contract. A field that contracts do not have is an error: a
    misspelt one would be ignored. So is a second assignment from one date, because only one of them would apply. With
    `accept_unknown` they are not, as for contracts that an earlier release accepted.
    """
    contract = _decoded(_decoder, payload)
    of = f"contract of {contract.meter_id}"
    if not accept_unknown:
        check_known(of, payload, Contract)
        check_distinct_dates(of, contract)
    _check_supply(of, contract)
    if not 0 <= contract.interval_s <= 86_400:
        raise ContractError(f"{of}: interval_s is {contract.interval_s}; it must be in 0..86400")
    most = contract.max_power_kw
    if most is not None and not (most.is_finite() and 0 < most <= MAX_CONTRACTED_KW):
        raise ContractError(f"{of}: max_power_kw is {most:.6g}; it must be in (0, {MAX_CONTRACTED_KW}]")
    check_terms(of, contract)
    return in_order(contract)


def check_terms(of: str, contract: Contract) -> None:
    """Check the values of a contract that its supply may have instead. Raises ContractError.

    `of`: name of the document in messages.
    """
    _check_values(of, contract)
    for change in contract.changes:
        _check_values(of, change)
    if contract.issued_at is not None and contract.issued_at.tzinfo is None:
        raise ContractError(f"{of}: issued_at must have a UTC offset")
    if contract.cycle_starts and list(contract.cycle_starts) != sorted(set(contract.cycle_starts)):
        raise ContractError(f"{of}: cycle_starts must be ascending")
    _check_assignments(of, contract)


def in_order(contract: Contract) -> Contract:
    """Return the contract with assignments and changes in order of time. Raises ContractError."""
    ordered = tuple(sorted(contract.assignments, key=lambda a: a.valid_from))
    changes = tuple(
        _checked(contract.meter_id, change) for change in sorted(contract.changes, key=lambda c: c.valid_from)
    )
    return msgspec.structs.replace(contract, assignments=ordered, changes=changes)


def _check_supply(of: str, contract: Contract) -> None:
    """Check the supply point, role and upstream meter, at first and after each change. Raises ContractError."""
    point, role, upstream = contract.supply_point, contract.role, contract.upstream
    for change in (None, *sorted(contract.changes, key=lambda c: c.valid_from)):
        when = "" if change is None else f" from {change.valid_from}"
        if change is not None:
            point = point if change.supply_point is None else change.supply_point
            role = role if change.role is None else change.role
            upstream = upstream if change.upstream is None else change.upstream
        for name, value in (("supply_point", point), ("upstream", upstream)):
            if len(value) > MAX_NAME or not is_plain(value):
                raise ContractError(f"{of}: {name} must have 1 to {MAX_NAME} printable characters")
        if point and not role:
            raise ContractError(f"{of}{when}: supply_point requires a role: main, sub, part or sensor")
        if role in ("sub", "part") and not point:
            raise ContractError(f"{of}{when}: role {role!r} requires a supply_point")
        if upstream and role != "sub":
            raise ContractError(f"{of}{when}: only a meter with the role sub has an upstream meter")
        if upstream == contract.meter_id:
            raise ContractError(f"{of}{when}: upstream names the meter itself")
    if not contract.assignments and not contract.supply_point and contract.role != "sensor":
        raise ContractError(f"{of}: assignments must not be empty, unless it names a supply_point or is a sensor")


def _check_values(of: str, values: Contract | Change) -> None:
    """Check the fields that may change. Raises ContractError."""
    if values.billing_day is not None and not 1 <= values.billing_day <= 31:
        raise ContractError(f"{of}: billing_day is {values.billing_day}; it must be in 1..31")
    if values.multiplier is not None and not (values.multiplier.is_finite() and 0 < values.multiplier <= 100_000):
        raise ContractError(f"{of}: multiplier is {values.multiplier}; it must be in (0, 100000]")
    if values.timezone is not None:
        try:
            ZoneInfo(values.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ContractError(f"{of}: {values.timezone!r} is not an IANA time zone") from None


def check_known(of: str, payload: bytes | str, kind: type[msgspec.Struct]) -> None:
    """Check that the document has only fields of its kind. Raises ContractError."""
    document = msgspec.json.decode(payload)
    unknown = sorted(document.keys() - set(kind.__struct_fields__))
    if unknown:
        raise ContractError(f"{of}: unknown field {unknown[0][:40]!r}")
    for name, part, entries in (("assignments", "an assignment", Assignment), ("changes", "a change", Change)):
        known = set(entries.__struct_fields__)
        unknown = sorted({field for entry in document.get(name, ()) for field in entry.keys() - known})
        if unknown:
            hint = f"; {part} ends where the next one begins" if unknown[0] == "valid_to" else ""
            raise ContractError(f"{of}: unknown field {unknown[0][:40]!r} of {part}{hint}")


def check_distinct_dates(of: str, contract: Contract) -> None:
    """Check that each assignment, and each change, has a date of its own. Raises ContractError."""
    for name, entries in (("assignments", contract.assignments), ("changes", contract.changes)):
        for day, following in pairwise(sorted(entry.valid_from for entry in entries)):
            if day == following:
                raise ContractError(f"{of}: two {name} have valid_from {day}; each must have its own date")


def _check_assignments(of: str, contract: Contract) -> None:
    """Check the dates and contracted powers of the assignments. Raises ContractError."""
    days: list[date] = [*contract.cycle_starts, *(assignment.valid_from for assignment in contract.assignments)]
    days += [change.valid_from for change in contract.changes]
    if any(day.year not in CONTRACT_YEARS for day in days):
        raise ContractError(f"{of}: years must be in {CONTRACT_YEARS.start}..{CONTRACT_YEARS.stop - 1}")
    for assignment in contract.assignments:
        if not assignment.tariff_id or len(assignment.tariff_id) > MAX_NAME or not is_plain(assignment.tariff_id):
            raise ContractError(f"{of}: tariff_id must have 1 to {MAX_NAME} printable characters")
        for period, power_kw in assignment.contracted_kw.items():
            if not (power_kw.is_finite() and 0 <= power_kw <= MAX_CONTRACTED_KW and is_plain(period)):
                raise ContractError(
                    f"{of}: contracted_kw of {period[:40]!r} is {power_kw:.6g}; it must be in 0..{MAX_CONTRACTED_KW}"
                )


def _decoded(decoder: msgspec.json.Decoder[_Read], payload: bytes | str) -> _Read:
    """Decode a contract or its outline and validate the meter-specific fields. Raises ContractError."""
    if len(payload) > MAX_RECORD_BYTES:
        raise ContractError(f"{len(payload)} bytes; a contract may have at most {MAX_RECORD_BYTES}")
    contract: _Read
    try:
        contract = decoder.decode(payload)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ContractError(str(error)[:MAX_DETAIL]) from None
    if not contract.meter_id or len(contract.meter_id) > MAX_NAME or not is_plain(contract.meter_id):
        raise ContractError(f"meter_id must have 1 to {MAX_NAME} printable characters")
    if contract.tenant and not is_tenant(contract.tenant):
        raise ContractError(f"contract of {contract.meter_id}: tenant is {contract.tenant[:40]!r}; it must be {RIGHT}")
    return msgspec.structs.replace(contract, site_path=_site_path(contract.meter_id, contract.site_path, contract.tags))


def _site_path(meter_id: str, given: str, tags: dict[str, str]) -> str:
    """Return a site path without empty parts, after a check of it and of tags. Raises ContractError."""
    path = "/".join(part for part in given.split("/") if part)
    if not path or len(path) > MAX_SITE_PATH or not is_plain(path):
        raise ContractError(f"contract of {meter_id}: site_path must have 1 to {MAX_SITE_PATH} printable characters")
    if not all(map(is_plain, (*tags, *tags.values()))):
        raise ContractError(f"contract of {meter_id}: tags must not contain control characters")
    if any(sign in text for tag in tags.items() for text in tag for sign in "=;"):
        raise ContractError(f"contract of {meter_id}: tags must not contain '=' or ';'")
    return path


def _checked(meter_id: str, change: Change) -> Change:
    """Return a change with its site path normalized. Raises ContractError."""
    path = _site_path(meter_id, "-" if change.site_path is None else change.site_path, change.tags or {})
    return change if change.site_path is None else msgspec.structs.replace(change, site_path=path)
