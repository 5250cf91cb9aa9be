"""The tariff model: one version of a tariff, with integer prices. `flink_job.tariffs.document` reads it from JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flink_job.errors import MeteringError
from flink_job.tariffs.calendar import Calendar

#: Name of the only period of a tariff without a calendar.
ALL_HOURS = "all"

DAILY_UNITS = ("kWh daily", "kWh/kW daily")
EACH_DAY = "kWh each day"
PER_KW_UNITS = ("kWh/kW", "kWh/kW daily")


class TariffError(MeteringError, ValueError):
    """A tariff document that cannot be used; `problems` lists all faults with their places."""

    def __init__(self, name: str, problems: list[str]) -> None:
        super().__init__(f"{name}: " + "; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Tier:
    """A tier: the price up to a bound.

    `price_e9`, `sell_e9`: 1e-9 currency per kWh or kW. `bound_u`: 1e-6 kWh or kW, None for the last tier.
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
    """A demand ratchet: billed demand is at least a share of the highest peak of earlier billing cycles.

    `share_e9`: share in 1e-9. `months_back`: number of earlier cycles, of which those that begin in `months` apply.
    `applies_to`: `flat` or names of demand periods.
    """

    share_e9: int
    months_back: int
    months: frozenset[int]
    applies_to: frozenset[str]


@dataclass(frozen=True)
class PeakStatistic:
    """The rule by which the billed demand of a cycle follows from its peak and those of earlier cycles.

    Each peak is at least the minimum. `is_mean`: it is their mean, otherwise the highest. `cycles`: number of cycles
    with the present one, or 0 for those of the year that begins in month `year_from` (1-12). `arrears`: earlier cycles
    of the year are charged again for what a higher peak adds, at the present prices.
    """

    is_mean: bool
    cycles: int
    year_from: int
    arrears: bool


@dataclass(frozen=True)
class Step:
    """An amount per month (1e-9 currency) for a billed demand up to a bound [1e-6 kW], None for the last step."""

    amount_e9: int
    bound_u: int | None


@dataclass(frozen=True)
class Demand:
    """Demand rules other than flat and TOU tiers. `slide_s` is 0 for clock-aligned demand intervals.

    `unit`: kW, kVA (apparent power) or kvar (imported reactive power). `highest_days`: the mean of the highest peaks of
    so many days is billed; 0 for the highest of all. `minimum_share_e9`: share (1e-9) of the highest contracted power
    that is billed at least. `steps`: amounts by the billed flat demand.
    """

    slide_s: int
    daily: bool
    minimum_u: int
    ratchet: Ratchet | None
    flat_by_month: tuple[Tiers, ...]
    calendar: Calendar | None
    unit: str = "kW"
    highest_days: int = 0
    statistic: PeakStatistic | None = None
    minimum_share_e9: int = 0
    steps: tuple[Step, ...] = ()

    @property
    def in_kva(self) -> bool:
        """True if demand is apparent power."""
        return self.unit == "kVA"


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
    """Reactive energy above `free_e9` (1e-9 kvarh per kWh), priced by cos phi.

    `bands`: (upper bound of cos phi, price) in 1e-9, lowest first. `over`: what the free share is of: each TOU period,
    all `periods` together, or each interval of `interval_s`.
    """

    free_e9: int
    periods: frozenset[str] | None
    bands: tuple[tuple[int, int], ...]
    capacitive_cos_e9: int
    capacitive_price_e9: int
    capacitive_periods: frozenset[str]
    over: str = "period"
    interval_s: int = 0


@dataclass(frozen=True)
class FixedCharge:
    """An amount (1e-9 currency) per day, month (billing cycle) or year; it is exempt from the taxes `exempt_from`."""

    name: str
    amount_e9: int
    per: str
    exempt_from: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Export:
    """Settlement of exported energy; see `export` in tariff.schema.json.

    `year_from`: month (1-12) in which the year of banks and credits begins. `by_year`: the net energy of the year so
    far is charged, less what earlier cycles of it were charged.
    """

    rule: str = "priced"
    netting: str = "interval"
    capped_at_energy: bool = False
    carry_over: bool = False
    year_end_e9: int = 0
    within_energy: bool = False
    year_from: int = 1
    across_periods: bool = False
    by_year: bool = False


