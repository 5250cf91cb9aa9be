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
    file: Annotated[str, typer.Argument(help="NDJSON, CSV with a header or Parquet; also .gz and s3://.")],
    stream: Annotated[str, typer.Option(help="The readings stream.")],
    receipts: Annotated[str, typer.Option(help="Folder (or s3:// prefix) for the receipt.")],
    tenant: Annotated[str, typer.Option(help="Tenant of the file.")] = DEFAULT,
    inbox: Annotated[str, typer.Option(help="Prefix of the file; the folder below it names the tenant.")] = "",
    pace: Annotated[int, typer.Option(min=1, help="Readings per second; limits the share of the stream.")] = 1000,
) -> None:
    """Check a file and publish its readings.

    Writes a receipt: number of accepted rows, refused rows and reasons. Exits with code 1 if the file is
    refused as a whole; then nothing is published.

    \b
      python -m flink_job uploads publish march.csv --stream metering-dev-readings \\
        --receipts receipts
    """
    from flink_job.batch.receipt import REFUSED, publish_once
    from flink_job.io.kinesis import PublishError
    from flink_job.io.records import InputError

    tenant = tenant_of(file, inbox) or tenant
    if not is_tenant(tenant):
        fail(f"tenant is {tenant!r}; it must be {RIGHT}")
    try:
        with errors.status(f"publishing {file}"):
            receipt, is_new = publish_once(file, tenant, Job(), stream, receipts, pace)
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


def _show(receipt: Receipt) -> None:
    for row in receipt.refused_rows[:20]:
        note(f"line {row.line}: {row.reason}: {row.detail}")
    if receipt.why:
        note(f"{receipt.file} is refused: {receipt.why}")
    refused = {f"refused, {reason}": count for reason, count in receipt.refused.items()}
    _print({"rows": receipt.rows, **refused, "published": receipt.published, "records": len(receipt.records)})


def _print(counts: dict[str, int]) -> None:
    table = Table("", "readings")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    output.print(table)
