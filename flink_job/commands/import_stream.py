"""`import --to-stream`: publishes the readings of exports to the readings stream."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import typer

from flink_job.commands.console import counted, errors, fail, note, output
from flink_job.errors import MeteringError

if TYPE_CHECKING:
    from flink_job.batch.publish import Target
    from flink_job.batch.receipt import Receipt
    from flink_job.imports.convert import Imported
    from flink_job.imports.frames import Said

#: Exit code of a file that is refused as a whole, as that of a file without a reading.
REFUSED_CODE = 3


def publish_results(results: dict[str, Imported], answers: object, target: Target) -> None:
    """Publish the readings of files, each with a receipt. Ends the command if one is refused or the stream fails.

    `answers` are the map and the options by which they were read; with others, a file is another one.
    """
    from flink_job.imports.summary import combined

    refused = False
    try:
        combined(results)  # two files that differ on an interval are refused before anything is published
        for name, result in results.items():
            with errors.status(f"publishing {name}"):
                receipt, is_new = _publish(name, result, answers, target)
            refused |= _told(receipt, is_new, target)
    except (MeteringError, OSError) as error:
        fail(f"{error}\nrun the command again: readings that are in the stream already become duplicates")
    if refused:
        raise typer.Exit(REFUSED_CODE)


def _publish(name: str, result: Imported, answers: object, target: Target) -> tuple[Receipt, bool]:
    from flink_job.batch.publish import Origin, publish_readings
    from flink_job.imports.write import numbered
    from flink_job.io.records import open_input

    with open_input(name) as raw:
        digest = hashlib.sha256(raw.read()).hexdigest()
    origin = Origin(name, digest, target.tenant)
    return publish_readings(origin, lambda: numbered(result.rows), _said(result), repr(answers), target)


def _said(result: Imported) -> Said:
    from flink_job.imports.frames import Said
    from flink_job.imports.summary import said_of

    said = Said()
    for part in said_of(result):
        said.add(part)
    return said


def _told(receipt: Receipt, is_new: bool, target: Target) -> bool:
    """Show the result of a file; returns True if it was refused."""
    if receipt.why:
        note(f"{receipt.file} is refused: {receipt.why}")
        return True
    when = "" if is_new else f"; that was at {receipt.written_at:%Y-%m-%d %H:%M} UTC, nothing was published now"
    what = f"{counted(receipt.published, 'reading')} of {receipt.file} in {counted(len(receipt.records), 'record')}"
    output.print(f"published {what} to {target.stream}{when}; receipt in {target.receipts}/{target.tenant}/")
    return False
