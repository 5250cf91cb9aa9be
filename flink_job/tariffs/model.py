"""The tariff model: one version of a tariff as integers. `flink_job.tariffs.document` reads it from JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from flink_job.tariffs.calendar import Calendar

#: TOU periods, and demand periods, that the stream keeps accumulators for. A bill rated in batch has no such limit.
MAX_PERIODS = 6
MAX_DEMAND_PERIODS = 3
#: The period of a tariff without a calendar.
ALL_HOURS = "all"

CHARGES = ("energy", "demand", "fixed", "minimum", "export", "reactive")
DAILY_UNITS = ("kWh daily", "kWh/kW daily")
PER_KW_UNITS = ("kWh/kW", "kWh/kW daily")


class TariffError(ValueError):
    """A tariff document that cannot be used; `problems` holds every fault, each with its place."""

    def __init__(self, name: str, problems: list[str]) -> None:
        super().__init__(f"{name}: " + "; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Tier:
    """Price up to a bound. `price_e9`, `sell_e9`: 1e-9 currency per kWh or kW; `bound_u`: 1e-6 kWh or kW, None for
    the last.
    """

    price_e9: int
    bound_u: int | None
    sell_e9: int = 0


Tiers = tuple[Tier, ...]


@dataclass(frozen=True)
class Dynamic:
    """A price from a series: min(cap, max(floor, value x multiplier + adder)), all in 1e-9."""

    series: str
    multiplier_e9: int
    adder_e9: int
    cap_e9: int | None
    floor_e9: int | None


@dataclass(frozen=True)
class Ratchet:
    """Billed demand is at least `share_e9` (1e-9) of the highest peak of the `months_back` cycles before, of those that
    begin in `months`. `applies_to`: `flat`, or names of demand periods.
    """

    share_e9: int
    months_back: int
    months: frozenset[int]
    applies_to: frozenset[str]


@dataclass(frozen=True)
class Demand:
    """What demand rules a bill has beyond flat and TOU tiers. `slide_s` is 0 for clock-aligned intervals."""

    slide_s: int
    daily: bool
    minimum_u: int
    ratchet: Ratchet | None
    flat_by_month: tuple[Tiers, ...]
    calendar: Calendar | None


@dataclass(frozen=True)
class Contracted:
    """Contracted power: price [1e-9 per kW and year] and kW [1e-6] by period; `excess_e9` [1e-9] by period."""

    calendar: Calendar | None
    price_e9: Mapping[str, int]
    power_u: Mapping[str, int]
    excess_rule: str | None
    excess_e9: Mapping[str, int]


@dataclass(frozen=True)
class Reactive:
    """Reactive energy above `free_e9` (1e-9 kvarh per kWh), priced by cos phi. `bands`: (cos phi below, price) in 1e-9,
    lowest first.
    """

    free_e9: int
    periods: frozenset[str] | None
    bands: tuple[tuple[int, int], ...]
    capacitive_cos_e9: int
    capacitive_price_e9: int
    capacitive_periods: frozenset[str]


@dataclass(frozen=True)
class FixedCharge:
    """An amount (1e-9 currency) per day, month (billing cycle) or year; taxes in `exempt_from` leave it out."""

    name: str
    amount_e9: int
    per: str
    exempt_from: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Export:
    """How exported energy is settled; see the schema."""

    rule: str = "priced"
    netting: str = "interval"
    capped_at_energy: bool = False
    carry_over: bool = False
    year_end_e9: int = 0
    within_energy: bool = False


@dataclass(frozen=True)
class Tax:
    """A rate (1e-12) on a set of charges and earlier taxes, at least `floor_e9` (1e-9) per kWh."""

    name: str
    rate_e12: int
    base: frozenset[str]
    floor_e9: int = 0
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True)
class Rounding:
    """Decimals of bill lines and of an interval's energy; 6 is all there are."""

    line_decimals: int = 6
    energy_decimals: int = 6
    half_up: bool = False


