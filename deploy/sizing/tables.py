"""The tables that `python -m deploy.sizing` prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.table import Table

from deploy.sizing.bill import Plan, Saving
from deploy.sizing.limits import DISK_SHARE, LOAD, SHARD_LOAD
from deploy.sizing.model import Size
from deploy.sizing.prices import FALLBACK, Prices, figures

console = Console(highlight=False) if sys.stdout.isatty() else Console(width=140, highlight=False)


def show(*tables: Table) -> None:
    """Print tables."""
    for table in tables:
        console.print(table)


def needs(sizes: list[Size]) -> Table:
    """Table of required resources."""
    table = Table("", *(f"{s.meters:,} meters" for s in sizes), title="Required resources")
    for column in table.columns[1:]:
        column.justify = "right"
    rows: dict[str, Callable[[Size], str]] = {
        "readings/s": lambda s: f"{s.readings_s:,.1f}",
        "Kinesis shards": lambda s: f"{s.shards:,}",
        "KPU for throughput": lambda s: f"{s.kpus_for_load:,}",
        "KPU for state": lambda s: f"{s.kpus_for_state:,}",
        "KPU of the settings": lambda s: f"{s.kpus_of_settings:,}",
        "state [GB]": lambda s: f"{s.state_gb:,.0f}",
        "applications": lambda s: f"{s.applications:,}",
        "KPU in total": lambda s: f"{s.kpus:,}",
        "costs into Firehose [MB/s]": lambda s: f"{s.cost_bytes_s / 1e6:,.2f}",
        "rows into Firehose [1/s]": lambda s: f"{s.firehose_rows_s:,.0f}",
        "billed by Firehose [GB/month]": lambda s: f"{s.firehose_gb_month:,.0f}",
        "Parquet [GB/month]": lambda s: f"{s.lake_gb_month:,.0f}",
        "objects [1/month]": lambda s: f"{s.objects_month:,.0f}",
    }
    for name, value in rows.items():
        table.add_row(name, *(value(s) for s in sizes))
    return table


def costs(plans: list[Plan], bills: list[Mapping[str, float]] | list[dict[str, float]]) -> Table:
    """Table of USD per month, in total and per 1,000 meters, the most expensive service of the last plan first."""
    name = plans[0].environment.name
    table = Table("USD per month", title=f"Cost of {name}")
    for plan in plans:
        table.add_column(f"{plan.meters:,} meters", justify="right")
        table.add_column("per 1,000", justify="right")
    for service in sorted(bills[-1], key=lambda service: -bills[-1][service]):
        table.add_row(service, *_amounts(plans, [found[service] for found in bills]))
    table.add_section()
    table.add_row("total", *_amounts(plans, [sum(found.values()) for found in bills]))
    return table


def _amounts(plans: list[Plan], amounts: list[float]) -> list[str]:
    """Cells with each amount and its share for 1,000 meters."""
    pairs = ((f"{usd:,.2f}", f"{usd / plan.meters * 1000:,.2f}") for plan, usd in zip(plans, amounts, strict=True))
    return [cell for pair in pairs for cell in pair]


def savings(plan: Plan, found: list[Saving]) -> Table:
    """Table of savings, the largest first."""
    title = f"Savings with {plan.meters:,} meters, each applied alone"
    table = Table("change", "saves USD per month", "drawback", title=title)
    table.columns[1].justify = "right"
    for saving in found:
        table.add_row(saving.name, f"{saving.saved_usd:,.2f}", saving.price)
    return table


def limits(sizes: list[Size]) -> Table:
    """Table of limits; those reached by the largest number of meters are yellow."""
    largest = max(s.meters for s in sizes)
    table = Table("limit", "reached at", "remedy", title="Limits of services")
    for limit in sizes[0].limits:
        where = "any number of meters" if limit.meters == float("inf") else f"{limit.meters:,.0f} meters"
        table.add_row(limit.name, where, limit.remedy, style="yellow" if limit.meters <= largest else "")
    return table


def assumptions(paid: Prices) -> None:
    """Print measurements, assumptions and sources of prices, and prices without a source."""
    data = figures()
    for part, title in (("measured", "Measured"), ("assumed", "Assumed")):
        console.print(f"{title} ({data[part]['when']}; {data[part]['where']}):")
        for name, figure in data[part].items():
            if isinstance(figure, dict):
                console.print(f"  {name} {figure['value']:,}: {figure['from']}")
    console.print(
        f"Planned load: job {LOAD:.0%} of its capacity, state {DISK_SHARE:.0%} of a KPU's disk, shards "
        f"{SHARD_LOAD:.0%}; one reading per record. Assumption: a KPU, one virtual core, is as fast as one core of the "
        "measurements."
    )
    console.print(f"Limits as of {data['limits']['when']}.")
    _sources(paid)
    console.print("Not included: data transfer out of the region, support, taxes, your own recipients.")


def _sources(paid: Prices) -> None:
    known = figures()["prices"]
    region = paid.region if paid.listed else f"{FALLBACK} (figures.json has no prices of {paid.region})"
    console.print(f"Prices of {region} as of {known['when']}: {known['where']}. Sources:")
    used = {paid.entries[name]["source"] for name in paid.used}
    for name, source in known["sources"].items():
        if name in used:
            console.print(f"  {name}, read {source['read']}: {source['what']}")
    if paid.unverified:
        console.print(
            f"NOT VERIFIED: {len(paid.unverified)} of {len(paid.used)} prices have no source; compare them with the "
            f"AWS price list before you decide: {', '.join(paid.unverified)}",
            style="yellow",
        )
