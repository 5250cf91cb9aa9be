"""Reads a file of any known format: its content, its profile, and its readings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.compute as pc

from flink_job.imports.columns import matching, named
from flink_job.imports.content import decoded, is_workbook, unpacked
from flink_job.imports.convert import MOST_KW, Imported, convert
from flink_job.imports.detect import Detected, detected, inferred, profiles
from flink_job.imports.model import Cell, FileError, Map, Profile, Quantity, Stamp, map_of
from flink_job.imports.questions import UndecidedError
from flink_job.imports.workbook import sheet_of_parquet, sheet_of_workbook


@dataclass(frozen=True)
class Answers:
    """Options of a command that answer what a file leaves open; empty: not stated."""

    meter: str | Cell = ""
    timezone: str = ""
    standard_time: bool = False
    interval: str | Cell = ""
    stamp: Stamp | None = None
    unit: str = ""
    kind: str = ""
    time_format: str = ""
    decimal: str = ""
    most_kw: float = MOST_KW


def map_named(profile: str, map_file: Path | None) -> Map | None:
    """Return the stated profile or map, or None. Raises FileError."""
    if profile and map_file:
        raise FileError("--profile and --map exclude each other: a map says everything itself")
    if map_file:
        try:
            text = map_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise FileError(f"{map_file}: no such map") from None
        return stated_map(text, str(map_file))
    return _profile(profile, f"--profile {profile}") if profile else None


def stated_map(text: str, name: str) -> Map:
    """Return the map in a text; its key `profile` names a profile that it changes. Raises FileError."""
    return map_of(  # type: ignore[no-any-return]
        text, name, profiles=lambda profile: msgspec.to_builtins(_profile(profile, f"{name}: profile {profile}"))
    )


def _profile(name: str, where: str) -> Profile:
    if name not in profiles():
        raise FileError(f"{where}: it is one of {', '.join(profiles())}")
    return profiles()[name]


def read_file(name: str, data: bytes, stated: Map | None, answers: Answers) -> Imported:
    """Return the readings of a file. Raises FileError, and UndecidedError if it can be read in two ways."""
    if stated is not None and stated.is_partial:
        answers = _with_map(answers, stated)
    try:
        found = _sheet(name, unpacked(name, data), stated)
        del data  # a large file would be held beside its readings
        if isinstance(answers.meter, str) and answers.meter:
            _check_one_meter(name, found)
        result = convert(name, found.sheet, answered(found.map, answers), answers.most_kw)
    except UndecidedError:
        raise
    except FileError as error:
        if str(error).startswith(name):
            raise
        raise FileError(f"{name}: {error}") from None
    except Exception as error:  # an unexpected error is caused by the content of the file
        raise FileError(f"{name}: {type(error).__name__}: {error}"[:300]) from error
    profile = f"{found.map.name}: {found.title}" if isinstance(found.map, Profile) else found.title
    result.said = {"profile": profile} | result.said
    return result


def _sheet(name: str, data: bytes, stated: Map | None) -> Detected:
    if is_workbook(data) or data.startswith(b"PAR1"):
        sheet = sheet_of_workbook(name, data) if is_workbook(data) else sheet_of_parquet(name, data)
        if stated is None or stated.is_partial:
            return Detected(sheet, inferred(name, sheet), "columns by their names")
        return Detected(sheet, stated, "map")
    text, encoding = decoded(name, data, stated.csv.encoding if stated else "")
    found = detected(name, text, stated)
    found.sheet.said["encoding"] = encoding
    return found


def _check_one_meter(name: str, found: Detected) -> None:
    """Refuse one name for several meters: their readings would be taken for one. Raises FileError."""
    given, sheet = found.map.meter_id, found.sheet
    if not isinstance(given, Cell):
        return
    if given.columns:
        meters = matching(sheet, given.columns)
    else:
        meters = pc.unique(pc.utf8_trim_whitespace(sheet.columns[named(sheet, given.column, name)])).to_pylist()
    if len(known := [meter for meter in meters if meter]) > 1:
        shown = ", ".join(known[:5])
        raise FileError(f"{name}: it has {len(known):,} meters ({shown}): state no --meter, or one file for each")


def _with_map(answers: Answers, stated: Map) -> Answers:
    """Return the answers with those of a partial map, if they have none of their own."""
    wanted = Answers(
        meter=stated.meter_id or "",
        timezone=stated.timezone,
        standard_time=stated.fixed_offset,
        interval=stated.interval or "",
        stamp=stated.stamp,
        unit=stated.unit,
        kind=stated.kind or "",
        time_format=stated.time.format if stated.time else "",
        decimal=stated.csv.decimal,
    )
    own = {name: value for name, value in vars(answers).items() if value}
    return replace(wanted, **own)


def answered(found: Map, answers: Answers) -> Map:
    """Return a map with the answers of the user in place of its own."""
    changes: dict[str, Any] = {}
    if answers.meter:
        changes["meter_id"] = answers.meter
    for key, value in (("timezone", answers.timezone), ("interval", answers.interval), ("stamp", answers.stamp)):
        if value:
            changes[key] = value
    if answers.standard_time:
        changes["fixed_offset"] = True
    if answers.unit or answers.kind or found.unit or found.kind:
        columns = found.columns or {"*": Quantity()}
        changes["columns"] = {name: _answered(quantity, answers, found) for name, quantity in columns.items()}
    if answers.time_format and found.time:
        changes["time"] = msgspec.structs.replace(found.time, format=answers.time_format)
    if answers.decimal:
        changes["csv"] = msgspec.structs.replace(found.csv, decimal=answers.decimal)
    return msgspec.structs.replace(found, **changes)


def _answered(quantity: Quantity, answers: Answers, found: Map) -> Quantity:
    unit, kind = answers.unit or quantity.unit or found.unit, answers.kind or quantity.kind or found.kind
    return msgspec.structs.replace(quantity, unit=unit, kind=kind)
