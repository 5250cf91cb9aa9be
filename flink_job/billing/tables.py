"""Reads CSV and Parquet files with the columns meter_id, ts, interval_s, kwh into columns of readings."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from flink_job.billing.columns import ReadingColumns, signed
from flink_job.io.parquet import ParquetError, table_in
from flink_job.io.records import InputError
from flink_job.metering import bounds
from flink_job.metering.units import MICRO

COLUMNS = ("meter_id", "ts", "interval_s", "kwh")
REACTIVE = ("kvarh", "capacitive_kvarh")
_MAX_KWH = 1e9
_PIECE = 1 << 20
#: Error messages of Arrow's CSV reader for a value and for a line; line 1 is the header.
_CONVERSION = re.compile(
    r"In CSV column #(?P<column>\d+): Row #(?P<line>\d+): CSV conversion error to (?P<kind>\w+): "
    r"invalid value '(?P<value>.*)'"
)
_CELLS = re.compile(r"CSV parse error: Row #(?P<line>\d+): Expected (?P<expected>\d+) columns, got (?P<found>\d+)")
#: Separates epoch seconds (below) from epoch milliseconds since 1973 (above).
_EPOCH_SECONDS = 100_000_000_000


class TooLargeError(InputError):
    """A table that is too large when unpacked."""


def read_csv(name: str, stream: IO[bytes], zone: ZoneInfo, header: Sequence[str]) -> ReadingColumns:
    """Read a CSV file; `header` has the column names. Raises InputError; the message names file, line and column."""
    strings = {"meter_id": pa.string(), "ts": pa.string(), "interval_s": pa.int64(), "kwh": pa.float64()}
    reactive = dict.fromkeys(REACTIVE, pa.float64())
    options = pyarrow.csv.ConvertOptions(column_types={**strings, **reactive}, strings_can_be_null=False)
    try:
        # One thread: with several, an invalid field can end the process instead of raising an error (pyarrow 11).
        with _native(name, stream) as source:
            table = pyarrow.csv.read_csv(source, pyarrow.csv.ReadOptions(use_threads=False), convert_options=options)
    except pa.ArrowException as error:
        raise InputError(_csv_problem(name, str(error), header)) from None
    return from_table(name, table, zone)


def _csv_problem(name: str, problem: str, header: Sequence[str]) -> str:
    """Rewrite an error of Arrow's CSV reader, with the line and the name of the column if it contains them."""
    if found := _CONVERSION.search(problem):
        column, line, value = int(found["column"]), found["line"], found["value"]
        kind = "a whole number" if found["kind"].startswith("int") else "a number"
        hint = "; decimals have a point" if "," in value else ""
        title = header[column] if column < len(header) else f"number {column + 1}"
        return f"{name}:{line}: column {title}: '{value}' is not {kind}{hint}"
    if found := _CELLS.search(problem):
        hint = "; decimals have a point" if int(found["found"]) > int(found["expected"]) else ""
        return f"{name}:{found['line']}: {found['found']} cells under a header of {found['expected']}{hint}"
    return f"{name}: {problem}"


@contextlib.contextmanager
def _native(name: str, stream: IO[bytes]) -> Iterator[pa.NativeFile]:
    """Open the stream as a native Arrow file. Raises InputError if it exceeds `bounds.MAX_TABLE_BYTES`.

    Arrow reads a Python stream ahead in a thread that needs the GIL. If the first block is invalid, pyarrow 11 waits
    for that thread while it holds the GIL, which usually is a deadlock.
    """
    if isinstance(stream, io.BufferedReader) and isinstance(stream.name, str):
        with pa.OSFile(stream.name) as source:
            _check_size(name, source.size())
            yield source
        return
    with tempfile.NamedTemporaryFile(suffix=".csv") as copy:
        while piece := stream.read(_PIECE):
            _check_size(name, copy.tell() + len(piece))
            copy.write(piece)
        copy.flush()
        with pa.OSFile(copy.name) as source:
            yield source


def _check_size(name: str, size: int) -> None:
    if size > bounds.MAX_TABLE_BYTES:
        raise TooLargeError(f"{name}: more than {bounds.MAX_TABLE_BYTES} bytes when unpacked; split the file")


def read_parquet(name: str, stream: IO[bytes], zone: ZoneInfo) -> ReadingColumns:
    """Read a Parquet file. Raises InputError; the message names the file."""
    try:
        return from_table(name, table_in(stream, (*COLUMNS, *REACTIVE)), zone)
    except (pa.ArrowException, ParquetError) as error:
        raise InputError(f"{name}: {error}") from None


def header_of(stream: IO[bytes], gzipped: bool) -> str:
    """Return the header of a CSV file, its column names stripped of blanks, and rewind the file."""
    with gzip.open(stream) if gzipped else contextlib.nullcontext(stream) as lines:
        header = lines.readline(bounds.MAX_RECORD_BYTES).decode("utf-8-sig", "replace")
    stream.seek(0)
    return ",".join(column.strip() for column in header.split(","))