class Band(NamedTuple):
    """A band of a tax: what it charges up to an energy `bound_u` (1e-6 kWh, None for the last band).

    `rate_e12`: rate on the part of the base that the energy in the band is of all energy. `price_e9`: 1e-9 per kWh.
    """

    rate_e12: int
    price_e9: int
    bound_u: int | None


@dataclass(frozen=True)
class Tax:
    """A tax: a rate (1e-12) on a set of charges and earlier taxes, at least `floor_e9` (1e-9) per kWh.

    `bands`: what it charges beside by bands of the imported energy of a cycle, or of the year (`by_year`).
    """

    name: str
    rate_e12: int
    base: frozenset[str]
    floor_e9: int = 0
    valid_from: date | None = None
    valid_to: date | None = None
    bands: tuple[Band, ...] = ()
    by_year: bool = False

    def applies_on(self, day: date) -> bool:
        """Return True if the tax is in force on a day."""
        return (self.valid_from or date.min) <= day < (self.valid_to or date.max)

    def without_charge(self) -> Tax:
        """Return the tax at a rate of 0."""
        return replace(self, rate_e12=0, floor_e9=0, bands=())


@dataclass(frozen=True)
class Cap:
    """The sum of some charges of a cycle is at most a price (1e-9) per imported kWh: the first of them is reduced."""

    price_e9: int
    charges: tuple[str, ...]


@dataclass(frozen=True)
class LowUse:
    """Prices below a number of hours of use: the imported energy of the cycle divided by its peak of all hours.

    `energy[p]`, `flat_demand`, `tou_demand`: as in Tariff.
    """

    hours: int
    energy: tuple[Tiers, ...]
    flat_demand: Tiers
    tou_demand: tuple[Tiers, ...]


@dataclass(frozen=True)
class Rounding:
    """Number of decimals of bill lines and of interval energy; 6 means unrounded."""

    line_decimals: int = 6
    energy_decimals: int = 6
    half_up: bool = False


