"""Demand charges of a URDB record: flat and TOU demand, and the ratchet."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flink_job.tariffs.model import TariffError
from flink_job.tariffs.urdb.schedules import calendar_of, period_name, used_periods
from flink_job.tariffs.urdb.tiers import KW_PER_UNIT, tiers_of
from flink_job.tariffs.urdb.values import decimal, nonzero, optional, text

#: Look-back of a ratchet without a range: a year.
_YEAR_BACK = 11


def demand_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Convert flat and TOU demand charges. A period without a price is left out, and so is a charge without one."""
    demand = {**_flat_demand(document), **_tou_demand(document)}
    window = {"window_s": int(document.get("demandwindow", 15)) * 60}
    if not demand:
        return window if "demandwindow" in document else {}
    unit = _unit(document, "flatdemandunit" if document.get("flatdemandstructure") else "demandrateunit")
    if unit.endswith("daily"):
        demand["daily"] = True
    return {**window, **demand, **optional("ratchet", _ratchet(document, demand))}


def _flat_demand(document: Mapping[str, Any]) -> dict[str, Any]:
    structure = document.get("flatdemandstructure")
    # A ratchet may raise the billed demand that tiers per kW are multiplied by, also at a price of 0.
    if not structure or not (nonzero(structure) or _ratchets(document)):
        return {}
    kw = KW_PER_UNIT[_unit(document, "flatdemandunit").split()[0]]
    by_period = [tiers_of(tiers, kw) for tiers in structure]
    by_month = [by_period[month] for month in document.get("flatdemandmonths", [0] * 12)]
    if all(month == by_month[0] for month in by_month):
        return {"flat": by_month[0]}
    return {"flat_by_month": by_month}


def _tou_demand(document: Mapping[str, Any]) -> dict[str, Any]:
    used = used_periods(document, "demand")
    structure = document.get("demandratestructure") or ()
    priced = [n for n, tiers in enumerate(structure) if n in used and nonzero(tiers)]
    if not priced:
        return {}
    kw = KW_PER_UNIT[_unit(document, "demandrateunit").split()[0]]
    calendar = calendar_of(document, "demand")
    return {
        **optional("calendar", calendar if calendar != calendar_of(document, "energy") else None),
        "periods": {period_name(n): tiers_of(structure[n], kw) for n in priced},
    }


def _ratchets(document: Mapping[str, Any]) -> bool:
    return any(nonzero(document.get(field)) for field in ("lookbackpercent", "demandratchetpercentage"))


def _unit(document: Mapping[str, Any], field: str) -> str:
    return str(document.get(field) or "kW").lower()


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
