"""Reads a tariff document: validates it against the JSON Schema, checks its consistency, and builds the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from flink_job.metering.bounds import MAX_DETAIL, MAX_DOCUMENT_BYTES
from flink_job.tariffs.calendar import Calendar, CalendarError
from flink_job.tariffs.check import inconsistencies
from flink_job.tariffs.exact import RATE_SCALE, scaled
from flink_job.tariffs.model import (
    ALL_HOURS,
    Band,
    Cap,
    Contracted,
    Demand,
    Dynamic,
    Export,
    FixedCharge,
    LowUse,
    PeakStatistic,
    Ratchet,
    Reactive,
    Rounding,
    Step,
    Tariff,
    TariffError,
    Tax,
    Tier,
    Tiers,
)

_EVERY_MONTH = tuple(range(1, 13))
_UNIT = 1_000_000
#: Descriptions of the patterns of the schema.
FORMS = {
    r"^[A-Za-z0-9._-]{1,64}$": "a name of letters, digits, '.', '_' and '-', of at most 64 characters",
    r"^[A-Za-z0-9._-]{1,32}$": "a name of letters, digits, '.', '_' and '-', of at most 32 characters",
    r"^[A-Z]{3}$": "a currency code of three capital letters, such as EUR (ISO 4217)",
    r"^-?[0-9](\.[0-9]{1,12})?$": "a rate below 10 with at most 12 decimals, such as '0.21' for 21 %",
    r"^-?[0-9]{1,9}(\.[0-9]{1,9})?$": "an amount below 1,000,000,000 with at most 9 decimals, such as '0.25'",
    r"^-?[0-9]{1,11}(\.[0-9]{1,9})?$": "an amount below 100,000,000,000 with at most 9 decimals, such as '7.50'",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$": "a time of day HH:MM, such as '07:30'",
    r"^[01][0-9]-[0-3][0-9]/[01][0-9]-[0-3][0-9]$": "a range of days MM-DD/MM-DD, such as '06-01/09-30'",
}


@cache
def schema() -> dict[str, Any]:
    """Return the published JSON Schema of tariff documents."""
    return dict(json.loads((files(__package__) / "tariff.schema.json").read_text(encoding="utf-8")))


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema(), format_checker=FormatChecker())


def parse_tariff(content: bytes, name: str = "tariff") -> Tariff:
    """Parse the tariff in the bytes of a document. Raises TariffError for any invalid bytes."""
    if len(content) > MAX_DOCUMENT_BYTES:
        raise TariffError(name, [f"{len(content)} bytes; a document may have at most {MAX_DOCUMENT_BYTES}"])
    try:
        return read_tariff(json.loads(content), name)
    except TariffError:
        raise
    except Exception as error:  # for example RecursionError for a deeply nested document
        raise TariffError(name, [f"{type(error).__name__}: {error}"[:MAX_DETAIL]]) from None


def read_tariff(document: Mapping[str, Any], name: str = "tariff") -> Tariff:
    """Read a tariff from a document. Raises TariffError with all faults and their places."""
    problems = [
        f"{'/'.join(map(str, e.absolute_path)) or 'document'}: {_message(e)}"
        for e in _validator().iter_errors(document)
    ]
    if not problems:
        problems = list(inconsistencies(document))
    if problems:
        raise TariffError(name, problems)
    try:
        return _build(document)
    except (CalendarError, ValueError, KeyError) as error:
        raise TariffError(name, [str(error)]) from None


def _message(error: ValidationError) -> str:
    """Return the message of a schema error; for text of the wrong form, a description of the form."""
    if error.validator == "pattern":
        return f"{error.instance!r} is not {FORMS[str(error.validator_value)]}"
    return str(error.message)


def _build(document: Mapping[str, Any]) -> Tariff:
    calendar = Calendar.read(document.get("calendar"), default=ALL_HOURS)
    periods = calendar.periods
    energy = document.get("energy", {})
    prices = energy.get("periods", {p: [{"price": "0"}] for p in periods})
    demand = document.get("demand", {})
    tou_demand = demand.get("periods", {})
    export = document.get("export", {})
    export_prices = export.get("prices", {})
    return Tariff(
        tariff_id=document["tariff_id"],
        version=document["version"],
        currency=document["currency"],
        timezone=ZoneInfo(document["timezone"]) if "timezone" in document else None,
        valid_from=date.fromisoformat(document["valid_from"]),
        valid_to=date.fromisoformat(document["valid_to"]) if document.get("valid_to") else None,
        month_days=document.get("month_days", "cycle"),
        tier_rule=document.get("tier_rule", "per_period"),
        tier_unit=energy.get("tier_unit", "kWh"),
        calendar=calendar,
        periods=periods,
        listed=tuple(periods.index(p) for p in prices if p in periods),
        energy=tuple(_tiers(prices[p]) for p in periods),
        adjustment_e9=tuple(_e9(a) for a in energy.get("adjustment_by_month", ())),
        dynamic=_dynamic(energy.get("dynamic")),
        demand_window_s=demand.get("window_s", 900),
        flat_demand=_tiers(demand.get("flat", ())),
        demand_periods={name: slot for slot, name in enumerate(tou_demand, start=1)},
        tou_demand=tuple(_tiers(tiers) for tiers in tou_demand.values()),
        demand=_demand(demand),
        contracted=_contracted(document.get("contracted_power")),
        reactive=_reactive(document.get("reactive")),
        fixed=tuple(
            FixedCharge(f["name"], _e9(f["amount"]), f["per"], frozenset(f.get("exempt_from", ())))
            for f in document.get("fixed", ())
        ),
        minimum=tuple(FixedCharge("minimum", _e9(m["amount"]), m["per"]) for m in document.get("minimum", ())),
        export=_export(export),
        export_e9=tuple(_e9(export_prices.get(p, export_prices.get("*", "0"))) for p in periods),
        taxes=tuple(_tax(tax) for tax in document.get("taxes", ())),
        rounding=_rounding(document.get("rounding", {})),
        cap=_cap(document.get("cap")),
        low_use=_low_use(document, periods, tuple(tou_demand)),
    )


def _e9(amount: str) -> int:
    return scaled(Decimal(amount))


def _tiers(tiers: Any) -> Tiers:
    return tuple(
        Tier(_e9(t["price"]), scaled(Decimal(t["max"]), _UNIT) if "max" in t else None, _e9(t.get("sell", "0")))
        for t in tiers
    )


def _dynamic(document: Any) -> Dynamic | None:
    if document is None:
        return None
    return Dynamic(
        document["series"],
        _e9(document.get("multiplier", "1")),
        _e9(document.get("adder", "0")),
        _e9(document["cap"]) if "cap" in document else None,
        _e9(document["floor"]) if "floor" in document else None,
    )


def _demand(document: Any) -> Demand:
    ratchet = document.get("ratchet")
    own = document.get("calendar")
    return Demand(
        slide_s=document.get("slide_s", 0),
        daily=document.get("daily", False),
        minimum_u=scaled(Decimal(document.get("minimum_kw", "0")), _UNIT),
        ratchet=None
        if ratchet is None
        else Ratchet(
            _e9(ratchet["share"]),
            ratchet["months_back"],
            frozenset(ratchet.get("months", _EVERY_MONTH)),
            frozenset(ratchet.get("applies_to", ("flat",))),
        ),
        flat_by_month=tuple(_tiers(tiers) for tiers in document.get("flat_by_month", ())),
        calendar=None if own is None else Calendar.read(own, default=ALL_HOURS),
        unit=document.get("unit", "kW"),
        highest_days=document.get("highest_days", 0),
        statistic=_statistic(document.get("statistic")),
        minimum_share_e9=_e9(document.get("minimum_share", "0")),
        steps=tuple(
            Step(_e9(step["amount"]), scaled(Decimal(step["max"]), _UNIT) if "max" in step else None)
            for step in document.get("steps", ())
        ),
    )


def _statistic(document: Any) -> PeakStatistic | None:
    if document is None:
        return None
    return PeakStatistic(
        document["take"] == "mean",
        document.get("cycles", 0),
        document.get("year_from", 0),
        document.get("arrears", False),
    )


def _contracted(document: Any) -> Contracted | None:
    if document is None:
        return None
    excess = document.get("excess", {})
    return Contracted(
        Calendar.read(document["calendar"], default=ALL_HOURS) if "calendar" in document else None,
        {period: _e9(price) for period, price in document["periods"].items()},
        {period: scaled(Decimal(kw), _UNIT) for period, kw in document.get("kw", {}).items()},
        excess.get("rule"),
        {period: _e9(price) for period, price in excess.get("prices", {}).items()},
    )


def _reactive(document: Any) -> Reactive | None:
    if document is None:
        return None
    capacitive = document.get("capacitive", {"cos_phi_below": "0", "price": "0", "periods": ()})
    return Reactive(
        _e9(document.get("free_share", "0")),
        frozenset(document["periods"]) if "periods" in document else None,
        tuple(sorted((_e9(band["cos_phi_below"]), _e9(band["price"])) for band in document["bands"])),
        _e9(capacitive["cos_phi_below"]),
        _e9(capacitive["price"]),
        frozenset(capacitive["periods"]),
        document.get("over", "period"),
        document.get("interval_s", 1800),
    )


def _export(document: Any) -> Export:
    return Export(
        rule=document.get("rule", "priced"),
        netting=document.get("netting", "interval"),
        capped_at_energy=document.get("credit_cap") == "energy",
        carry_over=document.get("carry_over", False),
        year_end_e9=_e9(document.get("year_end_price", "0")),
        within_energy=document.get("credit_in") == "energy",
        year_from=document.get("year_from", 1),
        across_periods=document.get("across_periods", False),
        by_year=document.get("balance") == "year",
    )


def _tax(document: Any) -> Tax:
    validity: dict[str, date] = {
        key: date.fromisoformat(document[key]) for key in ("valid_from", "valid_to") if key in document
    }
    return Tax(
        document["name"],
        scaled(Decimal(document.get("rate", "0")), RATE_SCALE),
        frozenset(document.get("base", ())),
        _e9(document.get("floor_per_kwh", "0")),
        **validity,
        bands=tuple(_band(band) for band in document.get("bands", ())),
        by_year=document.get("bands_of") == "year",
    )


def _band(document: Any) -> Band:
    return Band(
        scaled(Decimal(document.get("rate", "0")), RATE_SCALE),
        _e9(document.get("per_kwh", "0")),
        scaled(Decimal(document["max"]), _UNIT) if "max" in document else None,
    )


def _low_use(document: Mapping[str, Any], periods: tuple[str, ...], demand_periods: tuple[str, ...]) -> LowUse | None:
    low = document.get("low_use")
    if low is None:
        return None
    demand = low.get("demand", {})
    return LowUse(
        low["hours"],
        tuple(_tiers(low["energy"][period]) for period in periods),
        _tiers(demand.get("flat", ())),
        tuple(_tiers(demand["periods"][period]) for period in demand_periods),
    )


def _cap(document: Any) -> Cap | None:
    return None if document is None else Cap(_e9(document["per_kwh"]), tuple(document["charges"]))


def _rounding(document: Any) -> Rounding:
    return Rounding(
        document.get("line_decimals", 6), document.get("energy_decimals", 6), document.get("mode") == "half_up"
    )
