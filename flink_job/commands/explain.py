"""`explain`: the derivation of a bill, or of the cost of a reading, as on paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from flink_job.commands.console import errors, fail, note
from flink_job.commands.metered import SupplyFiles, by_contracts, by_tariff
from flink_job.commands.rate import (
    AnyDate,
    ContractedKw,
    Currency,
    CycleDay,
    CycleStarts,
    Prices,
    explained,
    make_pricing,
    parse_zone,
)
from flink_job.metering.zones import local_midnight_ms, zone_named
from flink_job.tenants import DEFAULT, qualified

if TYPE_CHECKING:
    from flink_job.billing.explain import Metered
    from flink_job.billing.explain_lake import Lake
    from flink_job.tariffs.explain import Explanation


class Format(StrEnum):
    """Formats of an explanation."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


#: Separates the meter from the beginning of the interval in the name of a reading.
AT = "@"


def explain(
    reading_id: Annotated[
        str, typer.Argument(help="Reading: METER@START, or with --lake a reading_id of `costs`.", show_default=False)
    ] = "",
    bill: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="SUPPLY CYCLE",
            help="Explain the bill of a supply point or meter and cycle: a day in it, or YYYY-MM.",
        ),
    ] = None,
    readings: Annotated[list[str] | None, typer.Option(help="Files of readings, as for `rate`. Repeatable.")] = None,
    tariff: Annotated[
        list[str] | None, typer.Option(help="Tariff document or URDB record; repeat for versions of the tariff.")
    ] = None,
    lake: Annotated[str, typer.Option(help="Output of a run instead of --readings: a folder, or s3://bucket.")] = "",
    contracts: Annotated[list[str] | None, typer.Option(help="NDJSON of contracts, instead of --tariff.")] = None,
    tariffs: Annotated[str, typer.Option(help="Folder (or s3:// prefix) of tariff documents, for --contracts.")] = "",
    tenant: Annotated[str, typer.Option(help="Tenant of the meter.")] = DEFAULT,
    timezone: Annotated[
        str, typer.Option(help="Time zone of the bill, such as Europe/Madrid, and of times without an offset.")
    ] = "",
    currency: Currency = "USD",
    cycle_day: CycleDay = 1,
    cycle_start: CycleStarts = None,
    prices: Prices = None,
    contracted_kw: ContractedKw = "",
    any_date: AnyDate = False,
    form: Annotated[Format, typer.Option("--format", help="Format of the explanation.")] = Format.TEXT,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Derive a bill or the cost of a reading.

    Shows each charge as on paper: quantity x price = amount, the tier and TOU period, the demand interval that set the
    peak, what each tax is on, and the rounding. For a reading, also the bill before and after it. The entries are the
    terms of which the amounts are computed; if they do not add up to the amount, the command ends with the difference.

    With contracts, the bill is that of the supply point, whose load is that of its mains or parts. A reading of a
    submeter adds nothing to it; its share is derived.

    From files, with one tariff as `rate` takes it:

    \b
      python -m flink_job explain --bill factory 2018-07 \\
        --readings sample_data/year.csv.gz --any-date \\
        --tariff sample_data/tariffs/eur-demand.json --timezone Etc/GMT-1

    \b
      python -m flink_job explain factory@2018-07-04T10:00 \\
        --readings sample_data/year.csv.gz --any-date \\
        --tariff sample_data/tariffs/eur-demand.json --timezone Etc/GMT-1

    From the output of a run, with the contracts and tariffs that priced it; --format html --out bill.html writes a page
    to send:

    \b
      python -m flink_job explain --bill zar-00000 2026-03 --lake out \\
        --contracts sample_data/contracts.ndjson \\
        --tariffs sample_data/tariffs
    """
    if bool(reading_id) == bool(bill):
        fail(
            "give either a reading, such as press@2026-01-31T10:00, or --bill METER CYCLE, such as --bill press 2026-01"
        )
    if bool(readings) == bool(lake):
        fail("give either --readings FILE (repeatable) or --lake FOLDER")
    if (lake or contracts) and not (contracts and tariffs):
        fail("give --contracts FILE and --tariffs FOLDER")
    if readings and not contracts and not (tariff and timezone):
        fail("give --tariff FILE and --timezone ZONE, or --contracts FILE and --tariffs FOLDER")
    if readings and reading_id and AT not in reading_id:
        fail(f"{reading_id!r}: name a reading of files as METER@START, such as press@2026-01-31T10:15")
    meter_id, _, moment = reading_id.rpartition(AT)
    with explained():
        if lake:
            with _lake(lake, contracts or (), tariffs, tenant, prices, timezone) as stored:
                found = _of_lake(stored, tenant, reading_id, bill, timezone)
        else:
            name = bill[0] if bill else meter_id
            if contracts:
                files = by_contracts(readings or (), contracts, tariffs, tenant, prices, timezone, name)
                found = _of_files(files, qualified(tenant, name), moment, bill)
            else:
                pricing = make_pricing(
                    tariff or (), timezone, currency, cycle_day, cycle_start, prices, contracted_kw, any_date
                )
                found = _of_meter(by_tariff(pricing, readings or (), name), moment, bill)
    _write(found, form, out)


def _of_meter(metered: Metered, moment: str, bill: tuple[str, str] | None) -> Sequence[Explanation]:
    from flink_job.billing.explain import explain_bill, explain_reading

    with errors.status("explaining"):
        if bill:
            return explain_bill(metered, _day(bill[1]))
        return [explain_reading(metered, _instant_ms(moment, ZoneInfo(metered.terms.zone.key)))]


def _of_files(files: SupplyFiles, name: str, moment: str, bill: tuple[str, str] | None) -> Sequence[Explanation]:
    from flink_job.billing.explain import explain_bill

    zone = zone_named(files.zone(name))
    with errors.status("explaining"):
        if bill:
            day = _day(bill[1])
            return explain_bill(files.metered(name, local_midnight_ms(day, zone)), day)
        return [files.reading(name, _instant_ms(moment, zone))]


@contextmanager
def _lake(
    lake: str,
    contracts: Sequence[str],
    tariffs: str,
    tenant: str,
    prices: Sequence[str] | None,
    timezone: str,
) -> Iterator[Lake]:
    """Yield the lake with its contracts, tariffs and price series."""
    from flink_job.batch.contracts import records_in_force
    from flink_job.billing.agreements import Book
    from flink_job.billing.documents import load_series
    from flink_job.billing.explain_lake import TABLES, Lake
    from flink_job.io.remote import downloaded
    from flink_job.lake.database import LakeError
    from flink_job.lake.selection import Selection
    from flink_job.tariffs.registry import open_registry

    known = records_in_force(contracts, note, tenant, accept_unknown=True)
    series = load_series(prices or (), parse_zone(timezone).key if timezone else None)
    try:
        with downloaded(lake, Selection(TABLES)) as folder:
            yield Lake(folder, Book(known.contracts, open_registry(tariffs), series, known.terms))
    except (LakeError, FileNotFoundError) as error:
        fail(str(error))


def _of_lake(
    lake: Lake, tenant: str, reading_id: str, bill: tuple[str, str] | None, timezone: str
) -> Sequence[Explanation]:
    meter_id, has_start, moment = reading_id.rpartition(AT)
    with errors.status("explaining"):
        if bill:
            return lake.bill(qualified(tenant, bill[0]), _day(bill[1]))
        if not has_start:
            return [lake.reading(reading_id)]
        start_ms = _instant_ms(moment, parse_zone(timezone or lake.zone(qualified(tenant, meter_id))))
        return [lake.interval(qualified(tenant, meter_id), start_ms)]


def _day(text: str) -> date:
    """Parse a day, or the first day of a month."""
    try:
        return date.fromisoformat(f"{text}-01" if len(text) == len("2026-01") else text)
    except ValueError:
        fail(f"--bill: {text!r} is not a day or month such as 2026-01-31 or 2026-01")


def _instant_ms(text: str, zone: tzinfo) -> int:
    """Parse the beginning of an interval: ISO 8601, in local time if it has no offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is not a time; name a reading as METER@START, such as press@2026-01-31T10:15 or ...10:15:00Z")
    return round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000)


def _write(found: Sequence[Explanation], form: Format, out: Path | None) -> None:
    from flink_job.billing.explain_report import as_html, as_json, as_text

    writers: Mapping[Format, Callable[[Sequence[Explanation]], str]] = {
        Format.TEXT: as_text,
        Format.JSON: as_json,
        Format.HTML: as_html,
    }
    text = writers[form](found)
    if out is None:
        print(text)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text + "\n", encoding="utf-8")
    errors.print(f"wrote {out}")
