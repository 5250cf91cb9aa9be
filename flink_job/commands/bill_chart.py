"""Charts of bills: cost by month and charge, load by hour and day, and a comparison of tariffs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from flink_job.billing.run import BilledCycle, Totals
from flink_job.errors import MeteringError
from flink_job.tariffs.bill_lines import LINES
from flink_job.tariffs.history import Intervals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Palette of Okabe and Ito: distinguishable with every kind of colour vision.
COLOURS = dict(
    zip(LINES, ("#0072B2", "#D55E00", "#999999", "#CC79A7", "#009E73", "#F0E442", "#56B4E9"), strict=True),
)
_MICRO = 1e6
_HOURS = 24


class ChartError(MeteringError, RuntimeError):
    """A chart that cannot be drawn."""


def cost_by_month(bills: Sequence[BilledCycle]) -> tuple[list[str], dict[str, list[float]]]:
    """Return (months as YYYY-MM, cost of each month by charge [currency]); a bill counts in the month of its start."""
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for billed in bills:
        sums[f"{billed.bill.start:%Y-%m}"].update(billed.bill.lines)
    months = sorted(sums)
    charged = [line for line in LINES if any(sums[month][line] for month in months)]
    return months, {line: [sums[month][line] / _MICRO for month in months] for line in charged}


def load_by_hour(meters: Mapping[str, Intervals], zone: ZoneInfo) -> tuple[list[date], Any]:
    """Return (local days, imported mean power [kW], shape (24, days)), summed over meters; NaN without readings.

    The energy of an interval counts in the local hour in which it begins.
    """
    starts = np.concatenate([data.start_ms for data in meters.values()])
    kwh = np.concatenate([data.import_ukwh for data in meters.values()]) / _MICRO
    local = pd.DatetimeIndex(starts.astype("datetime64[ms]")).tz_localize("UTC").tz_convert(zone)
    # Days are numbered from the first, so that days without readings have columns too.
    days = (local.tz_localize(None).normalize() - local.tz_localize(None).normalize().min()).days.to_numpy()
    load = np.zeros((_HOURS, int(days.max()) + 1))
    measured = np.zeros_like(load, dtype=bool)
    np.add.at(load, (local.hour.to_numpy(), days), kwh)
    measured[local.hour.to_numpy(), days] = True
    first = local.tz_localize(None).min().date()
    listed = [date.fromordinal(first.toordinal() + number) for number in range(load.shape[1])]
    return listed, np.where(measured, load, np.nan)


def draw_bills(bills: Sequence[BilledCycle], meters: Mapping[str, Intervals], zone: ZoneInfo, path: Path) -> None:
    """Write a chart of cost by month and load by hour to a file (.png, .svg or .pdf). Raises ChartError."""
    figure, (above, below) = figure_of(2, (11, 8))
    months, costs = cost_by_month(bills)
    currency = bills[0].currency
    total = sum(billed.bill.total for billed in bills) / _MICRO
    _stacked_bars(above, months, costs)
    above.set_title(f"{bills[0].bill.tariff_id}: {total:,.2f} {currency} for {len(meters):,} meters", loc="left")
    above.set_ylabel(f"cost of the month [{currency}]")
    days, load = load_by_hour(meters, zone)
    picture = below.pcolormesh(np.arange(len(days) + 1), np.arange(_HOURS + 1), load, cmap="cividis")
    figure.colorbar(picture, ax=below, label="mean power [kW]", pad=0.01)
    ticks = [number for number, day in enumerate(days) if day.day == 1] if len(days) > 45 else range(0, len(days), 7)
    below.set_xticks(list(ticks), [f"{days[number]:%Y-%m-%d}" for number in ticks], rotation=30, ha="right")
    below.set_yticks(range(0, _HOURS + 1, 6))
    below.set_ylabel(f"hour of the day ({zone.key})")
    below.set_title("Imported power by hour and day, all meters", loc="left")
    save(figure, path)


def draw_comparison(ranked: Sequence[tuple[str, str, Totals]], path: Path) -> None:
    """Write a bar chart of tariffs, cheapest first, with one panel per currency. Raises ChartError."""
    currencies = sorted({currency for _, currency, _ in ranked})
    figure, panels = figure_of(len(currencies), (11, 1.5 + 0.6 * len(ranked)))
    for panel, currency in zip(panels, currencies, strict=True):
        found = [(name, totals) for name, of, totals in ranked if of == currency]
        names = [name for name, _ in found]
        charged = [line for line in LINES if any(totals.lines[line] for _, totals in found)]
        costs = {line: [totals.lines[line] / _MICRO for _, totals in found] for line in charged}
        _stacked_bars(panel, names, costs, is_horizontal=True)
        panel.invert_yaxis()
        panel.set_xlabel(f"cost [{currency}]")
    panels[0].set_title("The same readings under each tariff, cheapest first", loc="left")
    save(figure, path)


def figure_of(rows: int, size: tuple[float, float]) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with a column of panels. Raises ChartError."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ChartError("charts require matplotlib: run pip install 'meter-costing[charts]'") from None
    figure = Figure(figsize=size, layout="constrained")
    return figure, list(figure.subplots(rows, 1, squeeze=False)[:, 0])


def _stacked_bars(
    axes: Axes, names: Sequence[str], parts: Mapping[str, list[float]], is_horizontal: bool = False
) -> None:
    """Stack positive parts upwards and credits downwards."""
    above, below = np.zeros(len(names)), np.zeros(len(names))
    for part, values in parts.items():
        heights = np.array(values)
        base = np.where(heights >= 0, above, below)
        if is_horizontal:
            axes.barh(names, heights, left=base, color=COLOURS[part], label=part)
        else:
            axes.bar(names, heights, bottom=base, color=COLOURS[part], label=part)
        above += np.maximum(heights, 0)
        below += np.minimum(heights, 0)
    axis = axes.xaxis if is_horizontal else axes.yaxis
    axis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    if parts:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, ncols=len(parts))


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file. Raises ChartError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        figure.savefig(path, dpi=120)
    except ValueError as error:
        raise ChartError(f"{path}: {error}") from None