@dataclass(frozen=True)
class Tariff:
    """One version of a tariff. `energy[p]` are the tiers of TOU period `periods[p]`; `demand_periods` maps the
    name of a period to a demand slot from 1 on (slot 0 is the flat demand of all hours). `listed` are the periods in
    the order in which the document prices them.
    """

    tariff_id: str
    version: str
    currency: str
    timezone: ZoneInfo | None
    valid_from: date
    valid_to: date | None
    month_days: str
    tier_rule: str
    tier_unit: str
    calendar: Calendar
    periods: tuple[str, ...]
    listed: tuple[int, ...]
    energy: tuple[Tiers, ...]
    adjustment_e9: tuple[int, ...]
    dynamic: Dynamic | None
    demand_window_s: int
    flat_demand: Tiers
    demand_periods: Mapping[str, int]
    tou_demand: tuple[Tiers, ...]
    demand: Demand
    contracted: Contracted | None
    reactive: Reactive | None
    fixed: tuple[FixedCharge, ...]
    minimum: tuple[FixedCharge, ...]
    export: Export
    export_e9: tuple[int, ...]
    taxes: tuple[Tax, ...]
    rounding: Rounding

    @property
    def has_demand(self) -> bool:
        return bool(self.flat_demand or self.tou_demand or self.demand.flat_by_month)

    @property
    def tier_daily(self) -> bool:
        return self.tier_unit in DAILY_UNITS

    @property
    def has_tiers(self) -> bool:
        return any(len(tiers) > 1 for tiers in self.energy)

    @property
    def depends_on_order(self) -> bool:
        """True where the price of a reading depends on which readings came before it, not only on sums."""
        return self.tier_rule == "chronological" and len({tuple(tiers) for tiers in self.energy}) > 1

    @property
    def plain_taxes(self) -> bool:
        """True where taxes are rates alone, the same at all times, with each charge wholly in or out of their base."""
        return not any(t.floor_e9 or t.valid_from or t.valid_to for t in self.taxes) and not any(
            charge.exempt_from for charge in self.fixed
        )

    def beyond_stream(self) -> Iterator[str]:
        """Rules that change how a reading is priced and that the stream has no state for: it prices no reading of such
        a tariff, the batch layer does.
        """
        if len(self.periods) > MAX_PERIODS:
            yield f"{len(self.periods)} TOU periods (at most {MAX_PERIODS})"
        if len(self.demand_periods) > MAX_DEMAND_PERIODS:
            yield f"{len(self.demand_periods)} demand periods (at most {MAX_DEMAND_PERIODS})"
        rules = {
            "a dynamic price": self.dynamic,
            "monthly price adjustments": self.adjustment_e9,
            f"tiers in {self.tier_unit}": self.has_tiers and self.tier_unit in PER_KW_UNITS,
            "tier bounds that differ between periods": self.tier_rule != "per_period" and len(self.tier_groups()) > 1,
            "flat demand by month": self.demand.flat_by_month,
            "a calendar of demand periods": self.demand.calendar,
            "a sliding demand window": self.demand.slide_s,
            "daily demand": self.demand.daily,
            f"export rule {self.export.rule}": self.export.rule != "priced",
            "rounded energy": self.rounding.energy_decimals < 6,
        }
        yield from (name for name, present in rules.items() if present)

    def left_to_batch(self) -> Iterator[str]:
        """Charges that the stream leaves to the batch layer; its rows are provisional."""
        rules = {
            "ratchet": self.demand.ratchet,
            "minimum demand": self.demand.minimum_u,
            "contracted power": self.contracted,
            "reactive energy": self.reactive,
            "minimum bill": self.minimum,
            "taxes with a floor, a validity or exemptions": not self.plain_taxes,
            "rounded lines": self.rounding.line_decimals < 6,
        }
        yield from (name for name, present in rules.items() if present)

    def tier_groups(self) -> list[list[int]]:
        """Periods that share one count of tiers: those of the same bounds, unless each has its own."""
        groups: dict[object, list[int]] = {}
        for period, tiers in enumerate(self.energy):
            bounds = tuple(tier.bound_u for tier in tiers)
            groups.setdefault(period if self.tier_rule == "per_period" else bounds, []).append(period)
        return list(groups.values())
