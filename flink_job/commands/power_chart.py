"""Chart of the cost by contracted power, a panel for each period."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flink_job.commands.bill_chart import figure_of, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from flink_job.billing.contract_power import Optimum
    from flink_job.billing.contract_power_costs import PeriodCosts

#: Palette of Okabe and Ito: distinguishable with every kind of colour vision.
_POWER, _EXCESS, _SUM = "#0072B2", "#D55E00", "#000000"
_MICRO = 1e6


def draw_power(meter_id: str, optimum: Optimum, path: Path) -> None:
    """Write a chart to a file (.png, .svg or .pdf). Raises ChartError."""
    figure, panels = figure_of(len(optimum.costs), (9, 1.5 + 2.1 * len(optimum.costs)))
    for panel, (name, costs) in zip(panels, optimum.costs.items(), strict=True):
        _panel(panel, optimum, name, costs)
    panels[0].set_title(
        f"{meter_id}: cost of {optimum.days} days by contracted power, before taxes; "
        f"saving {optimum.saving / _MICRO:,.2f} {optimum.currency} with taxes",
        loc="left",
    )
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", frameon=False, ncols=5)
    panels[-1].set_xlabel("contracted power [kW]")
    save(figure, path)


def _panel(axes: Axes, optimum: Optimum, name: str, costs: PeriodCosts) -> None:
    kw = optimum.candidates_u / _MICRO
    power, excess = (part.astype(float) / _MICRO for part in (costs.power, costs.excess))
    axes.plot(kw, power, color=_POWER, linestyle="--", label="power")
    axes.plot(kw, excess, color=_EXCESS, linestyle=":", label="excess")
    axes.plot(kw, power + excess, color=_SUM, label="sum")
    present = optimum.present_costs[name]
    now, cost = optimum.present_u[name] / _MICRO, (int(present.power[0]) + int(present.excess[0])) / _MICRO
    axes.plot([now], [cost], "o", color=_SUM, markerfacecolor="white", label="now", clip_on=False)
    axes.axvline(optimum.best_u[name] / _MICRO, color="#009E73", label="best")
    axes.set_ylim(0, 1.6 * max(cost, float((power + excess).min())) or 1)
    axes.set_ylabel(f"{name} [{optimum.currency}]")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
