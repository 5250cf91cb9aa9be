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
    if not accept_unknown:
        _check_fields(contract, payload)
        _check_distinct_dates(contract)
    if not contract.assignments:
        raise ContractError(f"contract of {contract.meter_id}: assignments must not be empty")
    if not 0 <= contract.interval_s <= 86_400:
        raise ContractError(
            f"contract of {contract.meter_id}: interval_s is {contract.interval_s}; it must be in 0..86400"
        )
    _check_values(contract.meter_id, contract)
    for change in contract.changes:
        _check_values(contract.meter_id, change)
    if contract.issued_at is not None and contract.issued_at.tzinfo is None:
        raise ContractError(f"contract of {contract.meter_id}: issued_at must have a UTC offset")
    if contract.cycle_starts and list(contract.cycle_starts) != sorted(set(contract.cycle_starts)):
        raise ContractError(f"contract of {contract.meter_id}: cycle_starts must be ascending")
    _check_assignments(contract)
    ordered = tuple(sorted(contract.assignments, key=lambda a: a.valid_from))
    changes = tuple(
        _checked(contract.meter_id, change) for change in sorted(contract.changes, key=lambda c: c.valid_from)
    )
    return msgspec.structs.replace(contract, assignments=ordered, changes=changes)


def _check_values(meter_id: str, values: Contract | Change) -> None:
    """Check the fields that may change. Raises ContractError."""
    if values.billing_day is not None and not 1 <= values.billing_day <= 31:
        raise ContractError(f"contract of {meter_id}: billing_day is {values.billing_day}; it must be in 1..31")
    if values.multiplier is not None and not (values.multiplier.is_finite() and 0 < values.multiplier <= 100_000):
        raise ContractError(f"contract of {meter_id}: multiplier is {values.multiplier}; it must be in (0, 100000]")
    if values.timezone is not None:
        try:
            ZoneInfo(values.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ContractError(f"contract of {meter_id}: {values.timezone!r} is not an IANA time zone") from None


def _check_fields(contract: Contract, payload: bytes | str) -> None:
    """Check that the document has only fields of a contract. Raises ContractError."""
    document = msgspec.json.decode(payload)
    unknown = sorted(document.keys() - set(Contract.__struct_fields__))
    if unknown:
        raise ContractError(f"contract of {contract.meter_id}: unknown field {unknown[0][:40]!r}")
    for name, part, kind in (("assignments", "an assignment", Assignment), ("changes", "a change", Change)):
        known = set(kind.__struct_fields__)
        unknown = sorted({field for entry in document.get(name, ()) for field in entry.keys() - known})
        if unknown:
            hint = f"; {part} ends where the next one begins" if unknown[0] == "valid_to" else ""
            raise ContractError(f"contract of {contract.meter_id}: unknown field {unknown[0][:40]!r} of {part}{hint}")


def _check_distinct_dates(contract: Contract) -> None:
    """Check that each assignment, and each change, has a date of its own. Raises ContractError."""
    for name, entries in (("assignments", contract.assignments), ("changes", contract.changes)):
        for day, following in pairwise(sorted(entry.valid_from for entry in entries)):
            if day == following:
                raise ContractError(
                    f"contract of {contract.meter_id}: two {name} have valid_from {day}; each must have its own date"
                )


def _check_assignments(contract: Contract) -> None:
    """Check the dates and contracted powers of the assignments. Raises ContractError."""
    days: list[date] = [*contract.cycle_starts, *(assignment.valid_from for assignment in contract.assignments)]
    days += [change.valid_from for change in contract.changes]
    if any(day.year not in CONTRACT_YEARS for day in days):
        raise ContractError(
            f"contract of {contract.meter_id}: years must be in {CONTRACT_YEARS.start}..{CONTRACT_YEARS.stop - 1}"
        )
    for assignment in contract.assignments:
        if not assignment.tariff_id or len(assignment.tariff_id) > MAX_NAME or not is_plain(assignment.tariff_id):
            raise ContractError(
                f"contract of {contract.meter_id}: tariff_id must have 1 to {MAX_NAME} printable characters"
            )
        for period, power_kw in assignment.contracted_kw.items():
            if not (power_kw.is_finite() and 0 <= power_kw <= MAX_CONTRACTED_KW and is_plain(period)):
                raise ContractError(
                    f"contract of {contract.meter_id}: contracted_kw of {period[:40]!r} is {power_kw:.6g}; it must be "
                    f"in 0..{MAX_CONTRACTED_KW}"
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
