"""`settle`: computes exact bills from the lake; writes adjustments of the streamed costs, and the shares of meters."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from flink_job.commands.console import errors, fail, note, progress_bar
from flink_job.commands.period import From, To, day_of
from flink_job.commands.rate import Prices, explained, parse_zone
from flink_job.tenants import DEFAULT, plain, split

if TYPE_CHECKING:
    from flink_job.billing.adjustments import Adjustment
    from flink_job.billing.news_run import NewsRun
    from flink_job.billing.rerate import Rerated

console = Console()
MAX_ROWS = 50


def settle(
    lake: Annotated[str, typer.Argument(help="Output of a run: a folder, or s3://bucket.")],
    contracts: Annotated[list[str], typer.Option(help="NDJSON of contracts; the last record of a meter is valid.")],
    tariffs: Annotated[str, typer.Option(help="Folder (or s3:// prefix) of tariff documents.")],
    meter: Annotated[str, typer.Option(help="Only the supply point of this name or meter; nothing is written.")] = "",
    tenant: Annotated[str, typer.Option(help="Tenant of contracts without one.")] = DEFAULT,
    prices: Prices = None,
    timezone: Annotated[
        str, typer.Option(help="Time zone of prices whose times have no UTC offset; they are errors without it.")
    ] = "",
    dry_run: Annotated[bool, typer.Option(help="Only show the adjustments.")] = False,
    first: From = None,
    last: To = None,
    changed: Annotated[
        bool, typer.Option(help="Only supplies of which a contract was changed after readings had been priced.")
    ] = False,
    allow_partial: Annotated[
        bool, typer.Option(help="Settle the other supplies if some cannot be; theirs keep their adjustments.")
    ] = False,
    news: Annotated[bool, typer.Option("--news", help="Only cycles with news since the last run with --news.")] = False,
    allowance_days: Annotated[
        int, typer.Option(min=0, help="With --news: days after the end of a cycle at which it is settled finally.")
    ] = 5,
    metrics: Annotated[
        str, typer.Option(help="With --news: print metrics of the run for CloudWatch, of this deployment.")
    ] = "",
) -> None:
    """Settle billing cycles: write exact bills.

    Rates the cycles of each supply point in order of time and writes the difference to the costs as table
    `adjustments`. Costs plus adjustments are the exact bills (view `bills`), and their days (view `kpis_1d`). The bill
    of a supply with several meters is shared to them (table `shares`, view `shared_costs`). Table `settlements` says
    what has changed and why. A second run changes nothing.
    Cycles that end after the last reading are open: their time is charged up to it. If a meter lacks its contract
    or tariff, nothing is written.

    With --changed, only supplies in view `unsettled_changes` are settled.

    With --news, only cycles are settled for which something came since the last run with --news: readings, changes of
    contracts, tariffs or prices; and those that have closed. Only their partitions are read. What cannot be settled is
    tried again by the next run. The first run settles the whole lake.

    With --from and --to, only partitions of these days are read, and only cycles within them are settled: those that
    begin after --from and end by --to. Other adjustments are retained. For a tariff with a ratchet, --from must
    include its look-back.

    \b
      python -m flink_job settle out --contracts contracts.ndjson --tariffs tariffs
    """
    from flink_job.batch.contracts import records_in_force
    from flink_job.billing.agreements import Book
    from flink_job.billing.documents import load_series
    from flink_job.billing.news_run import NewsRun
    from flink_job.billing.rerate import selected
    from flink_job.billing.settling import Settling
    from flink_job.io.remote import downloaded
    from flink_job.lake.database import LakeError
    from flink_job.tariffs.registry import open_registry

    if (changed or news) and (first or last):
        fail("--changed and --news find their cycles by themselves: use them without --from and --to")
    if news and (changed or meter):
        fail("--news is for all supplies and contains --changed: use it without --changed and --meter")
    began = datetime.now(UTC)
    with explained(), tempfile.TemporaryDirectory(prefix="settle-") as work:
        known = records_in_force(contracts, note, tenant, accept_unknown=True)
        try:
            registry = open_registry(tariffs)
            selection = selected(day_of(first), day_of(last))
            series = load_series(prices or (), parse_zone(timezone).key if timezone else None)
            book = Book(known.contracts, registry, series, known.terms)
            if news:
                _settle_news(NewsRun(lake, book, began, timedelta(allowance_days), allow_partial, dry_run), metrics)
                return
            with ExitStack() as stack:
                with errors.status("reading the lake"):
                    folder = stack.enter_context(downloaded(lake, selection))
                settled = Settling(folder, selection, Path(work))
                with progress_bar("settling", len(known.contracts)) as progress:
                    result = settled.rate(book, meter, progress, changed)
                _report(result)
                if dry_run or meter:
                    console.print("nothing was written")
                elif result.problems and not allow_partial:
                    fail(
                        f"{len(result.problems):,} meters or supplies cannot be settled; nothing was written. "
                        "Give all contracts and tariffs, or --allow-partial to settle the others"
                    )
                else:
                    settled.write(lake, result, began, changed)
                    console.print(f"adjustments: {lake.rstrip('/')}/adjustments/adjustments.parquet")
        except (LakeError, FileNotFoundError) as error:
            fail(str(error))


def _settle_news(run: NewsRun, deployment: str) -> None:
    """Settle news, and print metrics if a deployment is named."""
    from flink_job.billing.settlement_metrics import metric_lines

    run.settled = _report
    with progress_bar("settling", len(run.book.contracts)) as run.progress:
        count = run.run()
    if not count:
        console.print("no news since the last settlement")
    elif run.dry_run:
        console.print("nothing was written")
    for name, spans in run.left.items():
        note(f"{_shown(name)}: left for the next run, from {spans[0][0]} on")
    if deployment:
        for line in metric_lines(run, deployment, datetime.now(UTC)):
            print(line)


def _report(result: Rerated) -> None:
    changed = sorted((a for a in result.adjustments if a.changes), key=lambda a: -abs(a.total))
    for meter, problem in result.problems.items():
        note(f"{_shown(meter)}: not rated: {problem}")
    if changed:
        console.print("cycle: stream + adjustment = exact, largest first", style="bold")
    for adjustment in changed[:MAX_ROWS]:
        for line in _lines(adjustment):
            console.print(line, markup=False, soft_wrap=True)
    if len(changed) > MAX_ROWS:
        console.print(f"... and {len(changed) - MAX_ROWS:,} smaller ones")
    totals: dict[str, int] = {}
    for adjustment in changed:
        totals[adjustment.currency] = totals.get(adjustment.currency, 0) + adjustment.total
    same = len(result.adjustments) - len(changed)
    console.print(f"{len(result.adjustments):,} cycles: {same:,} equal to the last digit, {len(changed):,} adjusted")
    for currency, amount in totals.items():
        console.print(f"adjusted by {amount / 1e6:,.6f} {currency}")


def _shown(meter: str) -> str:
    tenant, name = split(meter)
    return name if tenant == DEFAULT else f"{name} of {tenant}"


def _lines(adjustment: Adjustment) -> Iterator[str]:
    cycle_start, tariff_id, version = adjustment.key
    still = ", still open" if adjustment.is_open else ""
    streamed, exact = sum(adjustment.streamed.values()), sum(adjustment.exact.values())
    cycle = f"{cycle_start} to {adjustment.cycle_end}{still}"
    yield (
        f"{_shown(adjustment.supply_point)} {cycle}, {plain(tariff_id)} {version}: "
        f"{streamed / 1e6:,.6f} + {adjustment.total / 1e6:,.6f} = {exact / 1e6:,.6f} {adjustment.currency}"
    )
    changes = ", ".join(
        f"{charge.replace('_', ' ')} {amount / 1e6:+,.6f}" for charge, amount in adjustment.changes.items()
    )
    yield f"    {changes}: {adjustment.why}"
