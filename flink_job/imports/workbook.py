"""Workbooks (.xlsx) and Parquet as tables of texts."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from flink_job.imports.columns import texts
from flink_job.imports.content import XML_HEAD, refuse_document_type
from flink_job.imports.model import FileError, Sheet
from flink_job.io.parquet import ParquetError, rows_in

_NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
#: Number formats of dates that need no definition in the file.
_DATES = {*range(14, 23), *range(45, 48)}
_MAX_PART = 256 << 20


def sheet_of_parquet(name: str, data: bytes) -> Sheet:
    """Return the rows of a Parquet file as texts. Raises FileError."""
    try:
        rows = list(rows_in(io.BytesIO(data)))
    except ParquetError as error:
        raise FileError(f"{name}: {error}") from None
    if not rows:
        raise FileError(f"{name}: the table has no rows")
    columns = {column: texts([_text(row[column]) for row in rows]) for column in rows[0]}
    return Sheet(columns, np.arange(1, len(rows) + 1))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)


def sheet_of_workbook(name: str, data: bytes) -> Sheet:
    """Return the first sheet of a workbook as texts; its header is the first row with more than one cell."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            rows = list(_rows(archive, name))
    except (zipfile.BadZipFile, KeyError, ET.ParseError, ValueError) as error:
        raise FileError(f"{name}: the workbook is damaged ({error}): save it again as .xlsx or CSV") from None
    at = next((n for n, (_, row) in enumerate(rows) if sum(bool(cell) for cell in row.values()) > 1), None)
    if at is None or at + 1 == len(rows):
        raise FileError(f"{name}: the first sheet has no rows below a header")
    header = rows[at][1]
    body = rows[at + 1 :]
    columns = {title: texts([row.get(key, "") for _, row in body]) for key, title in header.items() if title}
    return Sheet(columns, np.array([line for line, _ in body], dtype=np.int64))


def _rows(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (number, text by column letter) of the rows of the first sheet."""
    parts = sorted(part for part in archive.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", part))
    if not parts:
        raise FileError(f"{name}: the workbook has no sheet")
    shared = []
    if "xl/sharedStrings.xml" in archive.namelist():
        for item in _xml(archive, "xl/sharedStrings.xml", name).iter(f"{_NS}si"):
            shared.append("".join(node.text or "" for node in item.iter(f"{_NS}t")))
    dates = _date_styles(archive, name)
    for number, row in enumerate(_xml(archive, parts[0], name).iter(f"{_NS}row"), start=1):
        cells = {}
        for cell in row.iter(f"{_NS}c"):
            key = re.sub(r"\d", "", cell.get("r", ""))
            cells[key] = _cell(cell, shared, dates)
        yield int(row.get("r", number)), cells


def _cell(cell: ET.Element, shared: list[str], dates: set[int]) -> str:
    value = cell.findtext(f"{_NS}v") or ""
    kind = cell.get("t", "n")
    if kind == "s":
        return shared[int(value)] if value else ""
    if kind == "inlineStr":
        return "".join(node.text or "" for node in cell.iter(f"{_NS}t"))
    if kind == "n" and value and int(cell.get("s", "0")) in dates:
        # Days since 1899-12-30; rounding to seconds removes what a float cannot hold.
        moment = datetime(1899, 12, 30) + timedelta(seconds=round(float(value) * 86_400))
        return moment.isoformat()
    return value


def _date_styles(archive: zipfile.ZipFile, name: str) -> set[int]:
    """Return the cell styles whose number format is a date."""
    if "xl/styles.xml" not in archive.namelist():
        return set()
    root = _xml(archive, "xl/styles.xml", name)
    dates = set(_DATES)
    for node in root.iter(f"{_NS}numFmt"):
        code = re.sub(r'"[^"]*"|\[[^\]]*\]', "", node.get("formatCode", "")).lower()
        if re.search(r"[ymdh]", code):
            dates.add(int(node.get("numFmtId", "0")))
    styles = root.find(f"{_NS}cellXfs")
    return {n for n, node in enumerate(styles if styles is not None else ()) if int(node.get("numFmtId", "0")) in dates}


def _xml(archive: zipfile.ZipFile, part: str, name: str) -> ET.Element:
    if archive.getinfo(part).file_size > _MAX_PART:
        raise FileError(f"{name}: {part} is larger than {_MAX_PART >> 20} MiB: save it as CSV")
    data = archive.read(part)
    refuse_document_type(name, data[:XML_HEAD].decode("latin-1"))
    return ET.fromstring(data)
