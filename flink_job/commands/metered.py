"""A meter or supply point of files with the terms that price it, for commands about one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from flink_job.commands.console import fail, note
from flink_job.commands.rate import parse_zone, read
from flink_job.tenants import qualified

if TYPE_CHECKING:
    from flink_job.billing.agreements import Book
    from flink_job.billing.explain import Metered
    from flink_job.billing.run import Pricing
    from flink_job.tariffs.explain import Explanation
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


@dataclass(frozen=True)
class SupplyFiles:
    """Files of readings with the contracts and tariffs that price them. `readings`: by meter, times its multiplier."""

    book: Book
    readings: Mapping[str, Intervals]

    def zone(self, name: str) -> str:
        """Return the time zone of a supply point, or of that of a meter, by qualified name."""
        from flink_job.billing.metered_supply import zone_of_name

        return zone_of_name(self.book, name)

    def metered(self, name: str, instant_ms: int = 0) -> Metered:
        """Return the load of a supply point, or of that of a main, by qualified name."""
        from flink_job.billing.metered_supply import billed, metered_supply, place_of

        return metered_supply(billed(place_of(self.book, name, instant_ms)), self.readings, self.book)

    def reading(self, name: str, start_ms: int) -> Explanation:
        """Return the derivation of what a reading adds to the bill of its supply; of a submeter, its share."""
        from flink_job.billing.explain import explain_reading
        from flink_job.billing.metered_supply import explain_share, metered_supply, place_of

        place = place_of(self.book, name, start_ms)
        if place.is_submeter:
            return explain_share(place, self.readings, self.book, start_ms)
        return explain_reading(metered_supply(place, self.readings, self.book), start_ms)


def by_contracts(
    readings: Sequence[str],
    contracts: Sequence[str],
    tariffs: str,
    tenant: str,
    prices: Sequence[str] | None,
    timezone: str,
    name: str = "",
) -> SupplyFiles:
    """Return meters of files with their contracts. Local times are in the zone of `name`, a meter or supply."""
    from flink_job.batch.contracts import records_in_force
    from flink_job.billing.agreements import Book
    from flink_job.billing.documents import load_series
    from flink_job.billing.metered_supply import zone_of_name
    from flink_job.billing.supplies import multiplied
    from flink_job.metering.highest_power import highest_power_of
    from flink_job.tariffs.registry import open_registry

    known = records_in_force(contracts, note, tenant, accept_unknown=True)
    if not known.contracts:
        fail(f"{', '.join(contracts)}: no contract of a meter")
    book = Book(known.contracts, open_registry(tariffs), {}, known.terms)
    zone = timezone or (zone_of_name(book, qualified(tenant, name)) if name else "UTC")
    book = replace(book, series=load_series(prices or (), zone))
    most_uw = max(map(highest_power_of, known.contracts.values()))
    found = {qualified(tenant, meter): data for meter, data in read(readings, parse_zone(zone), most_uw).meters.items()}
    named = {
        meter: multiplied(known.contracts[meter], data) for meter, data in found.items() if meter in known.contracts
    }
    return SupplyFiles(book, named)


def _only(meters: Mapping[str, Intervals]) -> str:
    if len(meters) > 1:
        shown = ", ".join(sorted(meters)[:_SHOWN]) + ", ..." * (len(meters) > _SHOWN)
        fail(f"the files have {len(meters):,} meters: choose one with --meter ({shown})")
    return next(iter(meters))
