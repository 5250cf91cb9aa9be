"""Reads files of readings in any format and returns the intervals of each meter."""

from __future__ import annotations

import gzip
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from flink_job.billing.columns import ReadingColumns
from flink_job.billing.records import Registers, Rejects, read_reading_records
from flink_job.billing.register_energy import Register, place_energy, with_registers
from flink_job.billing.tables import COLUMNS, TooLargeError, header_of, read_csv, read_parquet
from flink_job.io.parquet import ParquetError, columns_in
from flink_job.io.records import InputError, open_input
from flink_job.metering.bounds import MAX_DETAIL
from flink_job.metering.highest_power import highest_power_uw
from flink_job.tariffs.history import Intervals

#: Highest power of a meter of which nothing is known [1e-6 kW].
DEFAULT_UW = highest_power_uw(None, (), Decimal(1))

#: Fields of a record that a table of signed energy does not have: rows with them are read as records.
RECORD_FIELDS = frozenset(
    {"unit", "channel", "revision", "value", "energy_kwh", "power_kw", "register_kwh", "register_id", "schema_version"}
)


@dataclass
class Readings:
    """Intervals by meter, number of duplicates, and number of rejected records by reason code.

    `estimated` and `implausible` count what was found in the reads of registers (see Placed).
    """

    meters: dict[str, Intervals]
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    estimated: int = 0
    implausible: int = 0

    @property
    def count(self) -> int:
        """Number of intervals."""
        return sum(len(data.start_ms) for data in self.meters.values())


def read_readings(names: Sequence[str], zone: ZoneInfo, most_uw: int = DEFAULT_UW) -> Readings:
    """Read all files; `most_uw`: highest power of a meter with registers [1e-6 kW].

    Raises InputError if they contain no reading; the message has the reason.
    """
    rejects, registers = Rejects(), Registers()
    parts = [_read(name, zone, rejects, registers) for name in names]
    meters, duplicates = ReadingColumns.concatenated(parts).by_meter()
    if not meters:
        raise InputError(_none_of(names, rejects))
    found = Readings(meters, duplicates, rejects.codes)
    for meter, own in registers.items():
        data = meters[meter]
        lengths = dict(zip(data.start_ms.tolist(), (data.interval_ms // 1000).tolist(), strict=True))
        placed = place_energy((Register.of(reads, most_uw) for reads in own.values()), lengths)
        meters[meter] = with_registers(data, placed)
        found.estimated += placed.estimated
        found.implausible += placed.implausible
    return found


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


def _read(name: str, zone: ZoneInfo, rejects: Rejects, registers: Registers) -> ReadingColumns:
    """Read a file: tables as columns, other files record by record with the parser of the stream."""
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    gzipped = name.endswith(".gz")
    try:
        if suffix == ".csv":
            with open_input(name) as raw:
                header = header_of(raw, gzipped).split(",")
                if {"ts", "kwh"} <= set(header) and not RECORD_FIELDS & set(header):
                    return read_csv(name, gzip.open(raw) if gzipped else raw, zone, header)  # type: ignore[arg-type]
        if suffix == ".parquet":
            with open_input(name) as raw:
                columns = set(columns_in(raw))
                if set(COLUMNS) <= columns and not RECORD_FIELDS & columns:
                    raw.seek(0)
                    return read_parquet(name, raw, zone)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{name}: no such file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error, ParquetError) as error:
        raise InputError(f"{name}: {error}") from None
    except InputError as error:
        if suffix != ".csv" or isinstance(error, TooLargeError):
            raise
        return _by_record(name, error, rejects, registers)
    except Exception as error:  # an unexpected error is caused by the content of the file
        raise InputError(f"{name}: {type(error).__name__}: {error}"[:MAX_DETAIL]) from error
    return read_reading_records(name, rejects, int(time.time() * 1000), registers)


def _by_record(name: str, fault: InputError, rejects: Rejects, registers: Registers) -> ReadingColumns:
    """Read a table with a fault row by row, as the stream does: a bad cell rejects its row. Raises InputError.

    The fault stands if no row is a reading, as with local times, which only a table has.
    """
    found, reads = Rejects(), Registers()
    columns = read_reading_records(name, found, int(time.time() * 1000), reads)
    if not len(columns.start_ms) or found.codes["no_offset"]:
        raise fault
    rejects.codes.update(found.codes)
    rejects.first = rejects.first or found.first
    for meter, own in reads.items():
        for register, values in own.items():
            registers.setdefault(meter, {}).setdefault(register, {}).update(values)
    return columns
