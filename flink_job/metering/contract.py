"""Contracts: the tariffs by which a meter is billed, and the dates from which they apply."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from flink_job.errors import MeteringError
from flink_job.metering.units import to_micro
from flink_job.tenants import DEFAULT, qualified

MAX_NAME = 128
MAX_SITE_PATH = 512

#: Role of a meter in its supply point: `main` measures the supply, `sub` lies behind a main, `part` is one of the
#: meters that make up a supply without a main, `sensor` measures no billed electricity.
Role = Literal["main", "sub", "part", "sensor"]


class ContractError(MeteringError, ValueError):
    """A record that is not a valid contract; the message names the field and its valid values."""


class Assignment(msgspec.Struct, frozen=True):
    """A tariff, from local midnight of `valid_from` (YYYY-MM-DD) until the next assignment.

    `contracted_kw`: contracted power by period [kW], if the tariff uses it.
    """

    tariff_id: str
    valid_from: date
    contracted_kw: dict[str, Decimal] = {}

    @property
    def contracted_u(self) -> dict[str, int]:
        """Contracted power by period [1e-6 kW]."""
        return {period: to_micro(kw) for period, kw in self.contracted_kw.items()}


class Change(msgspec.Struct, frozen=True):
    """Fields of a contract that have other values from local midnight of `valid_from` on; None for no change."""

    valid_from: date
    site_path: str | None = None
    timezone: str | None = None
    multiplier: Decimal | None = None
    billing_day: int | None = None
    tags: dict[str, str] | None = None
    supply_point: str | None = None
    role: Role | None = None
    upstream: str | None = None


class Contract(msgspec.Struct, frozen=True):
    """The contract of one meter, with all its tariff assignments.

    `billing_day`: day of the month on which billing cycles begin (1-31; the last day in shorter months).
    `cycle_starts`: explicit start days of the cycles, which replace `billing_day`; the last one ends the last cycle.
    `multiplier`: CT/PT ratio that quantities are multiplied by.
    `interval_s`: interval of the readings [s]; 0 if it is learned from them.
    `max_power_kw`: highest power that the meter can measure; see flink_job.metering.highest_power for its default.
    `tags`: labels for alert rules, such as the gateway.
    `tenant`: owner of the meter; empty for the tenant of the stream or file.
    `devices`: IoT things authorized for the meter; empty for every device of the tenant.
    `changes`: later values of the fields, by date (see flink_job.metering.changes); the fields have the first ones.
    `supply_point`, `role`: the supply that the meter belongs to; empty for a supply of its own, which it measures.
    `upstream`: a submeter that measures this one too; empty for the mains.
    `issued_at`: version; of two contracts of a meter the one issued later is in force. None for the time of arrival.
    """

    meter_id: str
    site_path: str
    timezone: str
    assignments: tuple[Assignment, ...] = ()
    billing_day: int = 1
    cycle_starts: tuple[date, ...] = ()
    multiplier: Decimal = Decimal(1)
    tags: dict[str, str] = {}
    tenant: str = ""
    devices: tuple[str, ...] = ()
    interval_s: int = 0
    max_power_kw: Decimal | None = None
    changes: tuple[Change, ...] = ()
    supply_point: str = ""
    role: Role | Literal[""] = ""
    upstream: str = ""
    issued_at: datetime | None = None

    def version_ms(self, arrival_ms: int) -> int:
        """Return the version of the contract [epoch ms], which is never after its arrival."""
        return arrival_ms if self.issued_at is None else min(int(self.issued_at.timestamp() * 1000), arrival_ms)


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
    max_power_kw: msgspec.Raw = msgspec.Raw()
    changes: msgspec.Raw = msgspec.Raw()
    supply_point: str = ""
    role: str = ""

    @property
    def terms(self) -> tuple[bytes, ...]:
        """The raw JSON of the fields that are not specific to the meter."""
        return (
            bytes(self.timezone),
            bytes(self.assignments),
            bytes(self.billing_day),
            bytes(self.cycle_starts),
            bytes(self.multiplier),
            bytes(self.max_power_kw),
        )


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
    changes = tuple(msgspec.structs.replace(c, **_qualified_names(c, tenant)) for c in contract.changes)
    names: dict[str, Any] = {
        "meter_id": qualified(tenant, contract.meter_id),
        "changes": changes,
        **_qualified_names(contract, tenant),
    }
    return msgspec.structs.replace(contract, assignments=assignments, **names)


def _qualified_names(fields: Contract | Change, tenant: str) -> dict[str, str]:
    """Return the names in a contract or change, as far as it has them, qualified by the tenant."""
    names = {"site_path": fields.site_path, "supply_point": fields.supply_point, "upstream": fields.upstream}
    return {field: qualified(tenant, name) for field, name in names.items() if name}
