"""`python -m deploy.sizing`: what a number of meters needs and costs, with the figures that it rests on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.sizing.model import DISK_SHARE, LOAD, SHARD_LOAD, Size, figures, size

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
console = Console(highlight=False) if sys.stdout.isatty() else Console(width=140, highlight=False)
DECADES = [10**power for power in range(3, 9)]


@app.command()
def main(
    meters: Annotated[list[int] | None, typer.Option(help="Number of meters; may be repeated.")] = None,
    decades: Annotated[bool, typer.Option(help="1,000 to 100,000,000 meters.")] = False,
    interval: Annotated[int, typer.Option(help="Seconds between two readings of a meter.")] = 300,
    state_days: Annotated[int, typer.Option(help="Setting `state_days` of the job.")] = 100,
) -> None:
    """Shards, KPUs, Firehose, S3 and Athena for a number of meters, what they cost, and the limits on the way."""
    asked = DECADES if decades else meters or []
    if not asked:
        raise typer.BadParameter("give --meters or --decades")
    try:
        sizes = [size(count, interval, state_days) for count in asked]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    console.print(_needs(sizes))
    console.print(_costs(sizes))
    console.print(_limits(sizes))
    _assumptions()


def _needs(sizes: list[Size]) -> Table:
    table = Table("", *(f"{s.meters:,} meters" for s in sizes), title="What it needs")
    for column in table.columns[1:]:
        column.justify = "right"
    rows: dict[str, Callable[[Size], str]] = {
        "readings/s": lambda s: f"{s.readings_s:,.1f}",
        "Kinesis shards": lambda s: f"{s.shards:,}",
        "KPU for throughput": lambda s: f"{s.kpus_for_load:,}",
        "KPU for state": lambda s: f"{s.kpus_for_state:,}",
        "state [GB]": lambda s: f"{s.state_gb:,.0f}",
        "applications": lambda s: f"{s.applications:,}",
        "KPU in all": lambda s: f"{s.kpus:,}",
        "costs into Firehose [MB/s]": lambda s: f"{s.cost_bytes_s / 1e6:,.2f}",
        "rows into Firehose [1/s]": lambda s: f"{s.firehose_rows_s:,.0f}",
        "Parquet [GB/month]": lambda s: f"{s.lake_gb_month:,.0f}",
        "objects [1/month]": lambda s: f"{s.objects_month:,.0f}",
    }
    for name, value in rows.items():
        table.add_row(name, *(value(s) for s in sizes))
    return table


def _costs(sizes: list[Size]) -> Table:
    table = Table("", *(f"{s.meters:,} meters" for s in sizes), title="What it costs [USD/month]")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in sizes[0].costs:
        table.add_row(name, *(f"{s.costs[name]:,.0f}" for s in sizes))
    table.add_section()
    table.add_row("in all", *(f"{s.monthly_usd:,.0f}" for s in sizes))
    table.add_row("a meter", *(f"{s.monthly_usd / s.meters:,.4f}" for s in sizes))
    return table


def _limits(sizes: list[Size]) -> Table:
    largest = max(s.meters for s in sizes)
    table = Table("limit", "met at", "what to do", title="Limits on the way, the first one first")
    for limit in sizes[0].limits:
        where = "whatever the number" if limit.meters == float("inf") else f"{limit.meters:,.0f} meters"
        table.add_row(limit.name, where, limit.remedy, style="yellow" if limit.meters <= largest else "")
    return table


def _assumptions() -> None:
    data = figures()
    console.print(f"Measured ({data['measured']['when']}; {data['measured']['where']}):")
    for name, figure in data["measured"].items():
        if isinstance(figure, dict):
            console.print(f"  {name} {figure['value']:,}: {figure['from']}")
    console.print(
        f"Planned: the job at {LOAD:.0%} of what it can, state in {DISK_SHARE:.0%} of a KPU's disk, shards at "
        f"{SHARD_LOAD:.0%}; one reading a record. A KPU is one virtual core: that it does what one core here does is "
        "an assumption."
    )
    console.print(
        f"Limits as of {data['limits']['when']}. Prices as of {data['prices']['when']}: {data['prices']['where']}."
    )
    console.print("Not in it: alert functions, the API, last values in DynamoDB, CloudWatch, KMS, traffic, taxes.")


if __name__ == "__main__":
    app()
