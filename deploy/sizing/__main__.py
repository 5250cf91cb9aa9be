"""`python -m deploy.sizing`: estimate size and cost of a deployment by number of meters."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from deploy.settings import ENVIRONMENTS, SettingsError, environment_named
from deploy.sizing import tables
from deploy.sizing.bill import Plan, bill, savings_of
from deploy.sizing.prices import prices

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
DECADES = [10**power for power in range(3, 9)]


@app.command()
def main(
    meters: Annotated[list[int] | None, typer.Option(help="Number of meters; may be repeated.")] = None,
    decades: Annotated[bool, typer.Option(help="Show 1,000 to 100,000,000 meters.")] = False,
    interval: Annotated[int, typer.Option(help="Seconds between readings of a meter.")] = 300,
    state_days: Annotated[
        int | None, typer.Option(help="Setting `state_days` of the job. Default: the environment's, or 100.")
    ] = None,
    env: Annotated[
        str, typer.Option(help=f"Environment: {', '.join(ENVIRONMENTS)}, or one of environments.toml.")
    ] = "prod",
    region: Annotated[str | None, typer.Option(help="Region of the prices. Default: the environment's.")] = None,
    devices: Annotated[
        int, typer.Option(help="Devices that send readings over IoT Core. 0: producers write to Kinesis.")
    ] = 0,
) -> None:
    """Estimate size and monthly cost of an environment.

    Prints required resources, cost by service, possible savings and the limits of services, with all assumptions.

    \b
      python -m deploy.sizing --meters 100000 --env prod
    """
    asked = DECADES if decades else meters or []
    if not asked:
        raise typer.BadParameter("use --meters or --decades")
    if devices < 0:
        raise typer.BadParameter("--devices must be 0 or more")
    try:
        environment = environment_named(env)
        days = state_days if state_days is not None else int(environment.job.get("state_days", "100"))
        plans = [Plan(count, interval, days, environment, devices) for count in asked]
        sizes = [plan.size for plan in plans]
    except (ValueError, SettingsError) as error:
        raise typer.BadParameter(str(error)) from None
    # `devices` is for the first number of meters and scales with the others.
    plans = [replace(plan, devices=devices * plan.meters // asked[0]) for plan in plans]
    paid = prices(region or environment.region)
    bills = [bill(plan, paid) for plan in plans]
    tables.show(tables.needs(sizes), tables.costs(plans, bills))
    for plan in plans:
        tables.show(tables.savings(plan, savings_of(plan, paid)))
    tables.show(tables.limits(sizes))
    tables.assumptions(paid)


if __name__ == "__main__":
    app()
