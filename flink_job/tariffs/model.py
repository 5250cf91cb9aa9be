"""The tariff model: what a tariff document says, checked and turned into integers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from flink_job.tariffs.calendar import Calendar, CalendarError
from flink_job.tariffs.exact import RATE_SCALE, scaled

#: TOU periods, and demand periods, that the job keeps accumulators for.
MAX_PERIODS = 6
MAX_DEMAND_PERIODS = 3
#: The period of a tariff without a calendar.
ALL_HOURS = "all"

CHARGES = ("energy", "demand", "fixed", "export")


class TariffError(ValueError):
    """A tariff document that cannot be used; `problems` holds every fault, each with its place."""

    def __init__(self, name: str, problems: list[str]) -> None:
        super().__init__(f"{name}: " + "; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Tier:
    """Price up to a bound. `price_e9`: 1e-9 currency per kWh or kW; `bound_u`: 1e-6 kWh or kW, None for the last."""

    price_e9: int
    bound_u: int | None


@dataclass(frozen=True)
class FixedCharge:
    """An amount (1e-9 currency) per day, month (billing cycle) or year."""

    name: str
    amount_e9: int
    per: str


@dataclass(frozen=True)
class Tax:
    """A rate (1e-12) on a set of charges and earlier taxes."""

    name: str
    rate_e12: int
    base: frozenset[str]


@dataclass(frozen=True)
class Tariff:
    """One version of a tariff. `energy[p]` are the tiers of TOU period `periods[p]`; `demand_periods` maps the
    name of a period to a demand slot from 1 on (slot 0 is the flat demand of all hours).
    """

    tariff_id: str
    version: str
    currency: str
    valid_from: date
    valid_to: date | None
    tier_rule: str
    tier_daily: bool
    calendar: Calendar
    periods: tuple[str, ...]
    energy: tuple[tuple[Tier, ...], ...]
    demand_window_s: int
    flat_demand: tuple[Tier, ...]
    demand_periods: Mapping[str, int]
    tou_demand: tuple[tuple[Tier, ...], ...]
    fixed: tuple[FixedCharge, ...]
    export_e9: tuple[int, ...]
    taxes: tuple[Tax, ...]

    @property
    def has_demand(self) -> bool:
        return bool(self.flat_demand or self.tou_demand)

    @property
    def depends_on_order(self) -> bool:
        """True where the price of a reading depends on which readings came before it, not only on sums."""
        return self.tier_rule == "chronological" and len({tuple(tiers) for tiers in self.energy}) > 1


@cache
def _validator() -> Draft202012Validator:
    text = (files(__package__) / "tariff.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text), format_checker=FormatChecker())


def read_tariff(document: Mapping[str, Any], name: str = "tariff") -> Tariff:
    """The tariff in a document of our schema. Raises TariffError with every fault and its place."""
    problems = [
        f"{'/'.join(map(str, e.absolute_path)) or 'document'}: {e.message}" for e in _validator().iter_errors(document)
    ]
    if problems:
        raise TariffError(name, problems)
    problems = list(_inconsistencies(document))
    if problems:
        raise TariffError(name, problems)
    try:
        return _build(document)
    except (CalendarError, ValueError) as error:
        raise TariffError(name, [str(error)]) from None


def _inconsistencies(document: Mapping[str, Any]) -> Iterator[str]:
    """What the JSON Schema cannot say, each as a sentence with its place."""
    named = _period_names(document)
    used = {band["period"] for day in document.get("calendar", {}).get("days", ()) for band in day["bands"]} or {
        ALL_HOURS
    }
    energy = document.get("energy", {}).get("periods")
    if energy is not None:
        for missing in sorted(used - set(energy)):
            yield f"energy/periods: no price for period {missing!r} that the calendar uses"
    for where, names in named.items():
        for extra in sorted(set(names) - used - {"*"}):
            yield f"{where}: period {extra!r} is not in the calendar; it has {', '.join(sorted(used))}"
    if len(used) > MAX_PERIODS:
        yield f"calendar: {len(used)} periods; at most {MAX_PERIODS} are kept"
    if len(named.get("demand/periods", ())) > MAX_DEMAND_PERIODS:
        yield f"demand/periods: at most {MAX_DEMAND_PERIODS} are kept"
    for where, tiers in _all_tiers(document):
        bounds = [Decimal(t["max"]) for t in tiers if "max" in t]
        if any("max" not in t for t in tiers[:-1]) or "max" in tiers[-1] or bounds != sorted(set(bounds)):
            yield f"{where}: every tier but the last has a max, and they rise"
    shares_tiers = document.get("tier_rule", "per_period") != "per_period"
    if shares_tiers and len({tuple(t.get("max") for t in tiers) for tiers in (energy or {}).values()}) > 1:
        yield f"energy/periods: with tier_rule {document['tier_rule']} all periods have the same tier bounds"
    known = set(CHARGES)
    for i, tax in enumerate(document.get("taxes", ())):
        for base in sorted(set(tax["base"]) - known):
            yield f"taxes/{i}/base: {base!r} is none of {', '.join(sorted(known))}"
        known.add(tax["name"])


def _period_names(document: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        "energy/periods": list(document.get("energy", {}).get("periods", ())),
        "demand/periods": list(document.get("demand", {}).get("periods", ())),
        "export/prices": list(document.get("export", {}).get("prices", ())),
    }


def _all_tiers(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for kind in ("energy", "demand"):
        for period, tiers in document.get(kind, {}).get("periods", {}).items():
            yield f"{kind}/periods/{period}", tiers
    if flat := document.get("demand", {}).get("flat"):
        yield "demand/flat", flat


def _build(document: Mapping[str, Any]) -> Tariff:
    calendar = Calendar.read(document.get("calendar"), default=ALL_HOURS)
    periods = calendar.periods
    energy = document.get("energy", {"periods": {p: [{"price": "0"}] for p in periods}})
    demand = document.get("demand", {})
    tou_demand = demand.get("periods", {})
    export = document.get("export", {}).get("prices", {})
    return Tariff(
        tariff_id=document["tariff_id"],
        version=document["version"],
        currency=document["currency"],
        valid_from=date.fromisoformat(document["valid_from"]),
        valid_to=date.fromisoformat(document["valid_to"]) if document.get("valid_to") else None,
        tier_rule=document.get("tier_rule", "per_period"),
        tier_daily=energy.get("tier_unit", "kWh") == "kWh daily",
        calendar=calendar,
        periods=periods,
        energy=tuple(_tiers(energy["periods"][p]) for p in periods),
        demand_window_s=demand.get("window_s", 900),
        flat_demand=_tiers(demand.get("flat", ())),
        demand_periods={name: slot for slot, name in enumerate(tou_demand, start=1)},
        tou_demand=tuple(_tiers(tiers) for tiers in tou_demand.values()),
        fixed=tuple(FixedCharge(f["name"], scaled(Decimal(f["amount"])), f["per"]) for f in document.get("fixed", ())),
        export_e9=tuple(scaled(Decimal(export.get(p, export.get("*", "0")))) for p in periods),
        taxes=tuple(
            Tax(t["name"], scaled(Decimal(t["rate"]), RATE_SCALE), frozenset(t["base"]))
            for t in document.get("taxes", ())
        ),
    )


def _tiers(tiers: Any) -> tuple[Tier, ...]:
    return tuple(
        Tier(scaled(Decimal(t["price"])), scaled(Decimal(t["max"]), 1_000_000) if "max" in t else None) for t in tiers
    )
