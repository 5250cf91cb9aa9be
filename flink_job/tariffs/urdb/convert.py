"""Fields of a URDB record to those of our document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from flink_job.tariffs.model import TariffError
from flink_job.tariffs.urdb.values import day, decimal, nonzero, optional, text

WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]
WEEKEND = ["sat", "sun"]
UNITS = {"kwh": "kWh", "kwh daily": "kWh daily", "kwh/kw": "kWh/kW", "kwh/kw daily": "kWh/kW daily"}
RULES = {
    None: "net_metering",
    "Net Metering": "net_metering",
    "Net Billing Instantaneous": "net_billing",
    "Net Billing Hourly": "net_billing",
    "Buy All Sell All": "buy_all_sell_all",
}
#: Look-back of a ratchet without a range: a year.
_YEAR_BACK = 11


def converted(document: Mapping[str, Any], timezone: str, currency: str) -> dict[str, Any]:
    return {
        **_identity(document, timezone, currency),
        "tier_rule": "chronological" if str(document.get("dgrules", "")).startswith("Net Billing") else "prorated",
        "calendar": _calendar(document, "energy"),
        "energy": _energy(document),
        **optional("demand", _demand(document)),
        **optional("fixed", _fixed(document)),
        **optional("minimum", _minimum(document)),
        "export": _export(document),
    }


def _identity(document: Mapping[str, Any], timezone: str, currency: str) -> dict[str, Any]:
    name = str(document.get("name", "tariff"))
    label = str(document.get("label") or re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-"))[:64] or "tariff"
    start, end = day(document.get("startdate")), day(document.get("enddate"))
    return {
        "tariff_id": re.sub(r"[^A-Za-z0-9._-]+", "-", label),
        "version": start or "urdb",
        "name": f"{document['utility']}: {name}" if "utility" in document else name,
        "source": str(document.get("source") or document.get("uri") or "OpenEI Utility Rate Database"),
        "currency": currency,
        "timezone": timezone,
        "valid_from": start or "1900-01-01",
        **optional("valid_to", end),
        **optional("supersedes", document.get("supersedes")),
    }


def _calendar(document: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Convert schedules to a calendar: months with equal schedules are a season, a period is named by its number."""
    weekday, weekend = (_schedule(document, f"{kind}{days}schedule") for days in ("weekday", "weekend"))
    seasons: dict[str, list[int]] = {}
    for month in range(12):
        seasons.setdefault(json.dumps([weekday[month], weekend[month]]), []).append(month)
    days: list[dict[str, Any]] = []
    ranges: dict[str, list[str]] = {}
    for number, months in enumerate(seasons.values()):
        season = f"season-{number}"
        ranges[season] = [f"{m + 1:02d}-01/{m + 1:02d}-{_month_end(m):02d}" for m in months]
        for on, schedule in ((WEEKDAYS, weekday), (WEEKEND, weekend)):
            days.append({"season": season, "on": on, "bands": _bands(schedule[months[0]])})
    return {"seasons": ranges, "days": days}


def _schedule(document: Mapping[str, Any], field: str) -> list[list[int]]:
    rows = document.get(field) or [[0] * 24] * 12
    return [[int(period) for period in row] for row in rows]


def _bands(hours: Sequence[int]) -> list[dict[str, str]]:
    changes = [h for h in range(24) if h == 0 or hours[h] != hours[h - 1]]
    return [{"from": f"{h:02d}:00", "period": _period(hours[h])} for h in changes]


def _period(number: int) -> str:
    return f"period-{number}"


def _month_end(month: int) -> int:
    return (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month]


def _energy(document: Mapping[str, Any]) -> dict[str, Any]:
    structure = document.get("energyratestructure", [[{"rate": 0}]])
    used = _used(document, "energy")
    unit = next((str(t["unit"]).lower() for tiers in structure for t in tiers if "unit" in t), "kwh")
    adjustments = document.get("fueladjustmentsmonthly", ())
    return {
        "tier_unit": UNITS[unit],
        "periods": {_period(n): _tiers(tiers) for n, tiers in enumerate(structure) if n in used},
        **optional("adjustment_by_month", [text(a) for a in adjustments] if nonzero(adjustments) else None),
    }


