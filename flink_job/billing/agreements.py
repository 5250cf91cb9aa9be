"""The tariff in force on a local day under a contract."""

from __future__ import annotations

from datetime import date

from flink_job.metering.contract import Contract
from flink_job.tariffs.history import CycleError, InForce, TariffInForce
from flink_job.tariffs.registry import TariffRegistry, UnknownTariffError


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
