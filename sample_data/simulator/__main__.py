"""`python -m sample_data.simulator`: writes simulated readings to files, or publishes them to Kinesis."""

from __future__ import annotations

import gzip
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from sample_data.simulator.faults import Rates
from sample_data.simulator.fleet import SAMPLE_START, build_fleet
from sample_data.simulator.generate import contracts, generate

SECONDS_BETWEEN_LINES = 5


def main(
    meters: Annotated[int, typer.Option(min=1, help="Number of meters.")] = 210,
    days: Annotated[int, typer.Option(min=1, help="Days of readings.")] = 3,
    start: Annotated[str, typer.Option(help="First local day, YYYY-MM-DD.")] = SAMPLE_START,
    interval: Annotated[int, typer.Option(help="Interval of all meters [s]; 0 mixes 300 and 900.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same records.")] = 20260328,
    faults: Annotated[bool, typer.Option(help="Repeats, late, corrected and malformed readings.")] = True,
    rate: Annotated[float, typer.Option(help="Records per second; 0 is as fast as it goes.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for readings.ndjson.gz and contracts.ndjson.")] = Path(
        "build/simulated"
    ),
    stream: Annotated[str, typer.Option(help="Publish readings to this Kinesis stream instead.")] = "",
    contracts_stream: Annotated[str, typer.Option(help="... and contracts to this one, first.")] = "",
) -> None:
    """Make readings of a fleet: measured load profiles, two factories, two time zones, and faults on purpose.

    Examples:

      python -m sample_data.simulator --meters 100000 --days 1 --rate 20000 --stream readings

      python -m sample_data.simulator --meters 50 --no-faults --out build/clean
    """
    fleet = build_fleet(meters, interval or None)
    rates = Rates() if faults else Rates.none()
    records = _progress(_paced(generate(fleet, date.fromisoformat(start), days, rates, seed), rate))
    if stream:
        from flink_job.io.kinesis import publish

        if contracts_stream:
            publish(contracts_stream, contracts(fleet), lambda sent: None)
        publish(stream, records, lambda sent: None)
        return
    out.mkdir(parents=True, exist_ok=True)
    write_lines(out / "contracts.ndjson", contracts(fleet))
    write_lines(out / "readings.ndjson.gz", records)
    print(f"wrote {out}/readings.ndjson.gz and {out}/contracts.ndjson", file=sys.stderr)


def write_lines(path: Path, records: Iterator[bytes]) -> int:
    """Write a record per line, compressed if the name ends in `.gz`. Returns the number of records.

    The time stamp of gzip is 0, so that the same records give the same bytes.
    """
    count = 0
    with gzip.GzipFile(path, "wb", mtime=0) if path.suffix == ".gz" else path.open("wb") as file:
        for record in records:
            file.write(record + b"\n")
            count += 1
    return count


def _paced(records: Iterator[bytes], rate: float) -> Iterator[bytes]:
    """Yield at most `rate` records per second; 0 is unlimited."""
    started = time.monotonic()
    for count, record in enumerate(records):
        if rate and count % 100 == 0:
            time.sleep(max(0.0, count / rate - (time.monotonic() - started)))
        yield record


def _progress(records: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the records and print progress to standard error."""
    started = shown = time.monotonic()
    count = 0
    for count, record in enumerate(records, start=1):
        yield record
        if count % 1000 == 0 and time.monotonic() - shown > SECONDS_BETWEEN_LINES:
            shown = time.monotonic()
            print(f"{count:,} records, {count / (shown - started):,.0f}/s", file=sys.stderr)
    print(f"{count:,} records in {time.monotonic() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
