"""`import`: readings from the exports of portals and loggers."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from flink_job.commands.console import counted, errors, fail, note, output
from flink_job.errors import MeteringError
from flink_job.tenants import DEFAULT, RIGHT, is_tenant

if TYPE_CHECKING:
    import pandas as pd

    from flink_job.imports.convert import Imported
    from flink_job.imports.model import Refused

#: Exit codes: nothing was taken, or more rows were refused than allowed; a file is open to two readings.
NOTHING_TAKEN, UNDECIDED = 3, 4
_SHOWN = 10

Stamp = Annotated[str, typer.Option(help="Times are the `begin` or the `end` of their interval.")]


def import_files(
    files: Annotated[list[str], typer.Argument(help="Exports: CSV, XML, JSON, XLSX, Parquet; also .gz, .zip, s3://.")],
    out: Annotated[Path | None, typer.Option(help="Readings: a file .ndjson or .parquet.")] = None,
    profile: Annotated[str, typer.Option(help="Profile of the source; found by the header if left out.")] = "",
    map: Annotated[Path | None, typer.Option(help="YAML that says what the columns mean.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Show what was understood; write nothing.")] = False,
    meter: Annotated[str, typer.Option(help="Name of the meter, if the file has none or another one.")] = "",
    timezone: Annotated[str, typer.Option(help="Time zone of times without an offset.")] = "",
    standard_time: Annotated[bool, typer.Option(help="Times are in standard time all year.")] = False,
    interval: Annotated[str, typer.Option(help="Length of the intervals, such as 15min.")] = "",
    stamp: Stamp = "",
    unit: Annotated[str, typer.Option(help="Unit of the values: kWh, Wh, MWh, kW, W.")] = "",
    kind: Annotated[str, typer.Option(help="Values are `interval` energy or a cumulative `register`.")] = "",
    time_format: Annotated[str, typer.Option(help="Format of times, such as '%d/%m/%Y %H:%M'.")] = "",
    decimal: Annotated[str, typer.Option(help="Decimal sign: . or ,")] = "",
    max_power_kw: Annotated[float, typer.Option(min=0.001, help="More power than this is implausible.")] = 10_000,
    max_rejected: Annotated[
        float | None, typer.Option(min=0, max=100, help="Percent of refused rows above which nothing is written.")
    ] = None,
    to_stream: Annotated[str, typer.Option(help="Publish the readings to this stream, instead of --out.")] = "",
    receipts: Annotated[str, typer.Option(help="With --to-stream: folder (or s3://) of the receipts.")] = "receipts",
    tenant: Annotated[str, typer.Option(help="With --to-stream: tenant of the readings.")] = DEFAULT,
    pace: Annotated[int, typer.Option(min=1, help="With --to-stream: readings per second.")] = 1000,
    profiles: Annotated[bool, typer.Option("--profiles", help="List the profiles and exit.", is_eager=True)] = False,
) -> None:
    """Turn exports of portals and loggers into readings.

    Shows what was understood first. A file that can be read in two ways is refused, with the options that decide.
    Refused rows are in FILE.refused.csv beside the output. With --to-stream the readings are published as those of an
    upload, in batches with retries, and each file gets a receipt; a file is published once.

    Exit codes: 0 written, 2 a file cannot be read, 3 no row was taken or too many were refused, 4 undecided.

    \b
      python -m flink_job import consumption.csv --meter hall-1 --out readings.ndjson
      python -m flink_job import export.csv --map map.yaml --dry-run
    """
    from flink_job.batch.publish import Target
    from flink_job.commands.import_stream import publish_results
    from flink_job.imports.questions import UndecidedError
    from flink_job.imports.reader import Answers, map_named

    for option, value, valid in (
        ("--stamp", stamp, ("begin", "end")),
        ("--kind", kind, ("interval", "register")),
        ("--decimal", decimal, (".", ",")),
    ):
        if value and value not in valid:
            fail(f"{option} {value}: it is {' or '.join(valid)}")
    if bool(out) + bool(to_stream) != 1 and not (dry_run and not (out and to_stream)):
        fail("--out is required, such as readings.ndjson, or --to-stream; --dry-run only shows what was understood")
    if to_stream and not is_tenant(tenant):
        fail(f"--tenant is {tenant!r}; it must be {RIGHT}")
    answers = Answers(
        *(meter, timezone, standard_time, interval, stamp or None, unit, kind, time_format, decimal, max_power_kw)  # type: ignore[arg-type]
    )
    started = time.monotonic()
    try:
        stated = map_named(profile, map)
        results = {name: _read(name, stated, answers) for name in files}
    except UndecidedError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(UNDECIDED) from None
    except MeteringError as error:
        fail(str(error))
    for name, result in results.items():
        _show(name, result)
    _check_share(results, max_rejected)
    if dry_run:
        output.print("nothing was written (--dry-run)")
    elif to_stream:
        publish_results(results, (stated, answers), Target(to_stream, tenant, receipts, pace))
    elif out is not None:
        _write(results, out)
    output.print(f"{time.monotonic() - started:.1f} s")


def _read(name: str, stated: object, answers: object) -> Imported:
    from flink_job.imports.reader import read_file

    with errors.status(f"reading {name}"):
        return read_file(name, _bytes(name), stated, answers)  # type: ignore[arg-type]


def _bytes(name: str) -> bytes:
    from flink_job.io.records import InputError, open_input

    try:
        with open_input(name) as raw:
            return raw.read()
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{name}: no such file") from None
    except OSError as error:
        raise InputError(f"{name}: {error.strerror}") from None


def _show(name: str, result: Imported) -> None:
    """Show what was understood of a file, and its first readings."""
    from flink_job.imports.summary import facts

    table = Table("", "understood", title=name, title_justify="left")
    for subject, text in facts(result).items():
        table.add_row(subject, text)
    output.print(table)
    sample = Table("line", "meter", "begin (UTC)", "interval", "channel", title_justify="left")
    sample.add_column("value", justify="right")
    for cells in _sample(result.rows):
        sample.add_row(*cells)
    output.print(sample)
    for line in result.notes:
        note(f"{name}: {line}")


def _sample(rows: pd.DataFrame) -> list[list[str]]:
    import numpy as np

    from flink_job.imports.spacing import span
    from flink_job.imports.write import decimal_text

    return [
        [
            str(row.line),
            str(row.meter),
            str(np.datetime64(int(row.start_ms), "ms"))[:19].replace("T", " "),
            span(int(row.interval_s)),
            str(row.channel),
            decimal_text(int(row.micro)),
        ]
        for row in rows.head(_SHOWN).itertuples()
    ]


def _check_share(results: dict[str, Imported], max_rejected: float | None) -> None:
    """Show the receipt; ends the command if no row was taken, or too many were refused."""
    taken = sum(len(result.rows) for result in results.values())
    refused = [row for result in results.values() for row in result.refused]
    duplicates = sum(result.duplicates for result in results.values())
    _receipt(taken, refused, duplicates)
    share = 100 * len(refused) / max(1, taken + len(refused))
    if not taken or (max_rejected is not None and share > max_rejected):
        why = "no row was taken" if not taken else f"{share:.3g} % of the rows were refused (--max-rejected)"
        note(f"nothing was written: {why}")
        raise typer.Exit(NOTHING_TAKEN)


def _write(results: dict[str, Imported], out: Path) -> None:
    """Write the readings of all files, and refused rows."""
    from flink_job.imports.summary import combined
    from flink_job.imports.write import write_readings, write_refused

    refused = [row for result in results.values() for row in result.refused]
    try:
        write_readings(combined(results), out)
        if refused:
            write_refused(refused, out.with_name(f"{out.name}.refused.csv"))
    except MeteringError as error:
        fail(str(error))
    output.print(f"wrote {counted(sum(len(result.rows) for result in results.values()), 'reading')} to {out}")


def _receipt(taken: int, refused: list[Refused], duplicates: int) -> None:
    table = Table("receipt", "")
    table.columns[1].justify = "right"
    table.add_row("readings taken", f"{taken:,}")
    table.add_row("duplicates ignored", f"{duplicates:,}")
    table.add_row("rows refused", f"{len(refused):,}")
    output.print(table)
    for reason, count in Counter(row.reason for row in refused).most_common(_SHOWN):
        first = next(row for row in refused if row.reason == reason)
        note(f"{counted(count, 'row')} refused: {reason}; first: line {first.line}: {first.text}")
