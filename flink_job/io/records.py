"""Reads input files in any format and stages their records as NDJSON, in order of arrival.

Inputs are NDJSON, CSV with a header or Parquet, plain or gzip, local or on S3. A staged record is {payload, arrival_ms,
shard, record_position}. The payload is base64, so that bytes that are not text are preserved.
"""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlparse

import msgspec

from flink_job.errors import MeteringError
from flink_job.io.kinesis import client
from flink_job.io.parquet import ParquetError, rows_in
from flink_job.metering.bounds import MAX_HEADER_BYTES, MAX_INPUT_BYTES, MAX_LINE_BYTES
from flink_job.metering.framing import parts
from flink_job.metering.record import CSV_ENVELOPE, CSV_SEPARATOR

#: Records between two calls of the progress callback.
PROGRESS_STEP = 10_000
#: Bytes of an S3 object that are in memory at a time.
COPIED_BYTES = 1 << 20
_LINE_LIMIT = MAX_LINE_BYTES + 1


class _FormatError(ValueError):
    """A file that is not in the format of its name, or a CSV file whose header is too long for each record."""


class InputError(MeteringError, ValueError):
    """An input that cannot be read; the message names the input and how to correct it."""


class MissingInputError(InputError):
    """An S3 object that does not exist."""


def stage(
    inputs: Iterable[str],
    target: Path,
    first_arrival_ms: int,
    progress: Callable[[int], None],
    held: Callable[[bytes], int] = lambda record: 1,
) -> int:
    """Write every record of `inputs` to `target`. Returns the number of readings: the sum of `held(payload)`.

    The arrival time of record n, from 0, is `first_arrival_ms` + n. `progress` is called with the number of records
    written so far. Raises InputError.
    """
    count = readings = 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        for name in inputs:
            for line_number, payload in read_records(name):
                out.write(_staged(payload, first_arrival_ms + count, name, line_number))
                count += 1
                readings += held(payload)
                if count % PROGRESS_STEP == 0:
                    progress(count)
    progress(count)
    return readings


def read_records(name: str) -> Iterator[tuple[int, bytes]]:
    """Yield (line or row number from 1, payload) of each record of a file. Raises InputError."""
    _check_suffix(name)
    try:
        with open_input(name) as raw:
            yield from records_in(name, raw)
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{name}: no such file") from None


def records_in(name: str, raw: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (line or row number from 1, payload) of each record of an open file in the format of its name.

    Raises InputError.
    """
    reader, plain = READERS[_check_suffix(name)], name.removesuffix(".gz")
    try:
        with gzip.open(raw) if name != plain else raw as stream:
            yield from reader(stream)  # type: ignore[arg-type]
    except (EOFError, gzip.BadGzipFile, zlib.error, ParquetError, _FormatError) as error:
        raise InputError(f"{name}: {error}") from None


def _check_suffix(name: str) -> str:
    """Return the suffix, which states the format. Raises InputError."""
    suffix = Path(name.removesuffix(".gz")).suffix.lower()
    if suffix not in READERS:
        raise InputError(f"{name}: the name must end in one of {', '.join(READERS)}, with .gz or not")
    return suffix


def read_parts(name: str) -> Iterator[tuple[int, bytes]]:
    """Yield (line or row number, payload) of each reading of a file; a record may hold several. Raises InputError."""
    for number, record in read_records(name):
        for payload in parts(record):
            yield number, payload


def _staged(payload: bytes, arrival_ms: int, name: str, line_number: int) -> bytes:
    record = {
        "payload": b64encode(payload).decode("ascii"),
        "arrival_ms": arrival_ms,
        "shard": name,
        "record_position": str(line_number),
    }
    return msgspec.json.encode(record) + b"\n"


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line) of each line that is not empty, truncated to one byte more than a line may have."""
    number = 0
    while line := stream.readline(_LINE_LIMIT):
        number += 1
        if len(line) == _LINE_LIMIT and not line.endswith(b"\n"):
            while (rest := stream.readline(_LINE_LIMIT)) and not rest.endswith(b"\n"):
                pass
        if stripped := line.strip(b"\r\n"):
            yield number, stripped


def _json_records(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file, or the elements of one array that extends over several lines, with their numbers."""
    head = stream.readline(_LINE_LIMIT)
    first = head.removeprefix(b"\xef\xbb\xbf").strip()
    lines = _lines(cast(IO[bytes], _Resumed(head, stream)))
    if not first.startswith(b"[") or first.endswith(b"]"):
        yield from lines
        return
    try:
        elements = msgspec.json.decode(b"\n".join(line for _, line in lines).strip(), type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise _FormatError(f"the array is not JSON ({error}): write one object a line") from None
    for number, element in enumerate(elements, start=1):
        yield number, b" ".join(bytes(element).split(b"\n"))


class _Resumed:
    """A stream whose first line has been read."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self.head, self.stream = head, stream

    def readline(self, limit: int) -> bytes:
        """Return the first line, then those of the stream."""
        head, self.head = self.head, b""
        return head or self.stream.readline(limit)


def _csv_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (number, header and line) of each line, so that a record can be parsed alone; the bytes are unchanged."""
    lines = _lines(stream)
    _, header = next(lines, (0, b""))
    if len(header) > MAX_HEADER_BYTES:
        raise _FormatError(f"line 1: the header has more than {MAX_HEADER_BYTES} bytes")
    for number, line in lines:
        yield number, CSV_ENVELOPE + header.removeprefix(b"\xef\xbb\xbf") + CSV_SEPARATOR + line


def _parquet_rows(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (number, JSON object) of each row, without NULL values. Raises ParquetError."""
    for number, row in enumerate(rows_in(stream), start=1):
        yield number, _encoded({k: v for k, v in row.items() if v is not None})[:_LINE_LIMIT]


READERS: dict[str, Callable[[IO[bytes]], Iterator[tuple[int, bytes]]]] = {
    ".ndjson": _lines,
    ".jsonl": _lines,
    ".json": _json_records,
    ".csv": _csv_lines,
    ".parquet": _parquet_rows,
}


def _encoded(row: dict[str, Any]) -> bytes:
    """Encode a row as JSON; values that JSON cannot represent are written as their Python string."""
    try:
        return msgspec.json.encode(row)
    except (TypeError, ValueError, OverflowError, RecursionError):
        shown = {k: v if isinstance(v, int | float | str) else str(v) for k, v in row.items()}
        return json.dumps(shown).encode()


def open_input(name: str) -> IO[bytes]:
    """Open a file, or a temporary copy of an S3 object.

    Raises OSError if the file cannot be opened, and InputError if the object does not exist or is too large.
    """
    parsed = urlparse(name)
    if parsed.scheme == "s3":
        s3 = client("s3")
        try:
            answer = s3.get_object(Bucket=parsed.netloc, Key=parsed.path.lstrip("/"))
        except (s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket):
            raise MissingInputError(f"{name}: no such object") from None
        return _copied(name, answer)
    return Path(name).open("rb")


def _copied(name: str, answer: dict[str, Any]) -> IO[bytes]:
    """Copy the object of a GetObject response to a temporary file, which is deleted when it is closed."""
    if answer["ContentLength"] > MAX_INPUT_BYTES:
        answer["Body"].close()
        raise InputError(f"{name}: {answer['ContentLength']} bytes; an object has at most {MAX_INPUT_BYTES}: split it")
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the reader closes it
    shutil.copyfileobj(answer["Body"], copy, COPIED_BYTES)
    copy.seek(0)
    return copy
