"""Consistency checks of a tariff document beyond JSON Schema: names that must match, tiers that must be ascending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flink_job.tariffs.bill_lines import CHARGES
from flink_job.tariffs.model import ALL_HOURS, EACH_DAY


def inconsistencies(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the faults of a document, each with its place."""
    used = _used(document.get("calendar"))
    energy = document.get("energy", {}).get("periods")
    if energy is not None:
        for missing in sorted(used - set(energy)):
            yield f"energy/periods: no price for period {missing!r} of the calendar"
    for where, names, known in _period_names(document, used):
        for extra in sorted(set(names) - known):
            yield f"{where}: period {extra!r} is not in the calendar; it has {', '.join(sorted(known))}"
    for where, tiers in _all_tiers(document):
        bounds = [Decimal(t["max"]) for t in tiers if "max" in t]
        if any("max" not in t for t in tiers[:-1]) or "max" in tiers[-1] or bounds != sorted(set(bounds)):
            yield f"{where}: every tier except the last needs a max, in ascending order"
    yield from _validity("", document)
    yield from _taxes(document)
    reactive, export = document.get("reactive", {}), document.get("export", {})
    if reactive.get("over") == "interval" and export.get("rule") in ("net_metering", "net_billing"):
        yield "reactive/over: not by interval where exports are netted; give period or periods"
    yield from _net_metering(document)
    yield from _low_use(document)
    if document.get("energy", {}).get("tier_unit") == EACH_DAY:
        if document.get("tier_rule", "per_period") != "per_period":
            yield f"energy/tier_unit: {EACH_DAY!r} is for tier_rule per_period: periods fill their own tiers"
        if document.get("export", {}).get("rule") == "net_metering":
            yield f"energy/tier_unit: {EACH_DAY!r} is not for net_metering, which nets over the cycle"
    if "interval_s" in reactive and reactive.get("over") != "interval":
        yield "reactive/interval_s: only with `over` interval"
    if "cap" in document and document.get("tier_rule") == "chronological":
        yield "cap: not with chronological tiers, whose prices depend on the order of readings"
    yield from _demand(document.get("demand", {}))
    contracted = document.get("contracted_power", {})
    if "minimum_share" in document.get("demand", {}) and not contracted:
        yield "demand/minimum_share: the tariff has no contracted_power; add it, at a price of 0 if it costs nothing"
    if "excess" in contracted:
        for period in sorted(set(contracted["excess"]["prices"]) ^ set(contracted["periods"])):
            yield f"contracted_power/excess/prices: {period!r} must be in both periods and excess/prices"
    try:
        ZoneInfo(document.get("timezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield f"timezone: {document['timezone']!r} is not an IANA time zone"


def _used(calendar: Any) -> set[str]:
    return {band["period"] for day in (calendar or {}).get("days", ()) for band in day["bands"]} or {ALL_HOURS}


def _period_names(document: Mapping[str, Any], used: set[str]) -> Iterator[tuple[str, Any, set[str]]]:
    """Yield (place, period names used there, period names that exist)."""
    demand, contracted = document.get("demand", {}), document.get("contracted_power", {})
    reactive = document.get("reactive", {})
    in_demand = _used(demand["calendar"]) if "calendar" in demand else used
    in_contracted = _used(contracted["calendar"]) if "calendar" in contracted else used
    yield "energy/periods", document.get("energy", {}).get("periods", ()), used
    yield "demand/periods", demand.get("periods", ()), in_demand
    yield "demand/ratchet/applies_to", demand.get("ratchet", {}).get("applies_to", ()), in_demand | {"flat"}
    yield "contracted_power/periods", contracted.get("periods", ()), in_contracted
    yield "contracted_power/kw", contracted.get("kw", ()), in_contracted
    yield "reactive/periods", reactive.get("periods", ()), used
    yield "reactive/capacitive/periods", reactive.get("capacitive", {}).get("periods", ()), used
    yield "export/prices", document.get("export", {}).get("prices", ()), used | {"*"}


def _all_tiers(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for kind in ("energy", "demand"):
        for period, tiers in document.get(kind, {}).get("periods", {}).items():
            yield f"{kind}/periods/{period}", tiers
    demand, low = document.get("demand", {}), document.get("low_use", {})
    for place, of_periods in (("energy", low.get("energy", {})), ("demand", low.get("demand", {}).get("periods", {}))):
        for period, tiers in of_periods.items():
            yield f"low_use/{place}/{period}", tiers
    if flat := low.get("demand", {}).get("flat"):
        yield "low_use/demand/flat", flat
    if flat := demand.get("flat"):
        yield "demand/flat", flat
    for month, tiers in enumerate(demand.get("flat_by_month", ()), start=1):
        yield f"demand/flat_by_month/{month}", tiers


def _demand(demand: Mapping[str, Any]) -> Iterator[str]:
    if "flat" in demand and "flat_by_month" in demand:
        yield "demand: give flat or flat_by_month, not both"
    if demand.get("daily") and "highest_days" in demand:
        yield "demand: give daily or highest_days, not both"
    yield from _statistic(demand)
    bounds = [Decimal(step["max"]) for step in demand.get("steps", ()) if "max" in step]
    if "steps" in demand and (len(bounds) != len(demand["steps"]) - 1 or bounds != sorted(set(bounds))):
        yield "demand/steps: every step except the last needs a max, in ascending order"
    slide = demand.get("slide_s", 0)
    if slide and demand.get("window_s", 900) % slide:
        yield f"demand/slide_s: {slide} does not divide the window of {demand.get('window_s', 900)} s"


def _statistic(demand: Mapping[str, Any]) -> Iterator[str]:
    rule = demand.get("statistic")
    for other in ("ratchet", "daily") if rule is not None else ():
        if demand.get(other):
            yield f"demand: give statistic or {other}, not both"
    if demand.get("daily") and "steps" in demand:
        yield "demand: give daily or steps, not both"
    if rule is not None and ("cycles" in rule) == ("year_from" in rule):
        yield "demand/statistic: give either cycles or year_from"
    if rule is not None and rule.get("arrears") and not (rule["take"] == "highest" and "year_from" in rule):
        yield "demand/statistic/arrears: only for the highest peak of a year (take highest, year_from)"


def _low_use(document: Mapping[str, Any]) -> Iterator[str]:
    low, demand = document.get("low_use"), document.get("demand", {})
    if low is None:
        return
    pairs = (
        ("energy", low["energy"], document.get("energy", {}).get("periods", {})),
        (
            "demand/periods",
            low.get("demand", {}).get("periods", {}),
            demand.get("periods", {}),
        ),
    )
    for place, own, others in pairs:
        for period in sorted(set(own) ^ set(others)):
            yield f"low_use/{place}: {period!r} must be in both {place} and low_use/{place}"
    if ("flat" in low.get("demand", {})) != ("flat" in demand):
        yield "low_use/demand/flat: give flat demand in both demand and low_use/demand, or in neither"
    excluded = {
        "demand/statistic": "statistic" in demand,
        "demand/ratchet": "ratchet" in demand,
        "demand/daily": demand.get("daily"),
        "demand/flat_by_month": "flat_by_month" in demand,
        "chronological tiers": document.get("tier_rule") == "chronological",
        "tiers per kW": "kW" in document.get("energy", {}).get("tier_unit", "").partition("/")[2],
        "net metering": document.get("export", {}).get("rule") == "net_metering",
        "credit carried over": document.get("export", {}).get("carry_over"),
    }
    for name in (name for name, present in excluded.items() if present):
        yield f"low_use: not with {name}"


def _net_metering(document: Mapping[str, Any]) -> Iterator[str]:
    export, energy = document.get("export", {}), document.get("energy", {})
    for field in ("across_periods", "balance"):
        if export.get(field) and export.get("rule") != "net_metering":
            yield f"export/{field}: only for net_metering"
    if export.get("balance") == "year":
        if any(len(tiers) > 1 for tiers in energy.get("periods", {}).values()):
            yield "export/balance: not the year's with tiers, which are of a cycle"
        if "adjustment_by_month" in energy:
            yield "export/balance: not the year's with adjustment_by_month"


def _validity(place: str, document: Mapping[str, Any]) -> Iterator[str]:
    """A validity of no day would never apply. Dates are ISO 8601, so their order is that of their text."""
    first, end = document.get("valid_from"), document.get("valid_to")
    if first is not None and end is not None and end <= first:
        yield f"{place}valid_to: {end} is not after valid_from, {first}; it is the first day no longer covered"


def _taxes(document: Mapping[str, Any]) -> Iterator[str]:
    known = set(CHARGES)
    for i, tax in enumerate(document.get("taxes", ())):
        yield from _validity(f"taxes/{i}/", tax)
        bounds = [Decimal(band["max"]) for band in tax.get("bands", ()) if "max" in band]
        if "bands" in tax and (len(bounds) != len(tax["bands"]) - 1 or bounds != sorted(set(bounds))):
            yield f"taxes/{i}/bands: every band except the last needs a max, in ascending order"
        if "bands_of" in tax and "bands" not in tax:
            yield f"taxes/{i}/bands_of: the tax has no bands"
        if "base" not in tax and any("rate" in band for band in tax.get("bands", ())):
            yield f"taxes/{i}/bands: a band with a rate needs a base"
        for base in sorted(set(tax.get("base", ())) - known):
            yield f"taxes/{i}/base: {base!r} is unknown; known: {', '.join(sorted(known))}"
        known.add(tax["name"])
    for i, charge in enumerate(document.get("fixed", ())):
        for name in sorted(set(charge.get("exempt_from", ())) - {tax["name"] for tax in document.get("taxes", ())}):
            yield f"fixed/{i}/exempt_from: there is no tax {name!r}"
