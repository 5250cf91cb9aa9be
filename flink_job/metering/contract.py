"""Contracts: which tariff a meter is billed by, and since when."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from flink_job.metering.bounds import CONTRACT_YEARS, MAX_CONTRACTED_KW, MAX_DETAIL, MAX_RECORD_BYTES, is_plain
from flink_job.tenants import DEFAULT, RIGHT, is_tenant, qualified

MAX_NAME = 128
MAX_SITE_PATH = 512


class ContractError(ValueError):
    """A record that is not a contract; the message names the field and what would be right."""


class Assignment(msgspec.Struct, frozen=True):
    """A tariff, from the local midnight that begins `valid_from` (YYYY-MM-DD) until the next assignment.

    `contracted_kw` is the contracted power by period, where the tariff has such.
    """

    tariff_id: str
    valid_from: date
    contracted_kw: dict[str, Decimal] = {}


class Contract(msgspec.Struct, frozen=True):
    """All that is agreed for one meter, with the whole history of its assignments.

    `billing_day` is the day of the month on which billing cycles begin (1-31; a shorter month begins one on its last
    day); `cycle_starts`, where given, are the days on which they begin instead, the last one ending the last cycle.
    `multiplier` is the CT/PT ratio that quantities are multiplied by. `tags` are for alert rules, such as the gateway.
    `tenant` is whose meter it is; without one, that of the stream or file it came in. `devices` are the IoT things that
    may speak for the meter; without any, every device of the tenant.
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


class Outline(msgspec.Struct, frozen=True):
    """A contract of which only what is the meter's own has been read. Documents alike in the rest agree the same."""

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
    def agreed(self) -> tuple[bytes, ...]:
        """The rest, as it is written."""
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
    """The outline of the contract in a JSON document; whether the rest is right is not looked at.

    Raises ContractError when what is the meter's own is not.
    """
    return _decoded(_outline_decoder, payload)


def parse_contract(payload: bytes | str) -> Contract:
    """The contract in a JSON document, its assignments in order of validity.

    Raises ContractError when the document is no contract.
    """
    contract = _decoded(_decoder, payload)
    if not contract.assignments:
        raise ContractError(f"contract of {contract.meter_id}: assignments is empty")
    if not 1 <= contract.billing_day <= 31:
        raise ContractError(f"contract of {contract.meter_id}: billing_day is {contract.billing_day}, not in 1..31")
    if not (contract.multiplier.is_finite() and 0 < contract.multiplier <= 100_000):
        raise ContractError(f"contract of {contract.meter_id}: multiplier is {contract.multiplier}, not in (0, 100000]")
    try:
        ZoneInfo(contract.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ContractError(f"contract of {contract.meter_id}: no IANA time zone {contract.timezone!r}") from None
    if contract.cycle_starts and list(contract.cycle_starts) != sorted(set(contract.cycle_starts)):
        raise ContractError(f"contract of {contract.meter_id}: cycle_starts must rise")
    _check_assignments(contract)
    ordered = tuple(sorted(contract.assignments, key=lambda a: a.valid_from))
    return msgspec.structs.replace(contract, assignments=ordered)


def _check_assignments(contract: Contract) -> None:
    """Raises ContractError for a day or a power that no timeline can be made of."""
    days: list[date] = [*contract.cycle_starts, *(assignment.valid_from for assignment in contract.assignments)]
    if any(day.year not in CONTRACT_YEARS for day in days):
        raise ContractError(
            f"contract of {contract.meter_id}: years lie in {CONTRACT_YEARS.start}..{CONTRACT_YEARS.stop - 1}"
        )
    for assignment in contract.assignments:
        if not assignment.tariff_id or len(assignment.tariff_id) > MAX_NAME or not is_plain(assignment.tariff_id):
            raise ContractError(f"contract of {contract.meter_id}: tariff_id has 1 to {MAX_NAME} plain characters")
        for period, power_kw in assignment.contracted_kw.items():
            if not (power_kw.is_finite() and 0 <= power_kw <= MAX_CONTRACTED_KW and is_plain(period)):
                raise ContractError(
                    f"contract of {contract.meter_id}: contracted_kw of {period[:40]!r} is {power_kw:.6g}, not in "
                    f"0..{MAX_CONTRACTED_KW}"
                )


def _decoded(decoder: msgspec.json.Decoder[_Read], payload: bytes | str) -> _Read:
    """A contract or its outline, of which what is the meter's own is checked. Raises ContractError."""
    if len(payload) > MAX_RECORD_BYTES:
        raise ContractError(f"{len(payload)} bytes; a contract has at most {MAX_RECORD_BYTES}")
    contract: _Read
    try:
        contract = decoder.decode(payload)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ContractError(str(error)[:MAX_DETAIL]) from None
    if not contract.meter_id or not contract.site_path.strip("/"):
        raise ContractError("meter_id and site_path must not be empty")
    if len(contract.meter_id) > MAX_NAME or len(contract.site_path) > MAX_SITE_PATH:
        raise ContractError(f"meter_id has at most {MAX_NAME} characters, site_path at most {MAX_SITE_PATH}")
    if not all(map(is_plain, (contract.meter_id, contract.site_path, *contract.tags, *contract.tags.values()))):
        raise ContractError("meter_id, site_path and tags hold no control characters")
    if contract.tenant and not is_tenant(contract.tenant):
        raise ContractError(f"contract of {contract.meter_id}: tenant is {contract.tenant[:40]!r}, not {RIGHT}")
    if contract.tags and any(sign in text for tag in contract.tags.items() for text in tag for sign in "=;"):
        raise ContractError(f"contract of {contract.meter_id}: tags hold neither '=' nor ';'")
    return contract


def of_tenant(contract: Contract, otherwise: str = DEFAULT) -> Contract:
    """The contract with the names of its tenant (see flink_job.tenants): meter, site path and tariffs.

    `otherwise` is the tenant of a contract that names none.
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
    """Epoch milliseconds at which the local day begins (where midnight is skipped, the first instant after)."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
