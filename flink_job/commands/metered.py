"""A meter of files with the terms that price it, for commands about one meter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flink_job.commands.console import fail, note
from flink_job.commands.rate import parse_zone, read
from flink_job.tenants import qualified

if TYPE_CHECKING:
    from flink_job.billing.explain import Metered
    from flink_job.billing.run import Pricing
    from flink_job.tariffs.history import Intervals

_SHOWN = 10


def by_tariff(pricing: Pricing, readings: Sequence[str], meter_id: str) -> Metered:
    """Return a meter of files, priced by the versions of one tariff. An empty `meter_id` is the only one of them."""
    from flink_job.billing.explain import Metered, meter_named
    from flink_job.metering.highest_power import highest_power_uw
    from flink_job.metering.units import MICRO
    from flink_job.tariffs.history import versions_in_force

    highest_uw = highest_power_uw(None, [Decimal(u) / MICRO for u in pricing.contracted_u.values()], Decimal(1))
    meters = read(readings, ZoneInfo(pricing.terms.zone.key), highest_uw).meters
    name = meter_id or _only(meters)
    in_force = versions_in_force(pricing.versions, pricing.contracted_u)
    return Metered(name, meter_named(meters, name), in_force, pricing.terms, pricing.series)


def by_contract(
    readings: Sequence[str],
    contracts: Sequence[str],
    tariffs: str,
    tenant: str,
    prices: Sequence[str] | None,
    timezone: str,
    meter_id: str,
) -> Metered:
    """Return a meter of files, priced by its contract."""
    from flink_job.batch.contracts import contracts_in_force
    from flink_job.billing.documents import load_series
    from flink_job.billing.explain import meter_named, metered_by
    from flink_job.metering.changes import zone_of
    from flink_job.metering.highest_power import highest_power_of
    from flink_job.tariffs.registry import open_registry

    contract = contracts_in_force(contracts, note, tenant, accept_unknown=True).get(qualified(tenant, meter_id))
    if contract is None:
        fail(f"meter {meter_id!r} has no contract in {', '.join(contracts)}")
    zone = timezone or zone_of(contract)
    data = meter_named(read(readings, parse_zone(zone), highest_power_of(contract)).meters, meter_id)
    return metered_by(contract, open_registry(tariffs), load_series(prices or (), zone), data)


def _only(meters: Mapping[str, Intervals]) -> str:
    if len(meters) > 1:
        shown = ", ".join(sorted(meters)[:_SHOWN]) + ", ..." * (len(meters) > _SHOWN)
        fail(f"the files have {len(meters):,} meters: choose one with --meter ({shown})")
    return next(iter(meters))
