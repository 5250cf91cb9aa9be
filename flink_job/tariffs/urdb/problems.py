"""Faults of a URDB record: fields that cannot be represented as a tariff document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flink_job.tariffs.urdb.convert import RULES, UNITS
from flink_job.tariffs.urdb.values import charges, day, decimal, nonzero

#: Fields of charges that tariff documents do not support.
_REFUSED = (
    "demandreactivepowercharge",
    "coincidentratestructure",
    "coincidentrateschedule",
    "coincidentratesched",
    "fixedchargeeaaddl",
)
_KINDS = ("energy", "demand")
#: Fields that are converted, or that are only descriptive.
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
#: Names of unknown fields that may contain a charge.
_CHARGES = re.compile("charge|rate|price|credit|demand|energy|cost|fee|adjust")


def problems(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the faults of a record, each with the name of its field."""
    for field in _REFUSED:
        if nonzero(document.get(field)):
            yield f"{field}: this charge cannot be represented"
    for field, value in document.items():
        if field not in _KNOWN | set(_REFUSED) and _CHARGES.search(field) and charges(value):
            yield f"{field}: unknown field that may contain a charge; remove it if it does not"
    if document.get("dgrules") not in RULES:
        yield f"dgrules: {document['dgrules']!r} is not one of {', '.join(r for r in RULES if r)}"
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
            yield "flatdemandmonths: twelve indices of periods in flatdemandstructure are required"
    units = {str(t.get("unit", "kWh")).lower() for tiers in document.get("energyratestructure", ()) for t in tiers}
    if unknown := sorted(units - set(UNITS)):
        yield f"energyratestructure: unit {unknown[0]!r} is not one of {', '.join(UNITS.values())}"
    elif len(units) > 1:
        yield f"energyratestructure: tiers in different units: {', '.join(sorted(units))}"
    for field in ("demandrateunit", "flatdemandunit"):
        if str(document.get(field, "kW")).lower() not in ("kw", "kw daily"):
            yield f"{field}: {document[field]!r}; demand must be in kW"
    if len({str(document.get(f, "kW")).lower() for f in ("demandrateunit", "flatdemandunit") if _has(document, f)}) > 1:
        yield "demandrateunit, flatdemandunit: both must be daily or neither"
    units_of = {"fixedchargefirstmeter": "fixedchargeunits", "mincharge": "minchargeunits"}
    for amount, unit in units_of.items():
        if nonzero(document.get(amount)) and document.get(unit, "$/month") not in ("$/day", "$/month", "$/year"):
            yield f"{unit}: {document[unit]!r} is not one of $/day, $/month, $/year"
    for field in ("startdate", "enddate"):
        try:
            day(document.get(field))
        except (ValueError, OverflowError):
            yield f"{field}: {document[field]!r} is neither epoch seconds nor ISO 8601"
    if document.get("demandwindow", 15) not in (5, 10, 15, 30, 60):
        yield f"demandwindow: {document['demandwindow']} minutes; it must be one of 5, 10, 15, 30, 60"


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
            yield f"{field}: twelve months of 24 hours are required"
        elif not all(0 <= p < periods for row in rows for p in row):
            yield f"{field}: a period is not in {kind}ratestructure, which has 0 to {periods - 1}"


def _tier_problems(field: str, structure: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    for period, tiers in enumerate(structure):
        bounds = [decimal(t["max"]) for t in tiers[:-1] if "max" in t]
        if len(bounds) < len(tiers) - 1 or bounds != sorted(set(bounds)):
            yield f"{field}/{period}: every tier except the last needs a max, in ascending order"
        if not all("rate" in tier or "adj" in tier or "sell" in tier for tier in tiers):
            yield f"{field}/{period}: a tier without a rate"