@dataclass(frozen=True)
class Tariff:
    """One version of a tariff.

    `energy[p]`: tiers of TOU period `periods[p]`. `demand_periods`: demand slot by name of period, from 1 on (slot 0 is
    the flat demand of all hours). `listed`: periods in the order in which the document prices them.
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
    cap: Cap | None = None
    low_use: LowUse | None = None

    @property
    def calendars(self) -> tuple[Calendar, ...]:
        """Its calendars: of energy, and those of demand and contracted power that have one of their own."""
        contracted = self.contracted.calendar if self.contracted is not None else None
        return tuple(each for each in (self.calendar, self.demand.calendar, contracted) if each is not None)

    @property
    def has_demand(self) -> bool:
        """True if the tariff has a demand charge."""
        return bool(self.flat_demand or self.tou_demand or self.demand.flat_by_month or self.demand.steps)

    def estimates_demand(self, interval_s: int) -> bool:
        """Return True if readings of this interval that begin at midnight straddle demand intervals."""
        return self.has_demand and interval_s < self.demand_window_s and self.demand_window_s % interval_s != 0

    @property
    def tier_daily(self) -> bool:
        """True if tier bounds are per day."""
        return self.tier_unit in DAILY_UNITS

    @property
    def tiers_each_day(self) -> bool:
        """True if each day fills tiers by itself."""
        return self.tier_unit == EACH_DAY and self.has_tiers

    @property
    def has_tiers(self) -> bool:
        """True if a TOU period has more than one tier."""
        return any(len(tiers) > 1 for tiers in self.energy)

    @property
    def depends_on_order(self) -> bool:
        """True if the price of a reading depends on the order of readings, not only on sums."""
        return self.tier_rule == "chronological" and len({tuple(tiers) for tiers in self.energy}) > 1

    @property
    def plain_taxes(self) -> bool:
        """True if taxes are constant rates, with each charge completely in or out of their base."""
        return not any(t.floor_e9 or t.valid_from or t.valid_to or t.bands for t in self.taxes) and not any(
            charge.exempt_from for charge in self.fixed
        )

    @property
    def accruing_minimum(self) -> tuple[FixedCharge, ...]:
        """The minimum charges that accrue with time: all but yearly ones, which are charged at the end of the year."""
        return tuple(charge for charge in self.minimum if charge.per != "year")

    def exempt_from(self, tax: Tax) -> tuple[FixedCharge, ...]:
        """Return the fixed charges that are exempt from a tax on fixed charges."""
        return tuple(c for c in self.fixed if tax.name in c.exempt_from and "fixed" in tax.base)

    @property
    def continues(self) -> bool:
        """True if a new version within a cycle continues tiers, peaks, minimums or floors of the one before."""
        floors = bool(self.cap or self.low_use) or any(tax.floor_e9 or tax.bands for tax in self.taxes)
        return bool(self.has_tiers or self.has_demand or self.minimum or floors or self.contracted or self.is_netted)

    @property
    def differs_by_segment(self) -> bool:
        """True if `of_segment` may differ from the tariff."""
        has_validity = any(tax.valid_from or tax.valid_to for tax in self.taxes)
        return bool(self.demand.flat_by_month or has_validity or (self.adjustment_e9 and self.is_netted))

    @property
    def has_shared_seasons(self) -> bool:
        """True if periods fill tiers together in several groups, each with bounds for the days of its seasons."""
        return self.has_tiers and self.tier_rule != "per_period" and len(self.tier_groups()) > 1

    @property
    def is_netted(self) -> bool:
        """True if exported energy is netted with imported energy."""
        return self.export.rule in ("net_metering", "net_billing")

    @property
    def sells_by_tier(self) -> bool:
        """True if exported energy is credited at the sell prices of tiers."""
        return any(tier.sell_e9 for tiers in self.energy for tier in tiers)

    def at_low_use(self) -> Tariff:
        """Return the tariff with its prices below the hours of use."""
        assert self.low_use is not None
        low = self.low_use
        return replace(self, energy=low.energy, flat_demand=low.flat_demand, tou_demand=low.tou_demand, low_use=None)

    def of_cycle(self, month: int) -> Tariff:
        """Return the tariff with the flat demand of the month (1-12) in which a cycle begins."""
        if not self.demand.flat_by_month:
            return self
        return replace(self, flat_demand=self.demand.flat_by_month[month - 1])

    def of_segment(self, cycle_month: int, start: date) -> Tariff:
        """Return the tariff in a billing segment from a local day, of a cycle that begins in a month (1-12).

        It has the flat demand of that month and, with net metering, its adjustment alone. A tax that is not in force on
        the day charges nothing.
        """
        tariff = self.of_cycle(cycle_month)
        if self.adjustment_e9 and self.export.rule == "net_metering":
            tariff = replace(tariff, adjustment_e9=(self.adjustment_e9[cycle_month - 1],))
        if all(tax.applies_on(start) for tax in self.taxes):
            return tariff
        return replace(tariff, taxes=tuple(t if t.applies_on(start) else t.without_charge() for t in self.taxes))

    def left_to_settlement(self) -> Iterator[str]:
        """Yield the rules that depend on other cycles or on the order of readings: the stream's costs are provisional.

        A tax that begins or ends is one only in the cycle in which it does (see flink_job.tariffs.rating).
        """
        netting = self.export.netting == "hour"
        rules = {
            "ratchet": self.demand.ratchet,
            "peaks of earlier cycles": self.demand.statistic,
            "a yearly minimum": any(charge.per == "year" for charge in self.minimum),
            "a minimum bill beside chronological tiers": self.minimum and self.depends_on_order,
            "tax bands of a year": any(tax.by_year for tax in self.taxes),
            "banked energy of net metering": self.export.rule == "net_metering",
            "credit of earlier cycles": self.export.carry_over,
            "sell prices by tier": self.sells_by_tier,
            "a dynamic price with hourly netting": self.dynamic is not None and self.is_netted and netting,
        }
        yield from (name for name, present in rules.items() if present)

    def tier_groups(self) -> list[list[int]]:
        """Return the groups of TOU periods that fill tiers together: periods with equal bounds, or each by itself."""
        groups: dict[object, list[int]] = {}
        for period, tiers in enumerate(self.energy):
            bounds = tuple(tier.bound_u for tier in tiers)
            groups.setdefault(period if self.tier_rule == "per_period" else bounds, []).append(period)
        return list(groups.values())
