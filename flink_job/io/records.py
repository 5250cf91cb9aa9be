"""Staging: any input file as NDJSON of {payload, arrival_ms, shard, record_position}, in order of arrival.

Flink reads the staged file in order, for every kind of input: NDJSON, CSV with a header, Parquet, gzip or not, local or
on S3. The payload is base64, so that bytes which are no text arrive as they are.
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
from typing import IO, Any
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
#: Bytes of an object on S3 that are in memory at a time.
COPIED_BYTES = 1 << 20
_LINE_LIMIT = MAX_LINE_BYTES + 1


class _HeaderError(ValueError):
    """A CSV file whose header cannot travel with its lines."""


class InputError(MeteringError, ValueError):
    """An input that cannot be read; the message names it and says what would be right."""


def stage(
    inputs: Iterable[str],
    target: Path,
    first_arrival_ms: int,
    progress: Callable[[int], None],
    held: Callable[[bytes], int] = lambda record: 1,
) -> int:
    """Write every record of `inputs` to `target`; returns how many readings they hold, by `held`.

    The n-th record arrives n milliseconds after `first_arrival_ms`. `progress` is called with the count so far.
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
    """(line or row number from 1, payload) of each record of a file. Raises InputError."""
    plain = name.removesuffix(".gz")
    suffix = Path(plain).suffix.lower()
    readers: dict[str, Callable[[IO[bytes]], Iterator[tuple[int, bytes]]]] = {
        ".ndjson": _lines,
        ".jsonl": _lines,
        ".json": _lines,
        ".csv": _csv_lines,
        ".parquet": _parquet_rows,
    }
    if suffix not in readers:
        raise InputError(f"{name}: the name must end in one of {', '.join(readers)}, with .gz or not")
    try:
        with open_input(name) as raw, gzip.open(raw) if name != plain else raw as stream:
            yield from readers[suffix](stream)  # type: ignore[arg-type]
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{name}: no such file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error, ParquetError, _HeaderError) as error:
        raise InputError(f"{name}: {error}") from None


def read_parts(name: str) -> Iterator[tuple[int, bytes]]:
    """(line or row number, payload) of each reading of a file; a line may be an array of several. Raises InputError."""
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
    """Lines that are not empty. Of one that is too long for a record only the beginning, by which that is seen."""
    number = 0
    while line := stream.readline(_LINE_LIMIT):
        number += 1
        if len(line) == _LINE_LIMIT and not line.endswith(b"\n"):
            while (rest := stream.readline(_LINE_LIMIT)) and not rest.endswith(b"\n"):
                pass
        if stripped := line.strip(b"\r\n"):
            yield number, stripped


def _csv_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Each line goes with its header, so that it can be read on its own; its bytes stay as they are."""
    lines = _lines(stream)
    _, header = next(lines, (0, b""))
    if len(header) > MAX_HEADER_BYTES:
        raise _HeaderError(f"line 1: the header has more than {MAX_HEADER_BYTES} bytes")
    for number, line in lines:
        yield number, CSV_ENVELOPE + header.removeprefix(b"\xef\xbb\xbf") + CSV_SEPARATOR + line


def _parquet_rows(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, row in enumerate(rows_in(stream), start=1):
        yield number, _encoded({k: v for k, v in row.items() if v is not None})[:_LINE_LIMIT]


def _encoded(row: dict[str, Any]) -> bytes:
    """A row as JSON. What JSON has no form for, such as keys that are no texts, is written as Python shows it."""
    try:
        return msgspec.json.encode(row)
    except (TypeError, ValueError, OverflowError, RecursionError):
        shown = {k: v if isinstance(v, int | float | str) else str(v) for k, v in row.items()}
        return json.dumps(shown).encode()


def open_input(name: str) -> IO[bytes]:
    """The bytes of a file, or of an object on S3, which is copied to a temporary file.

    Raises InputError where there is no such object, or it is too large.
    """
    parsed = urlparse(name)
    if parsed.scheme == "s3":
        s3 = client("s3")
        try:
            answer = s3.get_object(Bucket=parsed.netloc, Key=parsed.path.lstrip("/"))
        except (s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket):
            raise InputError(f"{name}: no such object") from None
        return _copied(name, answer)
    return Path(name).open("rb")


def _copied(name: str, answer: dict[str, Any]) -> IO[bytes]:
    """A temporary file with the bytes of an answer of S3; it is gone when it is closed."""
    if answer["ContentLength"] > MAX_INPUT_BYTES:
        answer["Body"].close()
        raise InputError(f"{name}: {answer['ContentLength']} bytes; an object has at most {MAX_INPUT_BYTES}: split it")
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the reader closes it
    shutil.copyfileobj(answer["Body"], copy, COPIED_BYTES)
    copy.seek(0)
    return copy
