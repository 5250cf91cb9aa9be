"""Files of a known profile as files of readings, for every command that reads readings: one file has one meaning."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flink_job.imports.content import decoded, is_workbook, unpacked
from flink_job.imports.convert import convert
from flink_job.imports.detect import detected
from flink_job.imports.model import FileError, Profile
from flink_job.imports.questions import UndecidedError
from flink_job.imports.write import write_readings
from flink_job.io.records import InputError, open_input

#: Suffixes that only an export has; files with others are readings unless their header is that of a profile.
FOREIGN = (".xml", ".xlsx", ".zip")
_HEAD = 4096
_OWN = re.compile(r'(^|[{,"\s])meter_id("|,|\s|$)')


@dataclass
class Accepted:
    """Names of files of readings in place of those given, and what was converted: notes, and refused rows by reason."""

    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def accepted(names: Sequence[str], folder: Path) -> Accepted:
    """Return files of readings: those given, or in their place the readings of exports of a known profile in `folder`.

    Nothing is asked of the options of a command, so that every command takes the same readings from a file. Raises
    UndecidedError if an export leaves something open, and FileError.
    """
    found = Accepted()
    for number, name in enumerate(names):
        target = folder / str(number) / f"{Path(name).name}.ndjson"
        found.names.append(str(target) if _converted(name, target, found) else name)
    return found


def _converted(name: str, target: Path, found: Accepted) -> bool:
    """Write the readings of an export of a known profile to `target`. Returns False for any other file."""
    is_foreign = name.lower().endswith(FOREIGN)
    if not is_foreign and _is_own(name):
        return False
    try:
        with open_input(name) as raw:
            data = unpacked(name, raw.read())
    except (InputError, FileError, OSError):
        return False
    if is_workbook(data) or data.startswith(b"PAR1"):
        if is_foreign:
            raise FileError(f"{name}: import it first: metering import {name} --out readings.ndjson")
        return False
    export = None
    with suppress(FileError, ValueError, TypeError, LookupError):
        export = detected(name, decoded(name, data)[0], None)
    if export is None or not isinstance(export.map, Profile):
        if is_foreign:
            raise FileError(f"{name}: no known export: metering import {name} --dry-run has the reasons")
        return False
    try:
        result = convert(name, export.sheet, export.map)
    except UndecidedError as error:
        message = f"{error}\nanswer with: metering import {name} ... --out readings.ndjson, and use that file"
        raise UndecidedError(message) from None
    write_readings(result.rows, target)
    found.notes.append(f"{name}: {len(result.rows):,} readings by profile {export.map.name}")
    found.refused.update(row.reason for row in result.refused)
    found.notes += [f"{name}:{row.line}: refused: {row.reason} {row.text}".rstrip() for row in result.refused[:3]]
    return True


def _is_own(name: str) -> bool:
    """Whether a file holds readings in the format of the stream, by its first bytes; also if it is unreadable."""
    import gzip
    import zlib

    try:
        with open_input(name) as raw:
            head = raw.read(_HEAD)
            if head.startswith(b"\x1f\x8b"):
                raw.seek(0)
                with gzip.open(raw) as stream:
                    head = stream.read(_HEAD)
    except (InputError, OSError, EOFError, zlib.error):
        return True
    if head.startswith(b"PAR1"):
        return True
    first = head.decode("utf-8", "replace").lstrip("\ufeff").lstrip().split("\n", 1)[0]
    return bool(_OWN.search(first))
