"""`python -m deploy.sizing`: what a number of meters needs and costs, with the figures that it rests on."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from deploy.settings import ENVIRONMENTS, SettingsError, environment_named
from deploy.sizing import tables
from deploy.sizing.bill import Plan, bill, ways_down
from deploy.sizing.prices import prices

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
DECADES = [10**power for power in range(3, 9)]


@app.command()
def main(
    meters: Annotated[list[int] | None, typer.Option(help="Number of meters; may be repeated.")] = None,
    decades: Annotated[bool, typer.Option(help="1,000 to 100,000,000 meters.")] = False,
    interval: Annotated[int, typer.Option(help="Seconds between two readings of a meter.")] = 300,
    state_days: Annotated[
        int | None, typer.Option(help="Setting `state_days` of the job; the environment's, or 100.")
    ] = None,
    env: Annotated[str, typer.Option(help=f"Environment: {', '.join(ENVIRONMENTS)}, or your own.")] = "prod",
    region: Annotated[str | None, typer.Option(help="Region whose prices are used; the environment's.")] = None,
    devices: Annotated[
        int, typer.Option(help="Devices that send all readings over IoT Core; 0: producers write into Kinesis.")
    ] = 0,
) -> None:
    """What an environment needs for a number of meters, what each service costs, ways down, and limits on the way."""
    asked = DECADES if decades else meters or []
    if not asked:
        raise typer.BadParameter("give --meters or --decades")
    if devices < 0:
        raise typer.BadParameter("--devices is 0 or more")
    try:
        environment = environment_named(env)
        days = state_days if state_days is not None else int(environment.job.get("state_days", "100"))
        plans = [Plan(count, interval, days, environment, devices) for count in asked]
        sizes = [plan.size for plan in plans]
    except (ValueError, SettingsError) as error:
        raise typer.BadParameter(str(error)) from None
    # With several numbers of meters the devices are those of the first, and grow with the meters.
    plans = [replace(plan, devices=devices * plan.meters // asked[0]) for plan in plans]
    paid = prices(region or environment.region)
    bills = [bill(plan, paid) for plan in plans]
    tables.show(tables.needs(sizes), tables.costs(plans, bills))
    for plan in plans:
        tables.show(tables.savings(plan, ways_down(plan, paid)))
    tables.show(tables.limits(sizes))
    tables.assumptions(paid)


if __name__ == "__main__":
    app()
