"""OpenEI Utility Rate Database (URDB), version 8 of its JSON, into our tariff document.

What a URDB document says and ours cannot is refused by name. Prices are rounded to 9 decimals. A document has no time
zone and no currency; both are given. Fields: https://openei.org/services/doc/rest/util_rates/?version=8
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from flink_job.tariffs.model import TariffError

WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]
WEEKEND = ["sat", "sun"]
_UNITS = {"kwh": "kWh", "kwh daily": "kWh daily", "kwh/kw": "kWh/kW", "kwh/kw daily": "kWh/kW daily"}
#: 1 hp is 0.7457 kW; the others count as kW (kVA at a power factor of 1 is refused, see _demand_unit).
_RULES = {
    None: "net_metering",
    "Net Metering": "net_metering",
    "Net Billing Instantaneous": "net_billing",
    "Net Billing Hourly": "net_billing",
    "Buy All Sell All": "buy_all_sell_all",
}
#: A ratchet without a look-back range looks back over a year before.
_YEAR_BACK = 11
#: Fields that say how much is charged and that have no counterpart here.
_REFUSED = (
    "demandreactivepowercharge",
    "coincidentratestructure",
    "coincidentrateschedule",
    "coincidentratesched",
    "fixedchargeeaaddl",
)
_KINDS = ("energy", "demand")
#: Fields that are read, or that only describe.
_KNOWN = frozenset(
    [
        "annualmincharge",
        "demandattrs",
        "demandcomments",
        "demandratchetpercentage",
        "demandratestructure",
        "demandrateunit",
        "demandunits",
        "demandweekdayschedule",
        "demandweekendschedule",
        "demandwindow",
        "dgrules",
        "energyattrs",
        "energycomments",
        "energyratestructure",
        "energyweekdayschedule",
        "energyweekendschedule",
        "fixedchargefirstmeter",
        "fixedchargeunits",
        "fixedmonthlycharge",
        "flatdemandmonths",
        "flatdemandstructure",
        "flatdemandunit",
        "fueladjustmentsmonthly",
        "mincharge",
        "minchargeunits",
        "minmonthlycharge",
        "coincidentrateunit",
    ]
)
#: An unknown field so named may charge something.
_CHARGES = re.compile("charge|rate|price|credit|demand|energy|cost|fee|adjust")


def is_urdb(document: object) -> bool:
    """True for a URDB record, or a response that holds one in `items`."""
    return isinstance(document, dict) and (
        "items" in document or any(key in document for key in ("energyratestructure", "flatdemandstructure", "eiaid"))
    )


def from_urdb(document: Mapping[str, Any], timezone: str, currency: str, name: str = "URDB") -> dict[str, Any]:
    """Our tariff document. Raises TariffError that names every field which cannot be represented."""
    if "items" in document:
        items = document["items"]
        if len(items) != 1:
            raise TariffError(name, [f"items: {len(items)} records; give one"])
        document = items[0]
    document = {key.lower(): value for key, value in document.items()}
    try:
        if problems := list(_problems(document)):
            raise TariffError(name, problems)
        return _converted(document, timezone, currency)
    except (KeyError, TypeError, ArithmeticError) as error:
        raise TariffError(name, [f"this is no URDB record of version 8: {error!r}"]) from None


def _converted(document: Mapping[str, Any], timezone: str, currency: str) -> dict[str, Any]:
    return {
        **_identity(document, timezone, currency),
        "tier_rule": "chronological" if str(document.get("dgrules", "")).startswith("Net Billing") else "prorated",
        "calendar": _calendar(document, "energy"),
        "energy": _energy(document),
        **_optional("demand", _demand(document)),
        **_optional("fixed", _fixed(document)),
        **_optional("minimum", _minimum(document)),
        "export": _export(document),
    }


def _problems(document: Mapping[str, Any]) -> Iterator[str]:
    for field in _REFUSED:
        if _nonzero(document.get(field)):
            yield f"{field}: this charge cannot be represented"
    for field, value in document.items():
        if field not in _KNOWN | set(_REFUSED) and _CHARGES.search(field) and _charges(value):
            yield f"{field}: unknown, and it may charge something; remove it if it does not"
    if document.get("dgrules") not in _RULES:
        yield f"dgrules: {document['dgrules']!r} is none of {', '.join(r for r in _RULES if r)}"
    for kind in _KINDS:
        structure = f"{kind}ratestructure"
        if structure in document:
            yield from _schedule_problems(document, kind, len(document[structure]))
            yield from _tier_problems(structure, document[structure])
    if "energyratestructure" not in document and "flatdemandstructure" not in document:
        yield "energyratestructure: missing, and no flatdemandstructure either"
    if "flatdemandstructure" in document:
        yield from _tier_problems("flatdemandstructure", document["flatdemandstructure"])
        months = document.get("flatdemandmonths", [0] * 12)
        if len(months) != 12 or not all(0 <= m < len(document["flatdemandstructure"]) for m in months):
            yield "flatdemandmonths: twelve numbers of periods in flatdemandstructure are needed"
    units = {str(t.get("unit", "kWh")).lower() for tiers in document.get("energyratestructure", ()) for t in tiers}
    if unknown := sorted(units - set(_UNITS)):
        yield f"energyratestructure: unit {unknown[0]!r} is none of {', '.join(_UNITS.values())}"
    elif len(units) > 1:
        yield f"energyratestructure: tiers in different units: {', '.join(sorted(units))}"
    for field in ("demandrateunit", "flatdemandunit"):
        if str(document.get(field, "kW")).lower() not in ("kw", "kw daily"):
            yield f"{field}: {document[field]!r}; demand is measured in kW here"
    if len({str(document.get(f, "kW")).lower() for f in ("demandrateunit", "flatdemandunit") if _has(document, f)}) > 1:
        yield "demandrateunit, flatdemandunit: one is daily and the other is not"
    units_of = {"fixedchargefirstmeter": "fixedchargeunits", "mincharge": "minchargeunits"}
    for amount, unit in units_of.items():
        if _nonzero(document.get(amount)) and document.get(unit, "$/month") not in ("$/day", "$/month", "$/year"):
            yield f"{unit}: {document[unit]!r} is none of $/day, $/month, $/year"
    for field in ("startdate", "enddate"):
        try:
            _day(document.get(field))
        except (ValueError, OverflowError):
            yield f"{field}: {document[field]!r} is neither epoch seconds nor ISO 8601"
    if document.get("demandwindow", 15) not in (5, 10, 15, 30, 60):
        yield f"demandwindow: {document['demandwindow']} minutes; it is one of 5, 10, 15, 30, 60"


def _has(document: Mapping[str, Any], unit: str) -> bool:
    return bool(document.get("demandratestructure" if unit == "demandrateunit" else "flatdemandstructure"))


def _schedule_problems(document: Mapping[str, Any], kind: str, periods: int) -> Iterator[str]:
    for days in ("weekday", "weekend"):
        field = f"{kind}{days}schedule"
        rows = document.get(field)
        if rows is None:
            if periods > 1:
                yield f"{field}: missing, with {periods} periods in {kind}ratestructure"
        elif len(rows) != 12 or any(len(row) != 24 for row in rows):
            yield f"{field}: twelve months of 24 hours are needed"
        elif not all(0 <= p < periods for row in rows for p in row):
            yield f"{field}: a period that {kind}ratestructure lacks; it has 0 to {periods - 1}"


def _tier_problems(field: str, structure: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    for period, tiers in enumerate(structure):
        bounds = [_decimal(t["max"]) for t in tiers[:-1] if "max" in t]
        if len(bounds) < len(tiers) - 1 or bounds != sorted(set(bounds)):
            yield f"{field}/{period}: every tier but the last has a max, and they rise"
        if not all("rate" in tier or "adj" in tier or "sell" in tier for tier in tiers):
            yield f"{field}/{period}: a tier without a rate"


def _identity(document: Mapping[str, Any], timezone: str, currency: str) -> dict[str, Any]:
    name = str(document.get("name", "tariff"))
    label = str(document.get("label") or re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-"))[:64] or "tariff"
    start, end = _day(document.get("startdate")), _day(document.get("enddate"))
    return {
        "tariff_id": re.sub(r"[^A-Za-z0-9._-]+", "-", label),
        "version": start or "urdb",
        "name": f"{document['utility']}: {name}" if "utility" in document else name,
        "source": str(document.get("source") or document.get("uri") or "OpenEI Utility Rate Database"),
        "currency": currency,
        "timezone": timezone,
        "valid_from": start or "1900-01-01",
        **_optional("valid_to", end),
        **_optional("supersedes", document.get("supersedes")),
    }


def _calendar(document: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Months of one schedule are a season; a period is named after its number."""
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
        "tier_unit": _UNITS[unit],
        "periods": {_period(n): _tiers(tiers) for n, tiers in enumerate(structure) if n in used},
        **_optional("adjustment_by_month", [_text(a) for a in adjustments] if _nonzero(adjustments) else None),
    }


