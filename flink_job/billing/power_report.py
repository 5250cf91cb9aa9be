"""The cheapest contracted power and power-factor advice, as a table, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from flink_job.billing.contract_power import Optimum
from flink_job.billing.contract_power_costs import PeriodCosts
from flink_job.billing.power_factor import Advice

COLUMNS = (
    *("period", "highest_kw", "present_kw", "best_kw"),
    *("present_power_cost", "best_power_cost", "present_excess_cost", "best_excess_cost"),
)


def kw(micro: int) -> str:
    """Format power [1e-6 kW] without trailing zeros."""
    return f"{Decimal(micro).scaleb(-6).normalize():f}"


def rows(optimum: Optimum) -> Iterator[dict[str, str]]:
    """Yield a row for each period: power [kW], and costs of power and excess before taxes [currency]."""
    for name, costs in optimum.costs.items():
        present = optimum.present_costs[name]
        best, index = _best(optimum, name, costs)
        values = (
            *(name, kw(costs.highest_ukw), kw(optimum.present_u[name]), kw(optimum.best_u[name])),
            *(_amount(a) for a in (present.power[0], best.power[index], present.excess[0], best.excess[index])),
        )
        yield dict(zip(COLUMNS, values, strict=True))


def _best(optimum: Optimum, name: str, costs: PeriodCosts) -> tuple[PeriodCosts, int]:
    """Return the costs of the best power, and its index in them."""
    if optimum.best_u == optimum.present_u:
        return optimum.present_costs[name], 0
    return costs, int((optimum.candidates_u == optimum.best_u[name]).argmax())


def _amount(micro: Any) -> str:
    return f"{Decimal(int(micro)).scaleb(-6):.6f}"


def as_csv(optimum: Optimum) -> str:
    """Return a row for each period as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(optimum))
    return out.getvalue().rstrip("\n")


def as_json(meter_id: str, optimum: Optimum | None, advice: Advice | None) -> str:
    """Return the results as JSON; amounts and power are decimal strings."""
    found: dict[str, Any] = {"meter_id": meter_id}
    if optimum is not None:
        found |= {
            "days": optimum.days,
            "currency": optimum.currency,
            "periods": list(rows(optimum)),
            "present_bills": _amount(optimum.present_total),
            "best_bills": _amount(optimum.best_total),
            "saving": _amount(optimum.saving),
            "ascending": optimum.is_ascending,
            "proven": optimum.is_proven,
        }
    if advice is not None:
        found["power_factor"] = {
            "reactive_charge": _amount(advice.reactive),
            "periods": [
                {
                    "period": need.period,
                    "cos_phi": round(need.cos_phi, 4),
                    "kvar_95": round(need.usual_kvar, 3),
                    "kvar_worst": round(need.worst_kvar, 3),
                    "worst_at": need.worst_at.isoformat(),
                }
                for need in advice.needs
            ],
            "banks": [
                {"kvar": b.kvar, "reactive_charge": _amount(b.reactive), "avoided": _amount(b.avoided)}
                for b in advice.banks
            ],
        }
    return json.dumps(found, indent=1)


def power_table(meter_id: str, optimum: Optimum) -> Table:
    """Return present and best power by period, with the costs of both before taxes."""
    title = f"{meter_id}: contracted power, {optimum.days} days"
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("period")
    for heading in ("highest kW", "now kW", "best kW", "power now", "power best", "excess now", "excess best"):
        table.add_column(heading, justify="right")
    for row in rows(optimum):
        values = list(row.values())
        table.add_row(*values[:4], *(f"{Decimal(value):,.2f}" for value in values[4:]))
    return table


def power_summary(optimum: Optimum) -> Iterator[str]:
    """Yield the totals of the bills and the saving, as sentences."""
    now, best, currency = optimum.present_total / 1e6, optimum.best_total / 1e6, optimum.currency
    yield f"bills with taxes: now {now:,.2f}, best {best:,.2f} {currency}"
    if optimum.best_u == optimum.present_u:
        yield "the present contracted power is the cheapest"
    else:
        yield f"saving {optimum.saving / 1e6:,.2f} {currency} ({optimum.saving / optimum.present_total:.1%})"
    if optimum.is_ascending:
        yield "power does not fall from a period to the next (--any-order: each by itself)"
    if not optimum.is_proven:
        yield "a minimum, a cap, a tax floor or a change of tax interferes: cheapest of all steps before it, not proven"


def advice_table(advice: Advice) -> Table:
    """Return the need of reactive power by period."""
    table = Table(title="Reactive power above the free share", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("period")
    for heading in ("cos phi", "95 % of intervals", "worst", "worst at"):
        table.add_column(heading, justify="right")
    for need in advice.needs:
        kvars = (f"{need.usual_kvar:,.1f} kvar", f"{need.worst_kvar:,.1f} kvar")
        table.add_row(need.period, f"{need.cos_phi:.4f}", *kvars, f"{need.worst_at:%Y-%m-%d %H:%M}")
    return table


def advice_summary(advice: Advice, currency: str) -> Iterator[str]:
    """Yield the charge now and with each capacitor bank, as sentences."""
    yield f"reactive charge now {advice.reactive / 1e6:,.2f} {currency} before taxes"
    for bank in advice.banks:
        yield (
            f"a bank of {bank.kvar:,} kvar leaves {bank.reactive / 1e6:,.2f} and avoids "
            f"{bank.avoided / 1e6:,.2f} {currency} with taxes"
        )