def _used(document: Mapping[str, Any], kind: str) -> set[int]:
    return {p for days in ("weekday", "weekend") for row in _schedule(document, f"{kind}{days}schedule") for p in row}


def _tiers(tiers: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Convert tiers: the price is rate + adj. A max of the last tier is ignored, because no price follows it."""
    return [
        {
            "price": text(decimal(tier.get("rate", 0)) + decimal(tier.get("adj", 0))),
            **({"max": text(tier["max"])} if "max" in tier and tier is not tiers[-1] else {}),
            **({"sell": text(tier["sell"])} if nonzero(tier.get("sell")) else {}),
        }
        for tier in tiers
    ]


def _demand(document: Mapping[str, Any]) -> dict[str, Any]:
    demand: dict[str, Any] = {}
    if structure := document.get("flatdemandstructure"):
        months = document.get("flatdemandmonths", [0] * 12)
        if len(set(months)) == 1:
            demand["flat"] = _tiers(structure[months[0]])
        else:
            demand["flat_by_month"] = [_tiers(structure[m]) for m in months]
    if structure := document.get("demandratestructure"):
        used = _used(document, "demand")
        calendar = _calendar(document, "demand")
        if calendar != _calendar(document, "energy"):
            demand["calendar"] = calendar
        demand["periods"] = {_period(n): _tiers(tiers) for n, tiers in enumerate(structure) if n in used}
    if not demand:
        return {}
    unit = document.get("flatdemandunit" if "flatdemandstructure" in document else "demandrateunit", "kW")
    if str(unit).lower().endswith("daily"):
        demand["daily"] = True
    return {
        "window_s": int(document.get("demandwindow", 15)) * 60,
        **demand,
        **optional("ratchet", _ratchet(document, demand)),
    }


def _ratchet(document: Mapping[str, Any], demand: Mapping[str, Any]) -> dict[str, Any] | None:
    """Convert the ratchet: `lookbackpercent` over a range of months, or the older `demandratchetpercentage`."""
    share = decimal(document.get("lookbackpercent", 0))
    months = [m for m, counts in enumerate(document.get("lookbackmonths", ()), start=1) if counts]
    if not share:
        shares = {decimal(s) for s in document.get("demandratchetpercentage", ())} - {Decimal(0)}
        if not shares:
            return None
        if len(shares) > 1:
            raise TariffError("URDB", ["demandratchetpercentage: different shares by month cannot be represented"])
        share = shares.pop()
    return {
        "share": text(share / 100 if share > 1 else share),
        "months_back": int(document.get("lookbackrange") or _YEAR_BACK),
        **optional("months", months),
        "applies_to": ["flat", *demand.get("periods", {})],
    }


def _fixed(document: Mapping[str, Any]) -> list[dict[str, str]]:
    charges = [
        ("fixedchargefirstmeter", str(document.get("fixedchargeunits", "$/month")).removeprefix("$/")),
        ("fixedmonthlycharge", "month"),
    ]
    return [{"name": f, "amount": text(document[f]), "per": per} for f, per in charges if nonzero(document.get(f))]


def _minimum(document: Mapping[str, Any]) -> list[dict[str, str]]:
    charges = [
        ("mincharge", str(document.get("minchargeunits", "$/month")).removeprefix("$/")),
        ("minmonthlycharge", "month"),
        ("annualmincharge", "year"),
    ]
    return [{"amount": text(document[f]), "per": per} for f, per in charges if nonzero(document.get(f))]


def _export(document: Mapping[str, Any]) -> dict[str, Any]:
    rule = RULES[document.get("dgrules")]
    return {"rule": rule, **({"carry_over": True} if document.get("dgrules") == "Net Billing Hourly" else {})}
