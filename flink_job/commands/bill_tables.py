"""A tariff in the terminal: its charges as a table, its prices as a chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.history.intervals import HOUR_MS
from flink_job.tariffs.history.rate import MissingSeriesError
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.prices import PriceSeries, dynamic_price

COLOURS = ("cyan", "green", "yellow", "red", "magenta", "blue", "bright_cyan", "bright_green", "bright_red")
HEIGHTS = " ▁▂▃▄▅▆▇█"
WIDTH = 40
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def charges_table(tariff: Tariff, document: Mapping[str, Any]) -> Group:
    """Return a table of the charges of a tariff, with one row per price."""
    until = f" to {tariff.valid_to}" if tariff.valid_to else ""
    title = f"{tariff.tariff_id} {tariff.version}: {document.get('name', '')}"
    table = Table("charge", "of", f"price in {tariff.currency}", title=title)
    for row in _rows(document):
        table.add_row(*row)
    notes = [f"valid from {tariff.valid_from}{until}; tiers: {tariff.tier_rule}"]
    if left := list(tariff.left_to_settlement()):
        notes.append(f"provisional in the stream until settled: {', '.join(left)}")
    return Group(table, *notes)


def _rows(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    energy, demand = document.get("energy", {}), document.get("demand", {})
    unit = energy.get("tier_unit", "kWh")
    for period, tiers in energy.get("periods", {}).items():
        yield "energy", period, _tiers(tiers, unit) + " per kWh"
    if "dynamic" in energy:
        dynamic = energy["dynamic"]
        extra = {k: v for k, v in dynamic.items() if k != "series"}
        yield "energy", f"series {dynamic['series']}", ", ".join(f"{k} {v}" for k, v in extra.items()) or "as published"
    if "flat" in demand:
        yield "demand", f"highest {demand.get('window_s', 900) // 60} minutes", _tiers(demand["flat"], "kW") + " per kW"
    for month, tiers in enumerate(demand.get("flat_by_month", ()), start=1):
        yield "demand", f"highest of month {month}", _tiers(tiers, "kW") + " per kW"
    for period, tiers in demand.get("periods", {}).items():
        yield "demand", f"highest in {period}", _tiers(tiers, "kW") + " per kW"
    if ratchet := demand.get("ratchet"):
        yield "demand", "ratchet", f"at least {ratchet['share']} of {ratchet['months_back']} cycles before"
    contracted = document.get("contracted_power", {})
    for period, price in contracted.get("periods", {}).items():
        kw = contracted.get("kw", {}).get(period)
        yield "power", f"{period}{f', {kw} kW' if kw else ''}", f"{price} per kW and year"
    if "excess" in contracted:
        yield "power", "excess", contracted["excess"]["rule"].replace("_", " ")
    for band in document.get("reactive", {}).get("bands", ()):
        yield "reactive", f"cos phi below {band['cos_phi_below']}", f"{band['price']} per kvarh"
    for charge in document.get("fixed", ()):
        yield "fixed", charge["name"], f"{charge['amount']} per {charge['per']}"
    for minimum in document.get("minimum", ()):
        yield "minimum", "", f"{minimum['amount']} per {minimum['per']}"
    export = document.get("export", {})
    if rule := export.get("rule"):
        yield "export", "rule", rule.replace("_", " ")
    for period, price in export.get("prices", {}).items():
        yield "export", "all periods" if period == "*" else period, f"{price} per kWh, credited"
    for tax in document.get("taxes", ()):
        validity = " ".join(
            f"{word} {tax[key]}" for key, word in (("valid_from", "from"), ("valid_to", "to")) if key in tax
        )
        yield "tax", f"{tax['name']} {validity}".strip(), f"{float(tax['rate']):.6%} of {', '.join(tax['base'])}"


def _tiers(tiers: Any, unit: str) -> str:
    return ", ".join(t["price"] + (f" up to {t['max']} {unit}" if "max" in t else "") for t in tiers)


def day_chart(tariff: Tariff, zone: ZoneInfo, day: date, series: Mapping[str, PriceSeries]) -> Group:
    """Return a chart with one bar per hour of a local day (23 to 25)."""
    starts, prices, periods = _hours(tariff, zone, day, series)
    top = max(max(prices), 1)
    lines = [Text(f"{day} ({_DAYS[day.weekday()]}), {zone.key}: energy price per kWh, first tier", style="bold")]
    for start, price, period in zip(starts, prices, periods, strict=True):
        local = datetime.fromtimestamp(start / 1000, zone)
        bar = "█" * max(0, round(WIDTH * price / top))
        line = Text(f"{local:%H:%M} ")
        line.append(f"{bar:<{WIDTH}} ", style=COLOURS[period % len(COLOURS)])
        line.append(f"{price / 1e9:10.6f} {tariff.periods[period]}")
        lines.append(line)
    return Group(*lines)


def week_chart(tariff: Tariff, zone: ZoneInfo, day: date, series: Mapping[str, PriceSeries]) -> Group:
    """Return a chart with one row per local day and one cell per hour: height is the price, colour the TOU period."""
    days = [day + timedelta(days=n) for n in range(7)]
    hours = {local: _hours(tariff, zone, local, series) for local in days}
    top = max(1, *(price for _, prices, _ in hours.values() for price in prices))
    lines = [Text(f"seven days from {day}, {zone.key}: energy price by hour, first tier", style="bold"), _ruler()]
    seen: dict[int, list[int]] = {}
    for local, (starts, prices, periods) in hours.items():
        cells: dict[int, tuple[str, str]] = {}
        for start, price, period in zip(starts, prices, periods, strict=True):
            seen.setdefault(period, []).append(price)
            height = HEIGHTS[max(0, round((len(HEIGHTS) - 1) * price / top))]
            cells[datetime.fromtimestamp(start / 1000, zone).hour] = (height * 2, COLOURS[period % len(COLOURS)])
        line = Text(f"{_DAYS[local.weekday()]} {local:%m-%d} ")
        for hour in range(24):
            line.append(*cells.get(hour, ("  ", "default")))
        lines.append(line)
    for period, prices in sorted(seen.items()):
        low, high = min(prices), max(prices)
        line = Text("  ██ ", style=COLOURS[period % len(COLOURS)])
        between = f"{low / 1e9:.6f}" if low == high else f"{low / 1e9:.6f} to {high / 1e9:.6f}"
        line.append(f"{tariff.periods[period]}: {between} per kWh", style="default")
        lines.append(line)
    return Group(*lines)


def _ruler() -> Text:
    return Text(" " * 10 + "".join(f"{hour:<4}" for hour in range(0, 24, 2)))


def _hours(
    tariff: Tariff, zone: ZoneInfo, day: date, series: Mapping[str, PriceSeries]
) -> tuple[list[int], list[int], list[int]]:
    """Return (starts [epoch ms], prices [1e-9], TOU periods) of the hours of a local day."""
    following = day + timedelta(days=1)
    starts = np.arange(local_midnight_ms(day, zone), local_midnight_ms(following, zone), HOUR_MS)
    periods = tariff.calendar.timeline(zone).periods_at(starts)
    prices = np.array([tiers[0].price_e9 for tiers in tariff.energy], dtype=np.int64)[periods]
    if tariff.adjustment_e9:
        prices = prices + tariff.adjustment_e9[day.month - 1]
    if tariff.dynamic is not None:
        if tariff.dynamic.series not in series:
            raise MissingSeriesError(
                f"the tariff requires a price series: give it with --prices {tariff.dynamic.series}=FILE"
            )
        hour = np.full_like(starts, HOUR_MS)
        prices = prices + dynamic_price(tariff.dynamic, series[tariff.dynamic.series], starts, hour)
    return starts.tolist(), prices.tolist(), periods.tolist()