def _used(document: Mapping[str, Any], kind: str) -> set[int]:
    return {p for days in ("weekday", "weekend") for row in _schedule(document, f"{kind}{days}schedule") for p in row}


def _tiers(tiers: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Prices are rate + adj; a max on the last tier means nothing, for nothing is said of what lies beyond."""
    return [
        {
            "price": _text(_decimal(tier.get("rate", 0)) + _decimal(tier.get("adj", 0))),
            **({"max": _text(tier["max"])} if "max" in tier and tier is not tiers[-1] else {}),
            **({"sell": _text(tier["sell"])} if _nonzero(tier.get("sell")) else {}),
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
        **_optional("ratchet", _ratchet(document, demand)),
    }


def _ratchet(document: Mapping[str, Any], demand: Mapping[str, Any]) -> dict[str, Any] | None:
    """`lookbackpercent` over the range of months before; or the older `demandratchetpercentage` of one share."""
    share = _decimal(document.get("lookbackpercent", 0))
    months = [m for m, counts in enumerate(document.get("lookbackmonths", ()), start=1) if counts]
    if not share:
        shares = {_decimal(s) for s in document.get("demandratchetpercentage", ())} - {Decimal(0)}
        if not shares:
            return None
        if len(shares) > 1:
            raise TariffError("URDB", ["demandratchetpercentage: different shares by month cannot be represented"])
        share = shares.pop()
    return {
        "share": _text(share / 100 if share > 1 else share),
        "months_back": int(document.get("lookbackrange") or _YEAR_BACK),
        **_optional("months", months),
        "applies_to": ["flat", *demand.get("periods", {})],
    }


def _fixed(document: Mapping[str, Any]) -> list[dict[str, str]]:
    charges = [
        ("fixedchargefirstmeter", str(document.get("fixedchargeunits", "$/month")).removeprefix("$/")),
        ("fixedmonthlycharge", "month"),
    ]
    return [{"name": f, "amount": _text(document[f]), "per": per} for f, per in charges if _nonzero(document.get(f))]


def _minimum(document: Mapping[str, Any]) -> list[dict[str, str]]:
    charges = [
        ("mincharge", str(document.get("minchargeunits", "$/month")).removeprefix("$/")),
        ("minmonthlycharge", "month"),
        ("annualmincharge", "year"),
    ]
    return [{"amount": _text(document[f]), "per": per} for f, per in charges if _nonzero(document.get(f))]


def _export(document: Mapping[str, Any]) -> dict[str, Any]:
    rule = _RULES[document.get("dgrules")]
    return {"rule": rule, **({"carry_over": True} if document.get("dgrules") == "Net Billing Hourly" else {})}


def _optional(key: str, value: Any) -> dict[str, Any]:
    return {key: value} if value else {}


def _nonzero(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_nonzero(v) for v in value)
    if isinstance(value, dict):
        return any(_nonzero(value.get(key)) for key in ("rate", "adj"))
    return value not in (None, "", 0)


def _charges(value: Any) -> bool:
    """True for what may hold amounts: no text."""
    return isinstance(value, int | float | Decimal | list | dict) and not isinstance(value, bool) and _nonzero(value)


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value))


def _text(value: Any) -> str:
    """A decimal string of at most 9 decimals, without an exponent."""
    rounded = _decimal(value).quantize(Decimal("1e-9"), ROUND_HALF_EVEN).normalize()
    return f"{rounded:f}"


def _day(value: Any) -> str | None:
    """A date from epoch seconds, as the interface answers, or from ISO 8601, as exports have it."""
    if value in (None, ""):
        return None
    text = str(value)
    if text.lstrip("-").isdecimal():
        return datetime.fromtimestamp(int(text), UTC).date().isoformat()
    return datetime.fromisoformat(text).date().isoformat()
