"""`uploads`: publish files to the readings stream, and show their receipts and outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from flink_job.commands.console import errors, fail, note, output
from flink_job.config import Job
from flink_job.tenants import DEFAULT, RIGHT, is_tenant

if TYPE_CHECKING:
    from flink_job.batch.receipt import Receipt

commands = typer.Typer(
    help="Publish files of readings and show their outcomes.", no_args_is_help=True, rich_markup_mode=None
)


@commands.command()
def publish(
    file: Annotated[str, typer.Argument(help="Readings, or an export that `import` reads; also .gz and s3://.")],
    stream: Annotated[str, typer.Option(help="The readings stream.")],
    receipts: Annotated[str, typer.Option(help="Folder (or s3:// prefix) for the receipt.")],
    tenant: Annotated[str, typer.Option(help="Tenant of the file.")] = DEFAULT,
    inbox: Annotated[str, typer.Option(help="Prefix of the file; the folder below it names the tenant.")] = "",
    pace: Annotated[int, typer.Option(min=1, help="Readings per second; limits the share of the stream.")] = 1000,
    map: Annotated[str, typer.Option(help="Map of an export, YAML; also s3://.")] = "",
    maps: Annotated[str, typer.Option(help="Prefix of maps by tenant, folder and file, without --map.")] = "",
) -> None:
    """Check a file and publish its readings.

    An export of a portal or logger is read as by `import`, with a map or without. Writes a receipt: what was
    understood, number of accepted rows, refused rows and reasons. Exits with code 1 if the file is refused as a whole,
    because it cannot be read or leaves something open; then nothing is published.

    \b
      python -m flink_job uploads publish march.csv --stream metering-dev-readings \\
        --receipts receipts
    """
    from flink_job.batch.publish import publish_once
    from flink_job.batch.receipt import REFUSED
    from flink_job.batch.upload_map import NO_MAP, map_at, map_of_upload
    from flink_job.io.kinesis import PublishError
    from flink_job.io.records import InputError

    tenant = tenant_of(file, inbox) or tenant
    if not is_tenant(tenant):
        fail(f"tenant is {tenant!r}; it must be {RIGHT}")
    try:
        with errors.status(f"publishing {file}"):
            stated = map_at(map) if map else NO_MAP
            if maps and not map:
                stated = map_of_upload(path_of(file, inbox), tenant, maps)
            receipt, is_new = publish_once(file, tenant, Job(), stream, receipts, pace, stated)
    except (InputError, PublishError) as error:
        fail(str(error))
    if not is_new:
        note(f"already published at {receipt.written_at:%Y-%m-%d %H:%M} UTC; nothing was published now")
    _show(receipt)
    if receipt.status == REFUSED:
        raise typer.Exit(1)


@commands.command()
def show(
    receipt: Annotated[str, typer.Argument(help="Receipt: a file or s3:// object.")],
    lake: Annotated[str, typer.Option(help="Lake to count outcomes in: a folder or s3://bucket.")] = "",
) -> None:
    """Show a receipt and the outcomes of its readings.

    With --lake, counts the readings that are costed, duplicate, measured, rejected or unpriced, in the partitions of
    the days of the file. The others have not been delivered yet.

    \b
      python -m flink_job uploads show receipts/default/march.csv.0f3a5b.json --lake out
    """
    from flink_job.batch.receipt import ReceiptError, outcomes, read_receipt
    from flink_job.io.remote import downloaded
    from flink_job.lake.database import LakeError, open_lake
    from flink_job.lake.selection import Selection
    from flink_job.schemas import ACCOUNTED

    try:
        found = read_receipt(receipt)
        _show(found)
        if not lake or not found.earliest or not found.latest:
            return
        selection = Selection(frozenset(ACCOUNTED), found.earliest.date(), found.latest.date())
        with (
            errors.status("counting outcomes"),
            downloaded(lake, selection) as folder,
            open_lake(folder, selection) as connection,
        ):
            counts = outcomes(found, connection)
    except (LakeError, ReceiptError) as error:
        fail(str(error))
    _print({**counts, "not there yet": found.published - sum(counts.values())})


def tenant_of(file: str, inbox: str) -> str:
    """The folder of a file directly below the inbox; empty where it lies in the inbox itself, or elsewhere."""
    if not inbox or not file.startswith(inbox):
        return ""
    folder, separator, _ = file.removeprefix(inbox).lstrip("/").partition("/")
    return folder if separator else ""


def path_of(file: str, inbox: str) -> str:
    """The path of a file below the folder of its tenant; its name where it lies elsewhere."""
    if not tenant_of(file, inbox):
        return file.rpartition("/")[2]
    return file.removeprefix(inbox).lstrip("/").partition("/")[2]


def _show(receipt: Receipt) -> None:
    for row in receipt.refused_rows[:20]:
        note(f"line {row.line}: {row.reason}: {row.detail}")
    for subject, text in receipt.understood.items():
        note(f"{subject}: {text}")
    for line in receipt.notes:
        note(line)
    if receipt.why:
        note(f"{receipt.file} is refused: {receipt.why}")
    for question, answer in receipt.questions.items():
        note(f"{question}. In a map: {answer}")
    refused = {f"refused, {reason}": count for reason, count in receipt.refused.items()}
    _print({"rows": receipt.rows, **refused, "published": receipt.published, "records": len(receipt.records)})


def _print(counts: dict[str, int]) -> None:
    table = Table("", "readings")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    output.print(table)
