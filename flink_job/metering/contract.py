"""Contracts: the tariffs by which a meter is billed, and the dates from which they apply."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from flink_job.errors import MeteringError
from flink_job.metering.bounds import CONTRACT_YEARS, MAX_CONTRACTED_KW, MAX_DETAIL, MAX_RECORD_BYTES, is_plain
from flink_job.tenants import DEFAULT, RIGHT, is_tenant, qualified

MAX_NAME = 128
MAX_SITE_PATH = 512


class ContractError(MeteringError, ValueError):
    """A record that is not a valid contract; the message names the field and its valid values."""


class Assignment(msgspec.Struct, frozen=True):
    """A tariff, from local midnight of `valid_from` (YYYY-MM-DD) until the next assignment.

    `contracted_kw`: contracted power by period [kW], if the tariff uses it.
    """

    tariff_id: str
    valid_from: date
    contracted_kw: dict[str, Decimal] = {}


class Contract(msgspec.Struct, frozen=True):
    """The contract of one meter, with all its tariff assignments.

    `billing_day`: day of the month on which billing cycles begin (1-31; the last day in shorter months).
    `cycle_starts`: explicit start days of the cycles, which replace `billing_day`; the last one ends the last cycle.
    `multiplier`: CT/PT ratio that quantities are multiplied by.
    `interval_s`: interval of the readings [s]; 0 if it is learned from them.
    `tags`: labels for alert rules, such as the gateway.
    `tenant`: owner of the meter; empty for the tenant of the stream or file.
    `devices`: IoT things authorized for the meter; empty for every device of the tenant.
    """

    meter_id: str
    site_path: str
    timezone: str
    assignments: tuple[Assignment, ...]
    billing_day: int = 1
    cycle_starts: tuple[date, ...] = ()
    multiplier: Decimal = Decimal(1)
    tags: dict[str, str] = {}
    tenant: str = ""
    devices: tuple[str, ...] = ()
    interval_s: int = 0


class Outline(msgspec.Struct, frozen=True):
    """A contract with only its meter-specific fields decoded; the others are raw JSON.

    Contracts with equal raw fields have equal terms, which therefore need to be decoded only once.
    """

    meter_id: str
    site_path: str
    tags: dict[str, str] = {}
    tenant: str = ""
    devices: tuple[str, ...] = ()
    timezone: msgspec.Raw = msgspec.Raw()
    assignments: msgspec.Raw = msgspec.Raw()
    billing_day: msgspec.Raw = msgspec.Raw()
    cycle_starts: msgspec.Raw = msgspec.Raw()
    multiplier: msgspec.Raw = msgspec.Raw()

    @property
    def terms(self) -> tuple[bytes, ...]:
        """The raw JSON of the fields that are not specific to the meter."""
        return (
            bytes(self.timezone),
            bytes(self.assignments),
            bytes(self.billing_day),
            bytes(self.cycle_starts),
            bytes(self.multiplier),
        )


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
    if not 1 <= contract.billing_day <= 31:
        raise ContractError(
            f"contract of {contract.meter_id}: billing_day is {contract.billing_day}; it must be in 1..31"
        )
    if not 0 <= contract.interval_s <= 86_400:
        raise ContractError(
            f"contract of {contract.meter_id}: interval_s is {contract.interval_s}; it must be in 0..86400"
        )
    if not (contract.multiplier.is_finite() and 0 < contract.multiplier <= 100_000):
        raise ContractError(
            f"contract of {contract.meter_id}: multiplier is {contract.multiplier}; it must be in (0, 100000]"
        )
    try:
        ZoneInfo(contract.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ContractError(
            f"contract of {contract.meter_id}: {contract.timezone!r} is not an IANA time zone"
        ) from None
    if contract.cycle_starts and list(contract.cycle_starts) != sorted(set(contract.cycle_starts)):
        raise ContractError(f"contract of {contract.meter_id}: cycle_starts must be ascending")
    _check_assignments(contract)
    ordered = tuple(sorted(contract.assignments, key=lambda a: a.valid_from))
    return msgspec.structs.replace(contract, assignments=ordered)


def _check_fields(contract: Contract, payload: bytes | str) -> None:
    """Check that the document has only fields of a contract. Raises ContractError."""
    document = msgspec.json.decode(payload)
    unknown = sorted(document.keys() - set(Contract.__struct_fields__))
    if unknown:
        raise ContractError(f"contract of {contract.meter_id}: unknown field {unknown[0][:40]!r}")
    known = set(Assignment.__struct_fields__)
    unknown = sorted({name for assignment in document["assignments"] for name in assignment.keys() - known})
    if unknown:
        hint = "; an assignment ends where the next one begins" if unknown[0] == "valid_to" else ""
        raise ContractError(
            f"contract of {contract.meter_id}: unknown field {unknown[0][:40]!r} of an assignment{hint}"
        )


def _check_distinct_dates(contract: Contract) -> None:
    """Check that each assignment has a date of its own. Raises ContractError."""
    days = sorted(assignment.valid_from for assignment in contract.assignments)
    for day, following in pairwise(days):
        if day == following:
            raise ContractError(
                f"contract of {contract.meter_id}: two assignments have valid_from {day}; each must have its own date"
            )


def _check_assignments(contract: Contract) -> None:
    """Check the dates and contracted powers of the assignments. Raises ContractError."""
    days: list[date] = [*contract.cycle_starts, *(assignment.valid_from for assignment in contract.assignments)]
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
    if "//" in f"/{contract.site_path}/":
        path = "/".join(part for part in contract.site_path.split("/") if part)
        contract = msgspec.structs.replace(contract, site_path=path)
    if not contract.meter_id or not contract.site_path:
        raise ContractError("meter_id and site_path must not be empty")
    if len(contract.meter_id) > MAX_NAME or len(contract.site_path) > MAX_SITE_PATH:
        raise ContractError(f"meter_id may have at most {MAX_NAME} characters, site_path at most {MAX_SITE_PATH}")
    if not all(map(is_plain, (contract.meter_id, contract.site_path, *contract.tags, *contract.tags.values()))):
        raise ContractError("meter_id, site_path and tags must not contain control characters")
    if contract.tenant and not is_tenant(contract.tenant):
        raise ContractError(f"contract of {contract.meter_id}: tenant is {contract.tenant[:40]!r}; it must be {RIGHT}")
    if contract.tags and any(sign in text for tag in contract.tags.items() for text in tag for sign in "=;"):
        raise ContractError(f"contract of {contract.meter_id}: tags must not contain '=' or ';'")
    return contract


def of_tenant(contract: Contract, otherwise: str = DEFAULT) -> Contract:
    """Return the contract with meter, site path and tariffs qualified by its tenant (see flink_job.tenants).

    `otherwise` is the tenant of a contract without one.
    """
    tenant = contract.tenant or otherwise
    if tenant == DEFAULT:
        return contract
    assignments = tuple(
        msgspec.structs.replace(a, tariff_id=qualified(tenant, a.tariff_id)) for a in contract.assignments
    )
    names: dict[str, Any] = {
        "meter_id": qualified(tenant, contract.meter_id),
        "site_path": qualified(tenant, contract.site_path),
    }
    return msgspec.structs.replace(contract, assignments=assignments, **names)


def local_midnight_ms(day: date, zone: ZoneInfo) -> int:
    """Return the epoch ms at which a local day begins (the first instant after midnight if a clock change skips it)."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
