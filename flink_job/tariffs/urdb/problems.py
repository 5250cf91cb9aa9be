"""Faults of a URDB record: fields that cannot be represented as a tariff document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flink_job.tariffs.urdb.attributes import attribute_problems, way_out
from flink_job.tariffs.urdb.convert import RULES
from flink_job.tariffs.urdb.tiers import KW_PER_UNIT, UNITS
from flink_job.tariffs.urdb.values import charges, day, decimal, nonzero

#: Fields of charges that tariff documents do not support.
_REFUSED = (
    "demandreactivepowercharge",
    "coincidentratestructure",
    "fixedchargeeaaddl",
)
_KINDS = ("energy", "demand")
#: Names of the fixed charge, that of older records first.
_FIXED = ("fixedmonthlycharge", "fixedchargefirstmeter")
#: Charges by the field of their unit.
_DEMAND_OF = {"demandrateunit": "demandratestructure", "flatdemandunit": "flatdemandstructure"}
#: Endings of the names of fields that charge nothing by themselves: schedules, names of periods, and texts.
#: Fields that end in "attrs" have checks of their own.
_HARMLESS = ("schedule", "sched", "labels", "comments", "attrs")
#: Fields that are converted, or that are only descriptive.
_KNOWN = frozenset(
    [
        "annualmincharge",
        "demandratchetpercentage",
        "demandratestructure",
        "demandrateunit",
        "demandunits",
        "demandwindow",
        "dgrules",
        "energyratestructure",
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
    """Yield the faults of a record, each with the name of its field, and how to import the rest if that is possible."""
    yield from _unknown_charges(document)
    if document.get("dgrules") not in RULES:
        known = ", ".join(r for r in RULES if r)
        yield f"dgrules: {document['dgrules']!r} is not one of {known}{way_out('dgrules')}"
    for kind in _KINDS:
        structure = f"{kind}ratestructure"
        if document.get(structure):
            yield from _schedule_problems(document, kind, len(document[structure]))
            yield from _tier_problems(structure, document[structure])
    structures = ("energyratestructure", "flatdemandstructure", "demandratestructure")
    if not any(document.get(f) for f in structures) and not any(nonzero(document.get(f)) for f in _FIXED):
        yield "energyratestructure: missing, and so is any other charge"
    if document.get("flatdemandstructure"):
        yield from _tier_problems("flatdemandstructure", document["flatdemandstructure"])
        months = document.get("flatdemandmonths", [0] * 12)
        if len(months) != 12 or not all(0 <= m < len(document["flatdemandstructure"]) for m in months):
            yield "flatdemandmonths: twelve indices of periods in flatdemandstructure are required"
    yield from _unit_problems(document)
    yield from _fixed_problems(document)
    yield from _sell_problems(document)
    yield from _date_problems(document)
    yield from attribute_problems(document)
    if document.get("demandwindow", 15) not in (5, 10, 15, 30, 60):
        yield f"demandwindow: {document['demandwindow']} minutes; it must be one of 5, 10, 15, 30, 60"


def _unknown_charges(document: Mapping[str, Any]) -> Iterator[str]:
    for field in _REFUSED:
        if nonzero(document.get(field)):
            yield f"{field}: this charge cannot be represented{way_out(field)}"
    for field, value in document.items():
        if field.endswith(_HARMLESS) or field in _KNOWN | set(_REFUSED):
            continue
        if _CHARGES.search(field) and charges(value):
            yield f"{field}: unknown field that may contain a charge{way_out(field)}"


def _unit_problems(document: Mapping[str, Any]) -> Iterator[str]:
    units = {str(t.get("unit", "kWh")).lower() for tiers in document.get("energyratestructure") or () for t in tiers}
    if unknown := sorted(units - set(UNITS)):
        yield f"energyratestructure: unit {unknown[0]!r} is not one of {', '.join(UNITS.values())}"
    elif len(units) > 1:
        yield f"energyratestructure: tiers in different units: {', '.join(sorted(units))}"
    of_demand = {f: str(document.get(f) or "kW").lower() for f in _DEMAND_OF if nonzero(document.get(_DEMAND_OF[f]))}
    for field, unit in of_demand.items():
        if unit.removesuffix(" daily") not in KW_PER_UNIT:
            yield f"{field}: {document[field]!r}; demand must be in kW or hp{way_out(_DEMAND_OF[field])}"
    if len({unit.endswith("daily") for unit in of_demand.values()}) > 1:
        yield "demandrateunit, flatdemandunit: both must be daily or neither"


def _fixed_problems(document: Mapping[str, Any]) -> Iterator[str]:
    units_of = {"fixedchargefirstmeter": "fixedchargeunits", "mincharge": "minchargeunits"}
    for amount, unit in units_of.items():
        if nonzero(document.get(amount)) and document.get(unit, "$/month") not in ("$/day", "$/month", "$/year"):
            yield f"{unit}: {document[unit]!r} is not one of $/day, $/month, $/year{way_out(amount)}"
    amounts = [decimal(document[f]) for f in _FIXED if nonzero(document.get(f))]
    if len(amounts) > 1 and (len(set(amounts)) > 1 or document.get("fixedchargeunits", "$/month") != "$/month"):
        yield f"{', '.join(_FIXED)}: two names of one charge with different amounts{way_out(_FIXED[0])}"


def _sell_problems(document: Mapping[str, Any]) -> Iterator[str]:
    """A record without `dgrules` has no rule for tiers of sell prices."""
    if document.get("dgrules") is not None:
        return
    for period, tiers in enumerate(document.get("energyratestructure") or ()):
        if len({decimal(tier.get("sell") or 0) for tier in tiers}) > 1:
            yield (
                f"energyratestructure/{period}: tiers with different sell prices, and no dgrules that state how energy "
                "is sold; import it with --no-export"
            )


def _date_problems(document: Mapping[str, Any]) -> Iterator[str]:
    days = []
    for field in ("startdate", "enddate"):
        try:
            days.append(day(document.get(field)))
        except (ValueError, OverflowError, OSError):
            yield f"{field}: {document[field]!r} is neither epoch seconds nor ISO 8601{way_out(field)}"
    start, end = days if len(days) == 2 else (None, None)
    if start is not None and end is not None and end < start:
        yield f"enddate: {end} is before startdate, {start}{way_out('enddate')}"


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
            yield f"{field}/{period}: a tier without a rate{way_out(field)}"
