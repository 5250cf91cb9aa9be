"""Fields of a URDB record to those of our document."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flink_job.tariffs.urdb.demand import demand_of
from flink_job.tariffs.urdb.schedules import calendar_of, period_name, used_periods
from flink_job.tariffs.urdb.tiers import UNITS, sell_price, tiers_of
from flink_job.tariffs.urdb.values import day, nonzero, optional, text

#: Export rules by `dgrules`. A record without one does not mention exported energy: only a `sell` price credits it.
RULES = {
    None: "priced",
    "Net Metering": "net_metering",
    "Net Billing Instantaneous": "net_billing",
    "Net Billing Hourly": "net_billing",
    "Buy All Sell All": "buy_all_sell_all",
}
#: Length of a tariff_id, and of the digest that keeps longer names apart.
_MAX_ID, _DIGEST = 64, 8


def converted(
    document: Mapping[str, Any], timezone: str, currency: str, fallback: str, source_note: str
) -> dict[str, Any]:
    """Convert a record without faults. `fallback` identifies a record that has neither label nor name."""
    return {
        **_identity(document, timezone, currency, fallback, source_note),
        "tier_rule": "chronological" if str(document.get("dgrules", "")).startswith("Net Billing") else "prorated",
        "calendar": calendar_of(document, "energy"),
        "energy": _energy(document),
        **optional("demand", demand_of(document)),
        **optional("fixed", _fixed(document)),
        **optional("minimum", _minimum(document)),
        "export": _export(document),
    }


def _identity(
    document: Mapping[str, Any], timezone: str, currency: str, fallback: str, source_note: str
) -> dict[str, Any]:
    name = str(document.get("name") or fallback)
    titled = f"{document['utility']}: {name}" if document.get("utility") else name
    start, end = day(document.get("startdate")), day(document.get("enddate"))
    source = str(document.get("source") or document.get("uri") or "OpenEI Utility Rate Database")
    return {
        "tariff_id": _tariff_id(str(document.get("label") or titled)),
        "version": start.isoformat() if start else "urdb",
        "name": titled,
        "source": source + source_note,
        "currency": currency,
        "timezone": timezone,
        "valid_from": start.isoformat() if start else "1900-01-01",
        # enddate is the last day in force, valid_to the first one that is not.
        **optional("valid_to", (end + timedelta(days=1)).isoformat() if end else None),
        **optional("supersedes", document.get("supersedes")),
    }


def _tariff_id(name: str) -> str:
    """Return a name as an identifier; longer names end with a digest, so that they stay apart."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-") or "tariff"
    if len(slug) <= _MAX_ID:
        return slug
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{slug[: _MAX_ID - _DIGEST - 1]}-{digest}"


def _energy(document: Mapping[str, Any]) -> dict[str, Any]:
    structure = document.get("energyratestructure") or [[{"rate": 0}]]
    used = used_periods(document, "energy")
    unit = next((str(t["unit"]).lower() for tiers in structure for t in tiers if "unit" in t), "kwh")
    adjustments = document.get("fueladjustmentsmonthly", ())
    sells = document.get("dgrules") is not None
    return {
        "tier_unit": UNITS[unit],
        "periods": {period_name(n): tiers_of(tiers, sells=sells) for n, tiers in enumerate(structure) if n in used},
        **optional("adjustment_by_month", [text(a) for a in adjustments] if nonzero(adjustments) else None),
    }


def _fixed(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Convert the fixed charge; `fixedmonthlycharge` is its name in older records, some of which have both."""
    per = str(document.get("fixedchargeunits", "$/month")).removeprefix("$/")
    charges = {"fixedmonthlycharge": "month", "fixedchargefirstmeter": per}
    found = [{"name": f, "amount": text(document[f]), "per": p} for f, p in charges.items() if nonzero(document.get(f))]
    return found[-1:]


def _minimum(document: Mapping[str, Any]) -> list[dict[str, str]]:
    charges = [
        ("mincharge", str(document.get("minchargeunits", "$/month")).removeprefix("$/")),
        ("minmonthlycharge", "month"),
        ("annualmincharge", "year"),
    ]
    return [{"amount": text(document[f]), "per": per} for f, per in charges if nonzero(document.get(f))]


def _export(document: Mapping[str, Any]) -> dict[str, Any]:
    rule = RULES[document.get("dgrules")]
    if rule == "priced":
        used, structure = used_periods(document, "energy"), document.get("energyratestructure") or ()
        sells = {period_name(n): sold for n, tiers in enumerate(structure) if n in used and (sold := sell_price(tiers))}
        return {"rule": rule, **optional("prices", {period: text(price) for period, price in sells.items()})}
    return {"rule": rule, **({"carry_over": True} if document.get("dgrules") == "Net Billing Hourly" else {})}
