"""`rate` and `compare`: rate files of readings without Flink."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.table import Table

from flink_job.commands.console import counted, errors, fail, note, progress_bar
from flink_job.errors import MeteringError

if TYPE_CHECKING:
    from flink_job.billing.inputs import Readings
    from flink_job.billing.run import Pricing, Totals

console = Console()
#: Terminal width that a comparison by line needs; a narrower terminal shows only totals.
WIDE = 130

Files = Annotated[
    list[str],
    typer.Option(help="CSV (meter_id,ts,interval_s,kwh), NDJSON readings or Parquet; also .gz and s3://. Repeatable."),
]
More = Annotated[
    list[str] | None,
    typer.Argument(help="More files of readings, for example from --readings *.csv.", show_default=False),
]
Timezone = Annotated[
    str, typer.Option(help="Time zone of the bill, such as Europe/Madrid, or Etc/GMT-1 for UTC+1 without DST.")
]
Currency = Annotated[str, typer.Option(help="Currency of a URDB tariff, which has none.")]
CycleDay = Annotated[int, typer.Option(min=1, max=31, help="Day of the month on which billing cycles begin.")]
CycleStarts = Annotated[
    list[datetime] | None,
    typer.Option(
        formats=["%Y-%m-%d"], help="Days on which cycles begin, instead of --cycle-day; the last one is an end."
    ),
]
Prices = Annotated[
    list[str] | None, typer.Option(help="NAME=FILE: a price series (CSV, Octopus or PVPC) that a tariff refers to.")
]
Emissions = Annotated[
    list[str] | None,
    typer.Option(help="File of grams of CO2 per kWh over time, in a format of --prices: adds the column co2_kg."),
]
AnyDate = Annotated[bool, typer.Option(help="Rate readings of any date by the newest tariff version.")]
Chart = Annotated[Path | None, typer.Option(help="Write a chart to this file: .png, .svg or .pdf.")]
MaxPowerKw = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        help="Highest power that a meter can measure: a step of a register beyond it is no energy. "
        "Default: ten times the contracted power, or 10 MW.",
    ),
]
Contracts = Annotated[
    list[str] | None,
    typer.Option(
        help="NDJSON of contracts: one bill for each supply point, shared to its meters; --tariff is then a folder."
    ),
]
By = Annotated[str, typer.Option(help="With --contracts: shares by `day` (CSV) or by `interval` (Parquet).")]
ContractedKw = Annotated[str, typer.Option(help="Contracted power, such as P1=50,P2=50.")]


def rate(
    tariff: Annotated[
        list[str], typer.Option(help="Tariff document or URDB record; repeat for versions of the tariff.")
    ],
    readings: Files,
    out: Annotated[Path, typer.Option(help="Folder for costs.parquet and bills.csv.")],
    timezone: Annotated[
        str,
        typer.Option(help="Time zone of the bill, such as Europe/Madrid; with --contracts, of times without offset."),
    ] = "",
    more: More = None,
    currency: Currency = "USD",
    cycle_day: CycleDay = 1,
    cycle_start: CycleStarts = None,
    prices: Prices = None,
    contracted_kw: ContractedKw = "",
    max_power_kw: MaxPowerKw = None,
    any_date: AnyDate = False,
    chart: Chart = None,
    contracts: Contracts = None,
    by: By = "day",
    emissions: Emissions = None,
) -> None:
    """Compute bills and costs of readings, from files.

    Readings are rated in order of time, with one bill per meter and billing cycle. Negative energy is export. Times
    without an offset are local times of --timezone. A cycle with at least one reading is billed completely; bills of a
    URDB tariff are calendar months.

    With --contracts, each supply point has one bill, with the coincident peak of its mains, and shares.csv has the
    part of each meter in it. With --emissions, costs and bills have the CO2 of the imported energy.

    \b
      python -m flink_job rate --tariff sample_data/tariffs/eur-demand.json \\
        --readings sample_data/year.csv.gz --timezone Etc/GMT-1 --any-date \\
        --out out --chart out/bills.png
    """
    from flink_job.billing.emissions import EMISSIONS
    from flink_job.billing.notices import notices
    from flink_job.billing.run import rate_meters, write_results
    from flink_job.tariffs.series import read_series

    files = [*readings, *(more or ())]
    if contracts:
        from flink_job.commands.supplies import rate_supplies

        if by not in ("day", "interval"):
            fail(f"--by {by}: it is day or interval")
        if emissions:
            fail("--emissions: not with --contracts; rate the meters without it")
        with explained():
            most_uw = None if max_power_kw is None else _highest_power(max_power_kw, "")
            rate_supplies(contracts, tariff, files, timezone, prices, out, by == "day", most_uw)
        return
    if not timezone:
        fail("--timezone is required: the zone of the site, such as Europe/Madrid")
    started = time.monotonic()
    with explained():
        pricing = make_pricing(tariff, timezone, currency, cycle_day, cycle_start, prices, contracted_kw, any_date)
        if emissions:
            pricing = replace(pricing, emissions=read_series(EMISSIONS, emissions, timezone))
        most_uw = _highest_power(max_power_kw, contracted_kw)
        found = read(files, ZoneInfo(pricing.terms.zone.key), most_uw)
        with progress_bar("rating", found.count) as progress:
            totals, bills = write_results(rate_meters(pricing, found.meters, True, progress), out)
        if chart is not None:
            from flink_job.commands.bill_chart import draw_bills

            draw_bills(bills, found.meters, ZoneInfo(pricing.terms.zone.key), chart)
    _summary(totals, pricing.versions[0].currency)
    for line in notices(pricing.versions, pricing.terms.zone, found.meters):
        note(line)
    console.print(
        f"{counted(totals.readings, 'reading')} of {counted(totals.meters, 'meter')}, "
        f"{counted(totals.bills, 'bill')} in "
        f"{time.monotonic() - started:.1f} s. See {out}/bills.csv and {out}/costs.parquet"
    )
    if chart is not None:
        console.print(f"chart: {chart}")


def compare(
    readings: Files,
    tariffs: Annotated[Path, typer.Option(help="Folder of tariff documents or URDB records.")],
    timezone: Timezone,
    more: More = None,
    currency: Currency = "USD",
    cycle_day: CycleDay = 1,
    prices: Prices = None,
    contracted_kw: ContractedKw = "",
    max_power_kw: MaxPowerKw = None,
    any_date: AnyDate = False,
    out: Annotated[Path | None, typer.Option(help="Write the bills under every tariff to this CSV file.")] = None,
    chart: Chart = None,
) -> None:
    """Rate the same readings under several tariffs.

    Lists the total under each tariff of a folder, cheapest first. Documents with the same tariff_id are versions of one
    tariff. A tariff that cannot rate the readings is reported with the reason.

    \b
      python -m flink_job compare --readings sample_data/year.csv.gz \\
        --tariffs sample_data/tariffs --timezone Etc/GMT-1 --any-date
    """
    from flink_job.billing.compare import Comparison, alternatives

    with explained():
        zone = parse_zone(timezone)
        found = read([*readings, *(more or ())], zone, _highest_power(max_power_kw, contracted_kw))
        options, faults = alternatives(tariffs, timezone, currency)
        comparison = Comparison(found.meters)
        with progress_bar("comparing", len(options)) as progress:
            for done, (name, files) in enumerate(options.items(), start=1):
                try:
                    pricing = make_pricing(files, timezone, currency, cycle_day, None, prices, contracted_kw, any_date)
                    comparison.add(name, pricing)
                except MeteringError as error:
                    faults.append(f"{name}: {error}")
                progress(done)
    for fault in faults:
        note(f"skipped: {fault}")
    if not comparison.results:
        fail(f"{tariffs}: no tariff could rate these readings")
    wide = console.width >= WIDE or not console.is_terminal
    Console(width=None if console.is_terminal else WIDE).print(comparison.table(wide))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        comparison.write(out)
        console.print(f"bills under every tariff: {out}")
    if chart is not None:
        from flink_job.commands.bill_chart import draw_comparison

        with explained():
            draw_comparison(comparison.ranked(), chart)
        console.print(f"chart: {chart}")


def make_pricing(
    tariff: Sequence[str],
    timezone: str,
    currency: str,
    cycle_day: int,
    cycle_start: Sequence[datetime] | None,
    prices: Sequence[str] | None,
    contracted_kw: str,
    any_date: bool,
) -> Pricing:
    """Return tariff versions, billing terms and price series from the options of a command."""
    from flink_job.billing.documents import contracted, load_series, load_versions
    from flink_job.billing.run import Pricing
    from flink_job.tariffs.history import BillingTerms

    zone = parse_zone(timezone)
    versions, is_urdb = load_versions(tariff, timezone, currency, any_date)
    if is_urdb and (cycle_day != 1 or cycle_start):
        note("billing cycles of a URDB tariff are calendar months: cycle options are ignored")
        cycle_day, cycle_start = 1, None
    starts = tuple(sorted(moment.date() for moment in cycle_start or ()))
    series = load_series(prices or (), timezone)
    return Pricing(versions, BillingTerms(zone, cycle_day, starts), series, contracted(contracted_kw))


def parse_zone(timezone: str) -> ZoneInfo:
    """Return a time zone by name, or end the command with an error."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fail(f"--timezone {timezone}: not an IANA time zone; examples: Europe/Madrid, America/New_York, Etc/GMT-1")


