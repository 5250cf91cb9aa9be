"""Terms of a supply point: records of the contracts without a meter, which meters of the supply point name."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from flink_job.metering.bounds import MAX_DETAIL, MAX_RECORD_BYTES, is_plain
from flink_job.metering.contract import MAX_NAME, Assignment, Change, Contract, ContractError
from flink_job.metering.contract_document import (
    check_distinct_dates,
    check_known,
    check_terms,
    in_order,
    parse_contract,
)
from flink_job.tenants import DEFAULT, RIGHT, is_tenant, qualified


class Sharing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rule by which charges of a supply that are not proportional to energy are shared.

    `demand`: by the readings of the demand interval that set the peak, or by all energy of the bill. `fixed`: by all
    energy of the bill, or as demand.
    """

    demand: Literal["peak", "energy"] = "peak"
    fixed: Literal["energy", "peak"] = "energy"


class SupplyTerms(msgspec.Struct, frozen=True):
    """The terms of a supply point; the fields are those of a contract, `changes` have `timezone` and `billing_day`."""

    supply_point: str
    timezone: str
    assignments: tuple[Assignment, ...]
    billing_day: int = 1
    cycle_starts: tuple[date, ...] = ()
    tenant: str = ""
    changes: tuple[Change, ...] = ()
    sharing: Sharing = Sharing()
    issued_at: datetime | None = None

    def version_ms(self, arrival_ms: int) -> int:
        """Return the version of the terms [epoch ms], which is never after their arrival."""
        return self.as_contract().version_ms(arrival_ms)

    def as_contract(self) -> Contract:
        """Return the contract of the supply, whose meter has the name of the supply point."""
        return Contract(
            self.supply_point,
            self.supply_point,
            self.timezone,
            self.assignments,
            self.billing_day,
            self.cycle_starts,
            tenant=self.tenant,
            changes=self.changes,
            issued_at=self.issued_at,
        )


_decoder = msgspec.json.Decoder(SupplyTerms)
_named = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_record(payload: bytes | str, accept_unknown: bool = False) -> Contract | SupplyTerms:
    """Return the contract of a meter, or the terms of a supply point if the record names no meter.

    `accept_unknown`: as of `parse_contract`. Raises ContractError.
    """
    if len(payload) <= MAX_RECORD_BYTES:
        try:
            fields = _named.decode(payload)
        except (msgspec.DecodeError, RecursionError, ValueError):
            fields = {}
        if "supply_point" in fields and "meter_id" not in fields:
            return parse_supply_terms(payload)
    return parse_contract(payload, accept_unknown)


def parse_supply_terms(payload: bytes | str) -> SupplyTerms:
    """Return the terms of a supply point in a JSON document. Raises ContractError."""
    try:
        terms = _decoder.decode(payload)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise ContractError(str(error)[:MAX_DETAIL]) from None
    if not terms.supply_point or len(terms.supply_point) > MAX_NAME or not is_plain(terms.supply_point):
        raise ContractError(f"supply_point must have 1 to {MAX_NAME} printable characters")
    of = f"terms of supply point {terms.supply_point}"
    if terms.tenant and not is_tenant(terms.tenant):
        raise ContractError(f"{of}: tenant is {terms.tenant[:40]!r}; it must be {RIGHT}")
    check_known(of, payload, SupplyTerms)
    if not terms.assignments:
        raise ContractError(f"{of}: assignments must not be empty")
    for change in terms.changes:
        changed = {name for name in Change.__struct_fields__ if getattr(change, name) is not None}
        if extra := sorted(changed - {"valid_from", "timezone", "billing_day"}):
            raise ContractError(f"{of}: {extra[0]} of a change belongs in the contract of a meter")
    contract = terms.as_contract()
    check_distinct_dates(of, contract)
    check_terms(of, contract)
    ordered = in_order(contract)
    return msgspec.structs.replace(terms, assignments=ordered.assignments, changes=ordered.changes)


def terms_of_tenant(terms: SupplyTerms, otherwise: str = DEFAULT) -> SupplyTerms:
    """Return the terms with supply point and tariffs qualified by their tenant; `otherwise`: of terms without one."""
    tenant = terms.tenant or otherwise
    assignments = tuple(msgspec.structs.replace(a, tariff_id=qualified(tenant, a.tariff_id)) for a in terms.assignments)
    return msgspec.structs.replace(terms, supply_point=qualified(tenant, terms.supply_point), assignments=assignments)
