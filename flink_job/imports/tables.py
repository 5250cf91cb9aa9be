"""Tables of texts: CSV with its separator and header line, and the line of each row."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from flink_job.imports.model import Csv, FileError, Refused, Sheet

SEPARATORS = (";", "\t", "|", ",")
#: Lines in which separator and header are looked for.
_HEAD = 40
_SHOWN = 80


def separator_of(lines: list[str]) -> str:
    """Return the separator by the number of cells that most lines agree on; a tie goes to the first of SEPARATORS."""
    best, most = ",", 0
    for separator in SEPARATORS:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=separator) if len(row) > 1)
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        if separator == "," and best != ",":
            continue
        if count * (1 if width > 1 else 0) > most:
            best, most = separator, count
    return best


def cells(line: str, separator: str) -> list[str]:
    """Return the cells of one line, without blanks around them."""
    return [cell.strip().strip("\ufeff") for cell in next(csv.reader([line], delimiter=separator), [])]


def head_of(text: str) -> list[str]:
    """Return the first lines of a text."""
    return text[:200_000].split("\n")[:_HEAD]


def sheet_of(name: str, text: str, form: Csv, header_line: int, separator: str, names: list[str]) -> Sheet:
    """Return the rows after the header as texts. `header_line` is counted from 1. Raises FileError."""
    names = _unique(names)
    bad: list[Refused] = []
    position = _after(text, header_line)
    body = text[position:].encode()
    if not body.strip():
        raise FileError(f"{name}:{header_line}: the header has no rows below it: the export is empty")

    def skip(row: Any) -> str:
        shown = (row.text or "").strip()
        if shown:
            found = f"{row.actual_columns} cells under a header of {row.expected_columns}"
            bad.append(Refused(row.number + header_line, found, shown[:_SHOWN]))
        else:
            bad.append(Refused(row.number + header_line, "", ""))
        return "skip"

    try:
        table = pcsv.read_csv(
            io.BytesIO(body),
            pcsv.ReadOptions(column_names=names, use_threads=False, block_size=16 << 20),
            pcsv.ParseOptions(delimiter=separator, invalid_row_handler=skip, ignore_empty_lines=len(names) == 1),
            pcsv.ConvertOptions(column_types={column: pa.string() for column in names}, strings_can_be_null=False),
        )
    except pa.ArrowInvalid as error:
        raise FileError(f"{name}: {error}"[:300]) from None
    lines = np.arange(1, table.num_rows + len(bad) + 1, dtype=np.int64) + header_line
    lines = lines[~np.isin(lines, np.array([row.line for row in bad], dtype=np.int64))]
    columns = {column: table[column].combine_chunks() for column in names}
    kept = [row for row in bad if row.reason]
    blank = np.ones(len(lines), dtype=bool)
    for column in columns.values():
        if not blank.any():
            return Sheet(columns, lines, kept)
        blank &= pc.equal(column, "").to_numpy(zero_copy_only=False)
    mask = pa.array(~blank)
    return Sheet({name: column.filter(mask) for name, column in columns.items()}, lines[~blank], kept)


def _after(text: str, line: int) -> int:
    """Return the position after a line, counted from 1."""
    position = 0
    for _ in range(line):
        found = text.find("\n", position)
        if found < 0:
            return len(text)
        position = found + 1
    return position


def _unique(names: list[str]) -> list[str]:
    """Return names in which empty and repeated ones have their number."""
    seen: Counter[str] = Counter()
    result = []
    for number, name in enumerate(names, start=1):
        name = name or f"column {number}"
        seen[name] += 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result
