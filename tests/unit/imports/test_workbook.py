"""Workbooks: texts, numbers, and dates as days since 30 December 1899."""

from __future__ import annotations

import io
import zipfile

import pytest

from flink_job.imports.model import FileError
from tests.unit.imports.files import energies, imported

NS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def workbook(rows: str) -> bytes:
    """A workbook with one sheet; style 1 is a date."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", f"<workbook {NS}/>")
        archive.writestr(
            "xl/styles.xml", f'<styleSheet {NS}><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>'
        )
        archive.writestr("xl/sharedStrings.xml", f"<sst {NS}><si><t>Start</t></si><si><t>Usage (kWh)</t></si></sst>")
        archive.writestr("xl/worksheets/sheet1.xml", f"<worksheet {NS}><sheetData>{rows}</sheetData></worksheet>")
    return out.getvalue()


HEADER = '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'


def test_dates_and_numbers() -> None:
    """Day 46082 is 1 March 2026; 46082.010416666664 is a quarter of an hour later."""
    rows = (
        '<row r="2"><c r="A2" s="1"><v>46082</v></c><c r="B2"><v>1.5</v></c></row>'
        '<row r="3"><c r="A3" s="1"><v>46082.010416666664</v></c><c r="B3"><v>2.5</v></c></row>'
    )
    found = imported(workbook(HEADER + rows), meter="m", timezone="Etc/UTC")
    assert energies(found) == {"2026-03-01T00:00": "1.5", "2026-03-01T00:15": "2.5"}


@pytest.mark.parametrize("rows", ["", HEADER, "<row"])
def test_a_sheet_without_rows_has_a_message(rows: str) -> None:
    with pytest.raises(FileError, match=r"f\.csv"):
        imported(workbook(rows))