def from_table(name: str, table: pa.Table, zone: ZoneInfo) -> ReadingColumns:
    """Convert an Arrow table to columns of readings. Raises InputError.

    `ts` is ISO 8601, with an offset or in local time of `zone`, or epoch milliseconds or seconds.
    """
    if missing := [column for column in COLUMNS if column not in table.column_names]:
        raise InputError(f"{name}: no column {', '.join(missing)}; the header is {','.join(COLUMNS)}")
    for column in COLUMNS:
        if table[column].null_count:
            raise InputError(f"{name}: column {column} has empty fields")
    meters = pc.cast(table["meter_id"], pa.string()).combine_chunks().dictionary_encode()
    if isinstance(meters, pa.ChunkedArray):
        meters = meters.combine_chunks()
    codes = meters.indices.to_numpy().astype(np.int64)
    interval_s = _numbers(name, table, "interval_s").astype(np.int64)
    if (interval_s <= 0).any():
        raise InputError(f"{name}: interval_s must be positive; row {int(np.argmax(interval_s <= 0)) + 1}")
    kwh = _numbers(name, table, "kwh")
    columns = signed(
        meters.dictionary.to_pylist(), codes, _instants(name, table["ts"], codes, zone), interval_s, _micro(name, kwh)
    )
    for column, quantity in zip(REACTIVE, ("reactive_uvarh", "capacitive_uvarh"), strict=True):
        if column in table.column_names:
            columns.quantities[quantity] = _micro(name, _numbers(name, table, column))
    return columns


def _numbers(name: str, table: pa.Table, column: str) -> Any:
    """Return a column as float64. Raises InputError."""
    try:
        return pc.cast(table[column], pa.float64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise InputError(f"{name}: column {column}: {error}") from None


def _micro(name: str, numbers: Any) -> Any:
    """Convert kWh or kvarh to units of 1e-6, half to even. Raises InputError.

    A float of up to 1e9 distinguishes 6 decimals.
    """
    wrong = ~(np.abs(numbers) < _MAX_KWH)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"{name}: row {row + 1}: energy is {numbers[row]}; it is below {_MAX_KWH:.0e}")
    return np.rint(numbers * MICRO).astype(np.int64)


def _instants(name: str, column: pa.ChunkedArray, meter: Any, zone: ZoneInfo) -> Any:
    """Convert the column `ts` to epoch milliseconds. Raises InputError."""
    if pa.types.is_integer(column.type):
        return column.to_numpy().astype(np.int64)
    if pa.types.is_timestamp(column.type):
        stamps = pd.DatetimeIndex(column.to_pandas())
        return _millis(stamps) if stamps.tz is not None else _localized(name, stamps, meter, zone)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise InputError(f"{name}: column ts is {column.type}; it holds texts, integers or timestamps")
    first = column[0].as_py() if len(column) else ""
    if first.isdecimal():
        return _epoch(name, column)
    has_offset = first.endswith("Z") or "+" in first[10:] or "-" in first[10:]
    try:
        if has_offset:
            return pc.cast(column, pa.timestamp("ms", "UTC")).to_numpy().astype("datetime64[ms]").astype(np.int64)
        stamps = pd.DatetimeIndex(pc.cast(column, pa.timestamp("ms")).to_numpy())
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{name}: column ts: {error}. All times are ISO 8601, either all with an offset (Z, +01:00) or all local"
        ) from None
    return _localized(name, stamps, meter, zone)


def _epoch(name: str, column: pa.ChunkedArray) -> Any:
    """Convert decimal strings of epoch milliseconds or seconds to epoch milliseconds. Raises InputError."""
    try:
        numbers = pc.cast(column, pa.int64()).to_numpy().astype(np.int64)
    except pa.ArrowInvalid as error:
        raise InputError(f"{name}: column ts: {error}") from None
    return numbers * 1000 if numbers.max() < _EPOCH_SECONDS else numbers


def _localized(name: str, stamps: pd.DatetimeIndex, meter: Any, zone: ZoneInfo) -> Any:
    """Convert local times to epoch milliseconds. Raises InputError if a local time does not exist.

    In the hour that occurs twice when clocks go back, the first occurrence of a time for a meter is the earlier one.
    """
    frame = pd.DataFrame({"meter": meter, "ts": stamps})
    repeated = frame.duplicated().to_numpy()
    try:
        return _millis(stamps.tz_localize(zone, ambiguous=~repeated, nonexistent="raise"))
    except Exception as error:
        raise InputError(
            f"{name}: column ts: no such local time in {zone.key}: {error}. "
            "Meters that keep no summer time want a zone of fixed offset, such as Etc/GMT-1"
        ) from None


def _millis(stamps: pd.DatetimeIndex) -> Any:
    """Return timestamps with a time zone as epoch milliseconds."""
    return stamps.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)
