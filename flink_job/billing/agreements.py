"""Agreements: what readings are rated by under a contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from flink_job.metering.changes import billing_days, zone_of
from flink_job.metering.contract import Contract
from flink_job.metering.supply_terms import SupplyTerms
from flink_job.metering.zones import zone_named
from flink_job.tariffs.history import (
    BillingTerms,
    CycleError,
    History,
    InForce,
    Intervals,
    TariffInForce,
    rate_history,
)
from flink_job.tariffs.prices import PriceSeries
from flink_job.tariffs.registry import TariffRegistry, UnknownTariffError
from flink_job.tenants import tenant_of


class Agreement(NamedTuple):
    """The tariffs in force by local day, the billing cycles, and the price series of a contract."""

    in_force: InForce
    terms: BillingTerms
    series: Mapping[str, PriceSeries]

    def rate(self, data: Intervals) -> History:
        """Rate readings; raises what `rate_history` does."""
        return rate_history(self.in_force, self.terms, data, self.series)


@dataclass(frozen=True)
class Book:
    """Contracts by meter, terms by supply point, tariffs, and price series that replace those of the registry."""

    contracts: Mapping[str, Contract]
    registry: TariffRegistry
    series: Mapping[str, PriceSeries] = field(default_factory=dict)
    terms: Mapping[str, SupplyTerms] = field(default_factory=dict)

    def agreement(self, contract: Contract, until_ms: int | None = None) -> Agreement:
        """Return the agreement of a contract; `until_ms`: end of the known data [epoch ms]."""
        return agreement_of(contract, self.registry, self.series, until_ms)


def agreement_of(
    contract: Contract, registry: TariffRegistry, series: Mapping[str, PriceSeries], until_ms: int | None = None
) -> Agreement:
    """Return the agreement of a contract. `series` replace those of the registry; `until_ms`: end of the known data."""
    cycles = contract.billing_day, contract.cycle_starts
    terms = BillingTerms(zone_named(zone_of(contract)), *cycles, until_ms, billing_days(contract))
    known = {**registry.prices.series(tenant_of(contract.meter_id)), **series}
    return Agreement(agreements(contract, registry), terms, known)


def agreements(contract: Contract, registry: TariffRegistry) -> InForce:
    """Return the lookup of the tariff version in force on a local day under a contract.

    The lookup raises CycleError if no assignment or tariff version is valid on that day.
    """

    def in_force(day: date) -> TariffInForce:
        following: date | None = None
        for assignment in reversed(contract.assignments):
            if assignment.valid_from <= day:
                try:
                    tariff, since, until = registry.in_force(assignment.tariff_id, day)
                except UnknownTariffError as error:
                    raise CycleError(str(error)) from None
                ends = [d for d in (until, following) if d is not None]
                first, last = max(since, assignment.valid_from), min(ends, default=None)
                return TariffInForce(tariff, first, last, assignment.contracted_u)
            following = assignment.valid_from
        raise CycleError(f"the contract of {contract.meter_id} begins on {following}")

    return in_force