def _highest_power(max_power_kw: float | None, contracted_kw: str) -> int:
    """Return the highest power of a meter [1e-6 kW] by the options of a command."""
    from flink_job.billing.documents import contracted
    from flink_job.metering.highest_power import highest_power_uw
    from flink_job.metering.units import MICRO

    stated = None if max_power_kw is None else Decimal(str(max_power_kw))
    powers = [Decimal(power_u) / MICRO for power_u in contracted(contracted_kw).values()]
    return highest_power_uw(stated, powers, Decimal(1))


def read(names: Sequence[str], zone: ZoneInfo, most_uw: int) -> Readings:
    """Read all files; print the number of rejected records and duplicates, and what is uncertain in register reads.

    `most_uw`: highest power of a meter [1e-6 kW].
    """
    from flink_job.billing.inputs import read_readings
    from flink_job.imports.accept import accepted
    from flink_job.imports.plausible import doubts

    with errors.status("reading"), TemporaryDirectory(prefix="imported-") as folder:
        files = accepted(names, Path(folder))
        found = read_readings(files.names, zone, most_uw)
    found.rejected.update(files.refused)
    for line in files.notes:
        note(line)
    for code, count in found.rejected.most_common():
        note(f"{counted(count, 'record')} rejected: {code}")
    for line in doubts(found.meters, most_uw):
        note(line)
    if found.duplicates:
        note(f"{counted(found.duplicates, 'duplicate')} ignored: each interval counts once")
    if found.estimated:
        note(f"energy is estimated: {counted(found.estimated, 'interval')} of silences of registers, spread by time")
    if found.implausible:
        note(
            f"{counted(found.implausible, 'register read')} without energy: an exchanged register, a wrong value, or "
            f"more than {most_uw / 1_000_000:,.6g} kW (--max-power-kw)"
        )
    return found


@contextmanager
def explained() -> Iterator[None]:
    """End the command with the message of an error that the user can correct."""
    from flink_job.tariffs.model import TariffError

    try:
        yield
    except TariffError as error:
        fail(f"{str(error).split(':', 1)[0]}:\n" + "\n".join(f"  {problem}" for problem in error.problems))
    except MeteringError as error:
        fail(str(error))


def _summary(totals: Totals, currency: str) -> None:
    from flink_job.billing.run import amount_text
    from flink_job.tariffs.bill_lines import LINES

    table = Table("", currency, title="All bills")
    table.columns[1].justify = "right"
    for line in LINES:
        if totals.lines[line]:
            table.add_row(line, amount_text(totals.lines[line]))
    table.add_row("total", amount_text(totals.total), style="bold")
    console.print(table)
