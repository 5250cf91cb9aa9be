"""`optimise-contract`: the cheapest contracted power, and the capacitor bank that avoids the reactive charge."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flink_job.commands.console import fail, note, output, progress_bar
from flink_job.commands.metered import by_contracts, by_tariff
from flink_job.commands.rate import (
    AnyDate,
    ContractedKw,
    Currency,
    CycleDay,
    CycleStarts,
    Files,
    More,
    Prices,
    explained,
    make_pricing,
)
from flink_job.tenants import DEFAULT, qualified

if TYPE_CHECKING:
    from flink_job.billing.contract_power import Optimum
    from flink_job.billing.explain import Metered
    from flink_job.billing.power_factor import Advice


class Format(StrEnum):
    """Formats of the result."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"


#: Days of a year: fewer are noted.
_YEAR_DAYS = 365
_MICRO = 1_000_000


def optimise_contract(
    readings: Files,
    more: More = None,
    meter: Annotated[str, typer.Option(help="Meter, if the files have several.")] = "",
    supply: Annotated[
        str, typer.Option(help="With --contracts: supply point; its load is that of all its mains or parts.")
    ] = "",
    tariff: Annotated[
        list[str] | None, typer.Option(help="Tariff document with contracted_power; repeat for versions.")
    ] = None,
    contracts: Annotated[list[str] | None, typer.Option(help="NDJSON of contracts, instead of --tariff.")] = None,
    tariffs: Annotated[str, typer.Option(help="Folder (or s3:// prefix) of tariff documents, for --contracts.")] = "",
    tenant: Annotated[str, typer.Option(help="Tenant of the meter.")] = DEFAULT,
    timezone: Annotated[str, typer.Option(help="Time zone of the bill, and of times without an offset.")] = "",
    currency: Currency = "USD",
    cycle_day: CycleDay = 1,
    cycle_start: CycleStarts = None,
    prices: Prices = None,
    contracted_kw: ContractedKw = "",
    any_date: AnyDate = False,
    step_kw: Annotated[float, typer.Option(min=0.001, help="Step of the contracted power [kW].")] = 1.0,
    min_kw: Annotated[float, typer.Option(min=0, help="Least contracted power [kW].")] = 0.0,
    ascending: Annotated[
        bool | None,
        typer.Option(
            "--ascending/--any-order",
            help="Power must not fall from a period to the next; default: if there are six periods, as in Spain.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="Format of the result.")] = Format.TEXT,
    out: Annotated[Path | None, typer.Option(help="Write CSV or JSON to this file.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Chart of the cost by power: .png, .svg or .pdf.")] = None,
) -> None:
    """Find the cheapest contracted power.

    Rates a year of readings and finds the contracted power of each period with the lowest bills, charges for demand
    above it included. All steps up to the highest demand are compared exactly, and the bills now and then are rated in
    full. If the tariff charges reactive energy, also the capacitor bank that avoids the charge.

    \b
      echo '{"energy": {"P1": "0.2", "P2": "0.15", "P3": "0.12", "P4": "0.11",
        "P5": "0.1", "P6": "0.09"}, "power": {"P1": "20", "P2": "15", "P3": "9",
        "P4": "8", "P5": "5", "P6": "4"}, "kw": {"P1": "250", "P2": "250",
        "P3": "250", "P4": "250", "P5": "250", "P6": "300"}, "excess": {
        "P1": "3.4", "P2": "1.7", "P3": "1.2", "P4": "0.9", "P5": "0.2",
        "P6": "0.2"}}' > prices.json
      python -m flink_job tariffs spain 3.0TD --prices prices.json \\
        --out factory.json
      python -m flink_job optimise-contract --tariff factory.json --any-date \\
        --readings sample_data/year.csv.gz --meter factory \\
        --timezone Etc/GMT-1 --chart power.png
    """
    from flink_job.billing.contract_power import optimise
    from flink_job.billing.power_factor import advise

    if (not contracts and not (tariff and timezone)) or (contracts and not tariffs):
        fail("give --tariff FILE and --timezone ZONE, or --contracts FILE and --tariffs FOLDER")
    if contracts and not (supply or meter):
        fail("give --supply, a supply point of the contracts")
    if supply and not contracts:
        fail("--supply: give --contracts, which say what meters are in it")
    if form is Format.TEXT and out is not None:
        fail("--out: give --format csv or json")
    names = [*readings, *(more or ())]
    with explained():
        if contracts:
            name = supply or meter
            found = by_contracts(names, contracts, tariffs, tenant, prices, timezone, name)
            metered = found.metered(qualified(tenant, name))
        else:
            pricing = make_pricing(
                tariff or (), timezone, currency, cycle_day, cycle_start, prices, contracted_kw, any_date
            )
            metered = by_tariff(pricing, names, meter)
        with progress_bar("comparing", 6) as progress:
            steps = round(step_kw * _MICRO), round(min_kw * _MICRO)
            optimum = optimise(metered, *steps, ascending, progress)
        advice = advise(metered)
        if chart is not None:
            from flink_job.commands.power_chart import draw_power

            draw_power(metered.meter_id, optimum, chart)
    if optimum.days < _YEAR_DAYS:
        note(f"the bills are of {optimum.days} days; another season may have other peaks: give a year of readings")
    _show(metered, optimum, advice, form, out)
    if chart is not None:
        note(f"chart: {chart}")


def _show(metered: Metered, optimum: Optimum, advice: Advice | None, form: Format, out: Path | None) -> None:
    from flink_job.billing import power_report as report

    if form is Format.TEXT:
        output.print(report.power_table(metered.meter_id, optimum))
        for line in report.power_summary(optimum):
            output.print(line, highlight=False)
        if advice is not None:
            output.print()
            output.print(report.advice_table(advice))
            for line in report.advice_summary(advice, optimum.currency):
                output.print(line, highlight=False)
        return
    text = report.as_csv(optimum) if form is Format.CSV else report.as_json(metered.meter_id, optimum, advice)
    if out is None:
        print(text)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")
        note(f"wrote {out}")
