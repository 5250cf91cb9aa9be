"""The columns that a map names, found in the header of a file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flink_job.imports.model import Cell, FileError, Map, Profile, Quantity, Refused, Sheet
from flink_job.imports.questions import Questions

MAX_METER = 128


def plain(name: str) -> str:
    """Return the name of a column without case, accents, and signs between words."""
    text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9:*.]+", " ", text.lower()).strip()


def named(sheet: Sheet, name: str, file: str) -> str:
    """Return the column of a name, or of one of several names with `|` between. Raises FileError, with the columns."""
    wanted = [plain(option) for option in name.split("|")]
    found = [column for column in sheet.columns if plain(column) in wanted]
    if not found:
        known = ", ".join(map(repr, list(sheet.columns)[:20]))
        raise FileError(f"{file}: no column {name!r}; the columns are {known}")
    return found[0]


def has(sheet: Sheet, name: str) -> bool:
    """Whether a sheet has a column of a name, or of one of several."""
    wanted = [plain(option) for option in name.split("|")]
    return any(plain(column) in wanted for column in sheet.columns)


def matching(sheet: Sheet, pattern: str) -> list[str]:
    """Return the columns that match a pattern with `*`, `HH:MM` for columns named by a time of day, or `>=NAME`."""
    if pattern.startswith(">="):
        names = list(sheet.columns)
        wanted = [name for name in names if plain(name) == plain(pattern[2:])]
        found = names[names.index(wanted[0]) :] if wanted else []
        times = set(matching(sheet, "HH:MM"))
        return [name for name in found if name in times] if found and found[0] in times else found
    if pattern == "HH:MM":
        return [column for column in sheet.columns if re.fullmatch(r"\D{0,3}\d{1,2}[:h.]\d\d", column.strip())]
    return [column for column in sheet.columns if fnmatchcase(plain(column), plain(pattern))]


def quantities_of(sheet: Sheet, found: Map, file: str) -> dict[str, Quantity]:
    """Return the meaning of each column of values; a pattern stands for all columns that match."""
    wanted = dict(found.columns)
    if isinstance(found.meter_id, Cell) and found.meter_id.columns:
        meaning = next(iter(wanted.values()), Quantity())
        wanted = dict.fromkeys(matching(sheet, found.meter_id.columns), meaning)
    result: dict[str, Quantity] = {}
    for name, quantity in wanted.items():
        if "*" in name:
            result |= dict.fromkeys(matching(sheet, name), quantity)
        elif not isinstance(found, Profile) or has(sheet, name):
            result[named(sheet, name, file)] = quantity
    if not result and not (found.time and found.time.wide):
        known = ", ".join(map(repr, list(sheet.columns)[:20]))
        raise FileError(f"{file}: no column of values is known; state columns: in a map. The columns are {known}")
    return result


def meters_of(sheet: Sheet, found: Map, file: str, questions: Questions) -> tuple[Any, list[str]]:
    """Return (codes of the rows, meters); without a column of meters all rows belong to the first."""
    rows = len(sheet.lines)
    given = found.meter_id
    if isinstance(given, Cell) and given.columns:
        return np.zeros(rows, dtype=np.int64), [""]
    if isinstance(given, Cell):
        codes = pc.dictionary_encode(pc.utf8_trim_whitespace(sheet.columns[named(sheet, given.column, file)]))
        names = [given.values.get(name, name) for name in codes.dictionary.to_pylist()]
        kept = sorted({clean(name) for name in names})
        index = np.array([kept.index(clean(name)) for name in names], dtype=np.int64)
        return index[codes.indices.to_numpy()], kept
    if sheet.meter_column:
        if given is not None:
            raise FileError(f"{file}: it has several meters: state no --meter, or one file for each")
        return meters_of(
            sheet, msgspec.structs.replace(found, meter_id=Cell(column=sheet.meter_column)), file, questions
        )
    if given is None and "meter" in sheet.said:
        given = sheet.said["meter"]
    if given is None:
        questions.ask("the file does not name its meter", "--meter ID")
    name = given if isinstance(given, str) else ""
    return np.zeros(rows, dtype=np.int64), [clean(name)]


def clean(name: str) -> str:
    """Return the name of a meter without control characters and blanks around it."""
    return "".join(sign for sign in name if sign.isprintable()).strip()


def codes_of(cell: Cell | str, sheet: Sheet, file: str) -> tuple[Any, list[str]]:
    """Return (codes of the rows, texts) of a value that is fixed or in a column."""
    if isinstance(cell, str):
        return np.zeros(len(sheet.lines), dtype=np.int64), [cell]
    codes = pc.dictionary_encode(pc.utf8_trim_whitespace(sheet.columns[named(sheet, cell.column, file)]))
    texts = codes.dictionary.to_pylist()
    return codes.indices.to_numpy().astype(np.int64), [cell.values.get(text, text) for text in texts]


def texts(values: list[str]) -> Any:
    """Return a column of texts."""
    return pa.array(values, pa.string())


def sheet_of_rows(rows: Iterable[dict[str, Any]], refused: list[Refused]) -> Sheet:
    """Return rows with the key `line` as a sheet; a missing value is an empty text."""
    kept = list(rows)
    names = list(dict.fromkeys(name for row in kept for name in row if name != "line"))
    lines = np.array([row["line"] for row in kept], dtype=np.int64)
    return Sheet({name: texts([str(row.get(name, "")) for row in kept]) for name in names}, lines, refused)
