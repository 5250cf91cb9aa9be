"""Exports as files of readings, for every command that reads readings: one file has one meaning."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from flink_job.imports.convert import Imported
from flink_job.imports.fields import unknown_fields
from flink_job.imports.model import FileError
from flink_job.imports.questions import UndecidedError
from flink_job.imports.reader import Answers, read_file, stated_map
from flink_job.imports.write import write_readings
from flink_job.io.parquet import ParquetError, columns_in
from flink_job.io.records import InputError, open_input
from flink_job.metering.record import CSV_ALIASES

#: Suffixes that only an export has; files with others are readings unless they are a known export.
FOREIGN = (".xml", ".xlsx", ".zip", ".txt", ".lp")
_HEAD = 4096
_TIMES = frozenset({"interval_start", *(name for name, field in CSV_ALIASES.items() if field == "interval_start")})


class NoExportError(FileError):
    """A file that is no readings by its header, and no export either; the message says what is missing."""


@dataclass
class Accepted:
    """Names of files of readings in place of those given, and what was converted: notes, and refused rows by reason."""

    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def accepted(names: Sequence[str], folder: Path) -> Accepted:
    """Return files of readings: those given, or in their place the readings of exports in `folder`.

    Nothing is asked of the options of a command, so that every command takes the same readings from a file. Raises
    UndecidedError if an export leaves something open, and FileError.
    """
    found = Accepted()
    for number, name in enumerate(names):
        target = folder / str(number) / f"{Path(name).name}.ndjson"
        if _converted(name, target, found):
            found.names.append(str(target))
        else:
            found.names.append(name)
            found.notes += unknown_fields(name)
    return found


def _converted(name: str, target: Path, found: Accepted) -> bool:
    """Write the readings of an export to `target`. Returns False for any other file."""
    try:
        with open_input(name) as raw:
            result = readings_of(name, raw)
    except UndecidedError as error:
        message = f"{error}\nanswer with: metering import {name} ... --out readings.ndjson, and use that file"
        raise UndecidedError(message, error.questions) from None
    except (InputError, NoExportError, OSError):
        return False
    if result is None:
        return False
    write_readings(result.rows, target)
    found.notes.append(f"{name}: {len(result.rows):,} readings by profile {result.said['profile'].split(':')[0]}")
    found.refused.update(row.reason for row in result.refused)
    found.notes += [f"{name}:{row.line}: refused: {row.reason} {row.text}".rstrip() for row in result.refused[:3]]
    return True


def readings_of(name: str, raw: IO[bytes], stated: str = "") -> Imported | None:
    """Return the readings of an export; None for readings in the format of the stream.

    `stated` is a map in YAML, by which any file is an export. Raises FileError, NoExportError, and UndecidedError if
    the export leaves something open.
    """
    if stated:
        return read_file(name, raw.read(), stated_map(stated, "the map"), Answers())
    is_foreign = name.lower().endswith(FOREIGN)
    if not is_foreign and _is_own(raw):
        return None
    raw.seek(0)
    try:
        return read_file(name, raw.read(), None, Answers())
    except UndecidedError:
        raise
    except FileError as error:
        if is_foreign:
            raise FileError(f"{error}; metering import {name} --dry-run shows what is understood") from None
        raise NoExportError(str(error)) from None


def _is_own(raw: IO[bytes]) -> bool:
    """Whether a file holds readings in the format of the stream, by its first bytes; also if it is unreadable."""
    try:
        head = raw.read(_HEAD)
        if head.startswith(b"\x1f\x8b"):
            raw.seek(0)
            with gzip.open(raw) as stream:
                head = stream.read(_HEAD)
        if head.startswith(b"PAR1"):
            raw.seek(0)
            return _has_own(columns_in(raw))
    except (OSError, EOFError, zlib.error, ParquetError):
        return True
    text = head.decode("utf-8", "replace").lstrip("\ufeff").lstrip()
    if text[:1] in ("{", "["):
        return '"meter_id"' in text
    return _has_own([name.strip(' "') for name in re.split("[\r\n]", text, maxsplit=1)[0].split(",")])


def _has_own(names: Sequence[str]) -> bool:
    """Whether columns are those of readings: a meter and a time by their names in the stream."""
    return "meter_id" in names and not _TIMES.isdisjoint(names)
