"""Spain's access tariffs 2.0TD, 3.0TD and 6.1TD to 6.4TD as tariff documents.

Calendars, reactive energy, excess rules and taxes come from `rules.json`, with their sources; prices are parameters.
Circular 3/2020 of the CNMC (BOE-A-2020-1066) defines periods and day types.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from flink_job.errors import MeteringError

KINDS = ("2.0TD", "3.0TD", "6.1TD", "6.2TD", "6.3TD", "6.4TD")
ZONES = ("peninsula", "balearics", "canaries", "ceuta", "melilla")
WORKDAYS = ["mon", "tue", "wed", "thu", "fri"]
DAY_D = ["sat", "sun", "holiday"]
#: Years whose holidays are listed: also years before the law, whose readings are rated at present prices. All holidays
#: have fixed dates, so the range can be extended.
FIRST_YEAR, LAST_YEAR = 2015, 2040
#: Above this contracted power [kW] a meter is of type 1 to 3, and excess is measured per quarter hour.
MAXIMETER_UP_TO_KW = 50

Prices = Mapping[str, Any]
Bands = Sequence[tuple[int, int]]
"""Hours [from, until) of a day."""


class SpainError(MeteringError, ValueError):
    """An unknown kind, zone or period, or a missing price."""


@cache
def rules() -> dict[str, Any]:
    """Return the content of rules.json."""
    return dict(json.loads((files(__package__) / "rules.json").read_text(encoding="utf-8")))


def spanish_tariff(kind: str, zone: str, prices: Prices) -> dict[str, Any]:
    """Build a tariff document from the prices of a supplier. Raises SpainError.

    `prices` has `tariff_id`, `version`, `valid_from`; `energy` [EUR/kWh] and `power` [EUR/kW and year] by period (P1 to
    P6; 2.0TD has energy P1 to P3 and power P1, P2). Optional: `kw` (contracted power by period), `excess` [EUR/kW] by
    period, `dynamic` (energy/dynamic of a document, such as PVPC), `surplus` (price of exported energy by period, * for
    all: netted by hour, credited up to the energy charge), `fixed`, `industrial` (true for the lower floor of the
    electricity tax).
    """
    if kind not in KINDS:
        raise SpainError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    if zone not in ZONES:
        raise SpainError(f"zone is {zone!r}; it must be one of {', '.join(ZONES)}")
    periods = [f"P{n}" for n in range(1, 4 if kind == "2.0TD" else 7)]
    power_periods = ["P1", "P2"] if kind == "2.0TD" else periods
    document = {
        "tariff_id": prices.get("tariff_id", f"es-{kind}-{zone}"),
        "version": prices.get("version", "1"),
        "name": f"{kind}, {zone}",
        "source": rules()["source"],
        "currency": "EUR",
        "timezone": rules()["zones"][zone]["timezone"],
        "valid_from": prices.get("valid_from", "2021-06-01"),
        "tier_rule": "per_period",
        "calendar": _three_periods(zone) if kind == "2.0TD" else _six_periods(zone),
        "energy": _energy(prices, periods),
        "demand": {"window_s": 900},
        "contracted_power": _contracted(kind, prices, power_periods),
        "fixed": list(prices.get("fixed", ())),
        "taxes": _taxes(zone, bool(prices.get("industrial", False))),
        "rounding": {"line_decimals": 2, "mode": "half_up"},
    }
    if "surplus" in prices:
        document["export"] = {**rules()["surplus"], "prices": prices["surplus"]}
    if kind != "2.0TD":
        document["reactive"] = rules()["reactive"]
    return document


def _energy(prices: Prices, periods: Sequence[str]) -> dict[str, Any]:
    energy: dict[str, Any] = {}
    if "energy" in prices:
        energy["periods"] = {p: [{"price": price}] for p, price in _complete(prices, "energy", periods).items()}
    if "dynamic" in prices:
        energy["dynamic"] = prices["dynamic"]
    if not energy:
        raise SpainError("prices: give energy (by period), dynamic, or both")
    return energy


def _contracted(kind: str, prices: Prices, periods: Sequence[str]) -> dict[str, Any]:
    contracted: dict[str, Any] = {"periods": _complete(prices, "power", periods)}
    if kind == "2.0TD":
        contracted["calendar"] = _calendar(_year_round(_day([(8, 24)], "P1", [], "", "P2")), "P2")
    if "kw" in prices:
        contracted["kw"] = _complete(prices, "kw", periods)
        rising = [float(contracted["kw"][p]) for p in periods]
        if kind != "2.0TD" and rising != sorted(rising):
            raise SpainError("prices/kw: contracted power must not fall from P1 to P6")
    if "excess" in prices:
        highest = max(float(kw) for kw in contracted.get("kw", {"": MAXIMETER_UP_TO_KW + 1}).values())
        quarter_hours = kind.startswith("6") or highest > MAXIMETER_UP_TO_KW
        contracted["excess"] = {
            "rule": "root_of_squares" if quarter_hours else "maximeter",
            "prices": _complete(prices, "excess", periods),
        }
    return contracted


def _complete(prices: Prices, what: str, periods: Sequence[str]) -> dict[str, str]:
    given = prices.get(what, {})
    if set(given) != set(periods):
        raise SpainError(f"prices/{what}: give {', '.join(periods)}; found {', '.join(given) or 'nothing'}")
    return {period: str(given[period]) for period in periods}


def _taxes(zone: str, industrial: bool) -> list[dict[str, Any]]:
    """Return the electricity tax, then VAT or its equivalent, which is also charged on the electricity tax."""
    electricity = [
        {**tax, "floor_per_kwh": tax["floor_per_kwh"]["industrial" if industrial else "other"]}
        for tax in rules()["electricity_tax"]
    ]
    return [*electricity, *({**tax, "base": [*tax["base"], "IEE"]} for tax in rules()["zones"][zone]["vat"])]


def _three_periods(zone: str) -> dict[str, Any]:
    high = [tuple(band) for band in rules()["zones"][zone]["high_2.0TD"]]
    return _calendar(_year_round(_day(high, "P1", [(8, 24)], "P2", "P3")), "P3")


def _six_periods(zone: str) -> dict[str, Any]:
    spec = rules()["zones"][zone]
    high = [tuple(band) for band in spec["high"]]
    seasons = {
        name: (season["months"], _day(high, season["high"], [(8, 24)], season["middle"], "P6"))
        for name, season in spec["seasons"].items()
    }
    return _calendar(seasons, "P6")


def _year_round(bands: list[dict[str, str]]) -> dict[str, tuple[list[int], list[dict[str, str]]]]:
    return {"year": (list(range(1, 13)), bands)}


def _calendar(seasons: Mapping[str, tuple[Sequence[int], list[dict[str, str]]]], on_day_d: str) -> dict[str, Any]:
    days = [{"season": name, "on": WORKDAYS, "bands": bands} for name, (_, bands) in seasons.items()]
    return {
        "seasons": {name: [_month(m) for m in months] for name, (months, _) in seasons.items()},
        "holidays": {str(year): list(holidays(year)) for year in range(FIRST_YEAR, LAST_YEAR + 1)},
        "days": [*days, {"on": DAY_D, "bands": [{"from": "00:00", "period": on_day_d}]}],
    }


def holidays(year: int) -> Iterator[str]:
    """Yield the days of type D other than weekends: national holidays with fixed dates, and 6 January.

    Good Friday has no fixed date, so it is a working day here.
    """
    for month, day in rules()["holidays"]:
        yield date(year, month, day).isoformat()


def _day(high: Bands, high_period: str, middle: Bands, middle_period: str, low: str) -> list[dict[str, str]]:
    """Return the bands of a working day: hours of the highest period, the middle one around them, the rest low."""
    hours = [low] * 24
    for bands, period in ((middle, middle_period), (high, high_period)):
        for begin, end in bands:
            hours[begin:end] = [period] * (end - begin)
    starts = [h for h in range(24) if h == 0 or hours[h] != hours[h - 1]]
    return [{"from": f"{h:02d}:00", "period": hours[h]} for h in starts]


def _month(month: int) -> str:
    last = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
    return f"{month:02d}-01/{month:02d}-{last:02d}"
