"""Reads files of readings in any format and returns the intervals of each meter."""

from __future__ import annotations

import gzip
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from flink_job.billing.columns import ReadingColumns
from flink_job.billing.records import Rejects, read_reading_records
from flink_job.billing.tables import COLUMNS, header_of, read_csv, read_parquet
from flink_job.io.parquet import ParquetError, columns_in
from flink_job.io.records import InputError, open_input
from flink_job.metering.bounds import MAX_DETAIL
from flink_job.tariffs.history import Intervals


@dataclass
class Readings:
    """Intervals by meter, number of duplicates, and number of rejected records by reason code."""

    meters: dict[str, Intervals]
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        """Number of intervals."""
        return sum(len(data.start_ms) for data in self.meters.values())


def read_readings(names: Sequence[str], zone: ZoneInfo) -> Readings:
    """Read all files. Raises InputError if they contain no reading; the message has the reason."""
    rejects = Rejects()
    parts = [_read(name, zone, rejects) for name in names]
    meters, duplicates = ReadingColumns.concatenated(parts).by_meter()
    if not meters:
        raise InputError(_none_of(names, rejects))
    return Readings(meters, duplicates, rejects.codes)


def _none_of(names: Sequence[str], rejects: Rejects) -> str:
    """Return the message for files without readings."""
    files = ", ".join(names)
    if not rejects.codes:
        return f"{files}: no readings: {'the file is' if len(names) == 1 else 'the files are'} empty"
    codes = ", ".join(f"{count:,} {code}" for code, count in rejects.codes.most_common())
    total = rejects.codes.total()
    lines = [f"{files}: no readings: {total:,} record{'s' * (total > 1)} rejected: {codes}", f"first: {rejects.first}"]
    lines += [hint for name in names if (hint := _header_hint(name))]
    return "\n".join(lines)


def _header_hint(name: str) -> str:
    """Return a hint on the header of a CSV file; empty for other formats."""
    if Path(name.removesuffix(".gz")).suffix.lower() != ".csv":
        return ""
    with open_input(name) as raw:
        header = header_of(raw, name.endswith(".gz"))
    needed = f"required: {','.join(COLUMNS)}, or meter_id,interval_start,interval_s,energy_kwh"
    for separator in (";", "\t", "|"):
        if "," not in header and separator in header:
            shown = "a tab" if separator == "\t" else repr(separator)
            return f"{name}: the columns are separated by {shown}, not by a comma; {needed}"
    return f"{name}: the header is {header[:MAX_DETAIL]}; {needed}"


def _read(name: str, zone: ZoneInfo, rejects: Rejects) -> ReadingColumns:
    """Read a file: tables as columns, other files record by record with the parser of the stream."""
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    gzipped = name.endswith(".gz")
    try:
        if suffix == ".csv":
            with open_input(name) as raw:
                header = header_of(raw, gzipped).split(",")
                if {"ts", "kwh"} <= set(header):
                    return read_csv(name, gzip.open(raw) if gzipped else raw, zone, header)  # type: ignore[arg-type]
        if suffix == ".parquet":
            with open_input(name) as raw:
                if set(COLUMNS) <= set(columns_in(raw)):
                    raw.seek(0)
                    return read_parquet(name, raw, zone)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{name}: no such file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error, ParquetError) as error:
        raise InputError(f"{name}: {error}") from None
    except InputError:
        raise
    except Exception as error:  # an unexpected error is caused by the content of the file
        raise InputError(f"{name}: {type(error).__name__}: {error}"[:MAX_DETAIL]) from error
    return read_reading_records(name, rejects, int(time.time() * 1000))
