"""`tariffs`: check, show, import from URDB, and create Spanish tariff documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flink_job.commands.console import errors, fail, note
from flink_job.commands.rate import Currency, Prices, explained, parse_zone

commands = typer.Typer(help="Check, show and import tariff documents.", no_args_is_help=True, rich_markup_mode=None)

Out = Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")]


@commands.command()
def check(
    files: Annotated[
        list[str], typer.Argument(help="Tariff documents or URDB records; or folders and s3:// prefixes of them.")
    ],
    timezone: Annotated[str, typer.Option(help="Time zone of URDB records.")] = "UTC",
    currency: Currency = "USD",
    interval_s: Annotated[
        int | None, typer.Option(min=1, max=86_400, help="Interval of the readings [s]: says what a bill has to guess.")
    ] = None,
) -> None:
    """Check tariff documents.

    Reports all faults with their places, and versions of one tariff with the same name or start; the exit code is 2
    if there are any. Also lists the charges that only settlement computes.

    \b
      python -m flink_job tariffs check sample_data/tariffs --interval-s 600
    """
    from flink_job.billing.documents import load_document
    from flink_job.billing.notices import for_interval
    from flink_job.io.records import InputError
    from flink_job.tariffs.claims import ambiguous
    from flink_job.tariffs.model import Tariff, TariffError

    faults = []
    checked: dict[str, dict[str, Tariff]] = {}
    for tenant, name in _documents(files):
        try:
            tariff = load_document(name, timezone, currency).tariff
        except (TariffError, InputError) as error:
            faults.append(str(error))
            continue
        checked.setdefault(tenant, {})[name] = tariff
        until = f" to {tariff.valid_to}" if tariff.valid_to else ""
        print(f"{tariff.tariff_id} {tariff.version}: {tariff.currency}, from {tariff.valid_from}{until}")
        if left := list(tariff.left_to_settlement()):
            print(f"  provisional in the stream until settled: {', '.join(left)}")
        for line in for_interval(tariff, interval_s) if interval_s else ():
            print(f"  {line}")
    for tariffs in checked.values():
        faults += ambiguous(tariffs)
    if faults:
        fail("\n".join(faults))


@commands.command()
def show(
    file: Annotated[str, typer.Argument(help="Tariff document or URDB record.")],
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Local day to chart; default: today.")
    ] = None,
    week: Annotated[bool, typer.Option(help="Chart seven days from this day on.")] = False,
    timezone: Annotated[str, typer.Option(help="Time zone, if the document has none.")] = "",
    currency: Currency = "USD",
    prices: Prices = None,
) -> None:
    """Show the charges and prices of a tariff.

    \b
      python -m flink_job tariffs show sample_data/tariffs/eur-tou.json \\
        --day 2026-03-29 --timezone Europe/Madrid
      python -m flink_job tariffs show sample_data/tariffs/eur-demand.json \\
        --week --timezone Europe/Madrid
    """
    from flink_job.billing.documents import load_document, load_series
    from flink_job.commands.bill_tables import charges_table, day_chart, week_chart

    console = Console()
    with explained():
        document = load_document(file, timezone or "UTC", currency)
        zone = parse_zone(timezone) if timezone else document.tariff.timezone
        if zone is None:
            note("the document has no time zone: charted in UTC; set --timezone")
            zone = parse_zone("UTC")
        first = (day or datetime.now(UTC)).date()
        series = load_series(prices or (), zone.key)
        console.print(charges_table(document.tariff, document.content))
        chart = week_chart if week else day_chart
        console.print(chart(document.tariff, zone, first, series))


@commands.command("import-urdb")
def import_urdb(
    file: Annotated[str, typer.Argument(help="A URDB record (version 8), or an API response with one.")],
    timezone: Annotated[str, typer.Option(help="IANA time zone of the utility; URDB has none.")],
    currency: Annotated[str, typer.Option(help="ISO 4217 code; URDB has none.")],
    out: Out = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Leave out a field, for example a charge that is an error. Repeatable.")
    ] = None,
    no_export: Annotated[bool, typer.Option(help="Credit nothing for exported energy.")] = False,
) -> None:
    """Convert a URDB record to a tariff document.

    Converts a record of OpenEI's Utility Rate Database. A rule that tariff documents cannot represent is an error that
    names the field; --without imports the rest, and the document's source then names what was left out.

    \b
      python -m flink_job tariffs import-urdb record.json \\
        --timezone America/Denver --currency USD --out tariff.json
    """
    from flink_job.billing.documents import load_document
    from flink_job.io.records import InputError

    parse_zone(timezone)
    with explained():
        document = load_document(file, timezone, currency, without or (), no_export)
        if not document.is_urdb:
            raise InputError(f"{file}: not a URDB record")
    _write(document.content, out)


@commands.command()
def spain(
    kind: Annotated[str, typer.Argument(help="2.0TD, 3.0TD, 6.1TD, 6.2TD, 6.3TD or 6.4TD.")],
    prices: Annotated[
        Path,
        typer.Option(
            help="JSON with prices of the supplier: energy and power by period, and kw, excess, surplus, dynamic."
        ),
    ],
    zone: Annotated[str, typer.Option(help="peninsula, balearics, canaries, ceuta or melilla.")] = "peninsula",
    out: Out = None,
) -> None:
    """Create the document of a Spanish access tariff.

    Calendars, excess power, reactive energy and taxes are defined by law; the prices are given.

    \b
      echo '{"energy": {"P1": "0.20", "P2": "0.15", "P3": "0.10"},
        "power": {"P1": "28", "P2": "1.5"}}' > prices.json
      python -m flink_job tariffs spain 2.0TD --prices prices.json \\
        --out workshop.json
    """
    from flink_job.tariffs.document import read_tariff
    from flink_job.tariffs.spain import SpainError, spanish_tariff

    with explained():
        try:
            document = spanish_tariff(kind, zone, json.loads(prices.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            fail(f"{prices}: {error}" if not isinstance(error, SpainError) else str(error))
        read_tariff(document, kind)
    _write(document, out)


@commands.command()
def schema() -> None:
    """Print the JSON Schema of tariff documents."""
    from flink_job.tariffs.document import schema as published

    print(json.dumps(published(), indent=1))


def _documents(files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (tenant, name) of the documents of files, folders and S3 prefixes. A subfolder has the tenant's name."""
    for name in files:
        if name.startswith("s3://") and not name.endswith(".json"):
            yield from _s3_documents(name)
        elif Path(name).is_dir():
            yield from (("", str(path)) for path in sorted(Path(name).glob("*.json")))
            yield from ((path.parent.name, str(path)) for path in sorted(Path(name).glob("*/*.json")))
        else:
            yield "", name


def _s3_documents(prefix: str) -> Iterator[tuple[str, str]]:
    from urllib.parse import urlparse

    from flink_job.io.kinesis import client

    place = urlparse(prefix)
    pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=place.netloc, Prefix=place.path.lstrip("/"))
    keys = (item["Key"] for page in pages for item in page.get("Contents", ()))
    for key in keys:
        if key.endswith(".json"):
            tenant = key.removeprefix(place.path.lstrip("/")).lstrip("/").rpartition("/")[0]
            yield tenant, f"s3://{place.netloc}/{key}"


def _write(document: Any, out: Path | None) -> None:
    text = json.dumps(document, indent=1, ensure_ascii=False)
    if out is None:
        print(text)
        return
    out.write_text(text + "\n", encoding="utf-8")
    errors.print(f"wrote {out}")
