"""`rate --contracts` and `shares`: bills of supply points, and who bears them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from flink_job.commands.console import counted, fail, note, progress_bar
from flink_job.commands.period import day_of
from flink_job.tenants import plain

if TYPE_CHECKING:
    from flink_job.billing.inputs import Readings
    from flink_job.billing.supplies import SupplyBills, SupplyRating
    from flink_job.supplies.peaks import Peak
    from flink_job.supplies.rated import SharedBill

console = Console()
MAX_METERS = 20


def rate_supplies(
    contracts: Sequence[str],
    tariffs: Sequence[str],
    names: Sequence[str],
    timezone: str,
    prices: Sequence[str] | None,
    out: Path,
    by_day: bool,
    most_uw: int | None = None,
) -> None:
    """Rate the supply points of contracts: write bills.csv and the shares, and print who bears each bill.

    `most_uw`: highest power of a meter [1e-6 kW], None for the highest by the contracts.
    """
    from flink_job.billing.supplies import SupplyBills, write_supplies

    started = time.monotonic()
    rating, found = _inputs(contracts, tariffs, names, timezone, prices, most_uw)
    result = SupplyBills()
    with progress_bar("sharing", found.count) as progress:
        rated = rating.rated(found.meters, result.faults)
        write_supplies(rated, rating.contracts, out, by_day, result, progress)
    for fault in result.faults:
        note(str(fault))
    for supply_point, count in sorted(result.negative_rests.items()):
        note(
            f"sum_check: supply point {plain(supply_point)}: {counted(count, 'row')} with negative energy: the meters "
            "behind a meter measured more than it did"
        )
    if not result.bills:
        fail("no supply point could be billed")
    for supply_point in sorted({billed.meter_id for billed in result.bills}):
        console.print(_bill_table(result, supply_point))
    console.print(
        f"{counted(found.count, 'reading')}, {counted(len(result.bills), 'bill')} in "
        f"{time.monotonic() - started:.1f} s. See {out}/bills.csv and {out}/shares.{'csv' if by_day else 'parquet'}"
    )


def _inputs(
    contracts: Sequence[str],
    tariffs: Sequence[str],
    files: Sequence[str],
    timezone: str,
    prices: Sequence[str] | None,
    most_uw: int | None = None,
) -> tuple[SupplyRating, Readings]:
    from flink_job.billing.documents import load_series
    from flink_job.billing.supplies import SupplyRating, read_contracts
    from flink_job.commands.rate import parse_zone, read
    from flink_job.metering.changes import zone_of
    from flink_job.metering.highest_power import highest_power_of
    from flink_job.tariffs.registry import open_registry

    if len(tariffs) != 1 or Path(tariffs[0]).is_file():
        fail("--tariff: with --contracts, give one folder of tariff documents (or an s3:// prefix)")
    known = read_contracts(contracts)
    meters, terms = known.contracts, known.terms
    zones = {zone_of(contract) for contract in meters.values()}
    if not timezone:
        timezone = min(zones) if len(zones) == 1 and ">" not in min(zones) else "UTC"
    try:
        registry = open_registry(tariffs[0])
    except FileNotFoundError as error:
        fail(str(error))
    for name, fault in registry.faults.items():
        note(f"{name}: {fault}")
    most_uw = most_uw or max(map(highest_power_of, meters.values()))
    found = read(files, ZoneInfo(parse_zone(timezone).key), most_uw)
    if unknown := sorted(found.meters.keys() - meters.keys()):
        names = ", ".join(unknown[:5]) + " ..." * (len(unknown) > 5)
        note(f"{counted(len(unknown), 'meter')} without a contract: {names}")
    return SupplyRating(meters, registry, load_series(prices or (), timezone), terms), found


def _bill_table(result: SupplyBills, supply_point: str) -> Table:
    """Return the bills of a supply point in sum, and the meters that bear most of them."""
    bills = [billed for billed in result.bills if billed.meter_id == supply_point]
    total = sum(billed.bill.total for billed in bills)
    currency = ", ".join(sorted({billed.currency for billed in bills}))
    first, last = min(b.bill.start for b in bills), max(b.bill.end for b in bills)
    title = f"{plain(supply_point)}: {counted(len(bills), 'bill')}, {first} to {last}"
    table = Table("shared to", "kWh", currency, "%", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    rows = [
        (meter, energy, amount) for (supply, meter), (energy, amount) in result.shared.items() if supply == supply_point
    ]
    rows.sort(key=lambda row: (-row[2], row[0]))
    rest = [row for row in rows if row[0].endswith(":rest")]
    meters = [row for row in rows if not row[0].endswith(":rest")]
    shown = meters[:MAX_METERS]
    if more := meters[MAX_METERS:]:
        shown.append((f"{len(more)} other meters", sum(r[1] for r in more), sum(r[2] for r in more)))
    for meter, energy, amount in (*shown, *rest):
        share = f"{amount / total:.1%}" if total else ""
        table.add_row(meter, f"{energy / 1e6:,.3f}", f"{amount / 1e6:,.2f}", share)
    table.add_section()
    energy = sum(billed.import_ukwh for billed in bills)
    table.add_row("bill", f"{energy / 1e6:,.3f}", f"{total / 1e6:,.2f}", "", style="bold")
    return table


def shares(
    readings: Annotated[list[str], typer.Option(help="Files of readings, as for `rate`. Repeatable.")],
    contracts: Annotated[list[str], typer.Option(help="NDJSON of contracts with supply points. Repeatable.")],
    tariffs: Annotated[str, typer.Option(help="Folder (or s3:// prefix) of tariff documents.")],
    peak: Annotated[bool, typer.Option("--peak", help="List who made the peaks of each bill.")] = False,
    supply_point: Annotated[str, typer.Option(help="Only this supply point.")] = "",
    cycle: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only the cycle from this day.")] = None,
    timezone: Annotated[str, typer.Option(help="Time zone of times without an offset.")] = "",
    prices: Annotated[list[str] | None, typer.Option(help="NAME=FILE: a price series, as for `rate`.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Number of meters to list for each peak.")] = 10,
) -> None:
    """Show who made the peak of a supply's bill.

    Lists the demand intervals that set the demand charge of each bill, and the power of each meter in them, less that
    of the meters behind it; first the one furthest above its usual power, the median of the other days at that time.

    \b
      python -m flink_job shares --peak --readings readings.ndjson \\
        --contracts contracts.ndjson --tariffs my-tariffs
    """
    from flink_job.commands.rate import explained
    from flink_job.supplies.membership import SupplyError
    from flink_job.supplies.peaks import peaks_of

    if not peak:
        fail("give --peak; `rate --contracts` writes the shares of all meters")
    faults: list[SupplyError] = []
    wanted, count = day_of(cycle), 0
    with explained():
        rating, found = _inputs(contracts, [tariffs], readings, timezone, prices)
        for rated in rating.rated(found.meters, faults):
            if supply_point and plain(rated.supply.supply_point) != supply_point:
                continue
            for bill in rated.bills():
                if wanted is None or bill.charges.bill.cycle_start == wanted:
                    for one in peaks_of(bill):
                        count += 1
                        console.print(_peak_table(rated.supply.supply_point, bill, one, top))
    for fault in faults:
        note(str(fault))
    if not count:
        fail("no bill has a demand charge" + (f" in the cycle from {wanted}" if wanted else ""))


def _peak_table(supply_point: str, bill: SharedBill, peak: Peak, top: int) -> Table:
    zone = bill.charges.context.terms.zone
    begin, end = (datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone) for ms in peak.part[2:4])
    title = (
        f"{plain(supply_point)}, cycle from {bill.charges.bill.cycle_start}, {peak.part.name}: "
        f"{peak.part.demand_ukw / 1e6:,.3f} kW on {begin:%Y-%m-%d %H:%M} to {end:%H:%M}, "
        f"{peak.part.amount / 1e6:,.2f} {bill.charges.tariff.currency}"
    )
    table = Table("meter", "kW", "usual kW", "above usual", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in peak.meters[:top]:
        usual = "" if one.usual_kw is None else f"{one.usual_kw:,.3f}"
        table.add_row(plain(one.meter_id) or "rest", f"{one.power_kw:,.3f}", usual, f"{one.above_kw:+,.3f}")
    if len(peak.meters) > top:
        rest = peak.meters[top:]
        power = sum(one.power_kw for one in rest)
        table.add_row(f"{len(rest)} others", f"{power:,.3f}", "", f"{sum(one.above_kw for one in rest):+,.3f}")
    return table
