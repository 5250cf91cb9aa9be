"""Contracts that changed what had been priced: what is to be settled again, and whether it can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import duckdb

from flink_job.errors import MeteringError
from flink_job.metering.contract import Contract
from flink_job.tenants import qualified


class StaleContractError(MeteringError, ValueError):
    """A contract is older than one that the job has read."""


class Changes:
    """The contracts that changed what had been priced and has not been settled since, as view `unsettled_changes` says.

    `supplies`: the first days of the cycles to settle again, by supply point.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        rows = connection.execute(
            "SELECT tenant, supply_point, meter_id, cycle_start, issued_at FROM unsettled_changes"
        ).fetchall()
        self.supplies: dict[str, set[str]] = {}
        self._issued: dict[str, datetime] = {}
        for tenant, supply_point, meter_id, cycle_start, issued_at in rows:
            self.supplies.setdefault(qualified(tenant, supply_point), set()).add(cycle_start)
            meter = qualified(tenant, meter_id)
            self._issued[meter] = max(issued_at, self._issued.get(meter, issued_at))

    def check(self, meters: Iterable[str], contracts: Mapping[str, Contract]) -> None:
        """Raise StaleContractError if the contract of a meter is older than the one that changed what was priced."""
        for meter in meters:
            issued_at = issued_at_of(contracts[meter]) if meter in contracts else None
            if issued_at is not None and meter in self._issued and issued_at < self._issued[meter]:
                raise StaleContractError(
                    f"the contract of {meter} was issued at {issued_at} and is older than the one of "
                    f"{self._issued[meter]} that the job has read: export the contracts again"
                )


def issued_at_of(contract: Contract) -> datetime | None:
    """Return the version of a contract, without an offset and in milliseconds as in the lake; None without one."""
    at = contract.issued_at
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None, microsecond=at.microsecond // 1000 * 1000)


def newest_issued_at(meters: Iterable[str], contracts: Mapping[str, Contract]) -> datetime | None:
    """Return the newest version of the contracts of meters; None if one has none, so is taken as the latest."""
    found = [issued_at_of(contracts[meter]) for meter in meters if meter in contracts]
    return None if None in found else max((at for at in found if at is not None), default=None)
