"""Files that are no plain tables: NEM12, Green Button, Enedis, JSON lines, and InfluxDB's formats, as rows of texts."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from flink_job.imports.columns import texts
from flink_job.imports.content import refuse_document_type
from flink_job.imports.model import FileError, Refused, Sheet

_LINE = re.compile(r"^((?:\\.|[^,\s\\])+)((?:,(?:\\.|[^ \\])+)?) +(.+?)(?: +(-?\d+))?$")
_PAIR = re.compile(r"((?:\\.|[^,=\\])+)=(\"(?:\\.|[^\"\\])*\"|(?:\\.|[^,\\])*)")
_NEM_CHANNELS = {"E": "import", "B": "export", "Q": "reactive_import", "K": "reactive_export"}
_ESPI = "{http://naesb.org/espi}"
_ESPI_UNITS = {"72": "Wh", "38": "W", "73": "varh", "63": "var"}


def _sheet(rows: Iterable[dict[str, Any]], refused: list[Refused], said: dict[str, str] | None = None) -> Sheet:
    """Return rows with the key `line` as a sheet; a missing value is an empty text."""
    kept = list(rows)
    names = list(dict.fromkeys(name for row in kept for name in row if name != "line"))
    lines = np.array([row["line"] for row in kept], dtype=np.int64)
    columns = {name: texts([str(row.get(name, "")) for row in kept]) for name in names}
    return Sheet(columns, lines, refused, said or {})


def nem12(text: str, name: str) -> Sheet:
    """Return the intervals of a NEM12 file: columns meter, date, ordinal, interval_s, channel, unit, value."""
    rows: list[dict[str, Any]] = []
    refused: list[Refused] = []
    head: list[str] | None = None
    for line, cells in enumerate((row.strip().split(",") for row in text.split("\n")), start=1):
        if cells[0] == "200":
            if len(cells) < 9 or not cells[8].isdecimal() or not 0 < int(cells[8]) <= 1440:
                raise FileError(f"{name}:{line}: record 200 has no interval length in its ninth cell")
            head = cells
        elif cells[0] == "300":
            if head is None:
                raise FileError(f"{name}:{line}: record 300 before the record 200 of its meter")
            rows += _nem_day(head, cells, line, refused)
        elif cells[0] not in ("100", "400", "500", "900", ""):
            refused.append(Refused(line, "unknown_record", cells[0][:20]))
    if not rows:
        raise FileError(f"{name}: no record 300: the file has no intervals")
    return _sheet(rows, refused)


def _nem_day(head: list[str], cells: list[str], line: int, refused: list[Refused]) -> Iterable[dict[str, Any]]:
    minutes = int(head[8])
    count = 1440 // minutes
    values, quality = cells[2 : 2 + count], cells[2 + count : 3 + count]
    if len(values) < count or not quality or not re.fullmatch(r"[A-Z]\d*", quality[0]):
        refused.append(Refused(line, "truncated", f"{len(values)} of {count} intervals"))
        return []
    if quality[0].startswith("N"):
        refused.append(Refused(line, "no_data", "quality N"))
        return []
    channel = _NEM_CHANNELS.get(head[4][:1], head[4])
    common = {"line": line, "meter": head[1], "date": cells[1], "interval_s": minutes * 60, "channel": channel}
    return [common | {"unit": head[7], "ordinal": n, "value": value} for n, value in enumerate(values, start=1)]


def espi(text: str, name: str) -> Sheet:
    """Return the intervals of a Green Button file: columns start [epoch s], interval_s, channel, unit, value."""
    refuse_document_type(name, text)
    try:
        root = ET.fromstring(re.sub(r"^<\?xml[^>]*\?>", "", text.lstrip()))
    except ET.ParseError as error:
        raise FileError(f"{name}:{error.position[0]}: not XML ({error}): download it again") from None
    types = [node for node in root.iter() if node.tag == f"{_ESPI}ReadingType"]
    blocks = [node for node in root.iter() if node.tag == f"{_ESPI}IntervalBlock"]
    if not blocks or not types:
        raise FileError(f"{name}: no IntervalBlock with a ReadingType: the export has no usage")
    meanings = [_meaning(node, name) for node in types]
    if len({tuple(sorted(meaning.items())) for meaning in meanings}) > 1:
        return _sheet(_by_entry(root, name), [])
    rows = [row for block in blocks for row in _readings(block, meanings[0])]
    return _sheet([row | {"line": number} for number, row in enumerate(rows, start=1)], [])


def _by_entry(root: ET.Element, name: str) -> list[dict[str, Any]]:
    """Return the rows of a feed with several reading types, which the entries of MeterReading join by their links."""
    rows: list[dict[str, Any]] = []
    current: dict[str, str] | None = None
    for node in root.iter():
        if node.tag == f"{_ESPI}ReadingType":
            current = _meaning(node, name)
        elif node.tag == f"{_ESPI}IntervalBlock":
            if current is None:
                raise FileError(f"{name}: an IntervalBlock before any ReadingType: export one meter at a time")
            rows += [row | {"line": len(rows) + n} for n, row in enumerate(_readings(node, current), start=1)]
    return rows


def _meaning(node: ET.Element, name: str) -> dict[str, str]:
    found = {child.tag.removeprefix(_ESPI): (child.text or "").strip() for child in node}
    if found.get("uom") not in _ESPI_UNITS:
        raise FileError(f"{name}: uom {found.get('uom')} of a ReadingType is no electricity (72 Wh, 38 W are)")
    if found.get("accumulationBehaviour") in ("1", "3", "9"):
        raise FileError(f"{name}: a ReadingType is cumulative: export interval data (accumulationBehaviour 4)")
    exported = found.get("flowDirection") == "19"
    reactive = "reactive_" if found["uom"] in ("73", "63") else ""
    return {
        "channel": reactive + ("export" if exported else "import"),
        "unit": _ESPI_UNITS[found["uom"]],
        "power": found.get("powerOfTenMultiplier") or "0",
    }


def _readings(block: ET.Element, meaning: dict[str, str]) -> Iterable[dict[str, Any]]:
    from decimal import Decimal, InvalidOperation

    for node in block.iter(f"{_ESPI}IntervalReading"):
        period = node.find(f"{_ESPI}timePeriod")
        value = (node.findtext(f"{_ESPI}value") or "").strip()
        try:
            value = format(Decimal(value).scaleb(int(meaning["power"])), "f")
        except (InvalidOperation, ValueError):
            value = value or "?"
        yield {
            "start": "" if period is None else (period.findtext(f"{_ESPI}start") or "").strip(),
            "interval_s": "0" if period is None else (period.findtext(f"{_ESPI}duration") or "0").strip(),
            "channel": meaning["channel"],
            "unit": meaning["unit"],
            "value": value,
        }


def json_lines(text: str, name: str) -> Sheet:
    """Return objects, one a line or in one array, with nested keys joined by a point. A topic before it is a column."""
    rows: list[dict[str, Any]] = []
    refused: list[Refused] = []
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text, parse_float=str, parse_int=str)
        except (ValueError, RecursionError) as error:
            raise FileError(f"{name}: not JSON: {error}") from None
        return _sheet(
            [_flat(item) | {"line": n} for n, item in enumerate(found, start=1) if isinstance(item, dict)], []
        )
    for line, raw in enumerate(text.split("\n"), start=1):
        if not raw.strip():
            continue
        before, mark, rest = raw.partition("{")
        try:
            item = json.loads(mark + rest, parse_float=str, parse_int=str)
        except (ValueError, RecursionError):
            refused.append(Refused(line, "not_json", raw[:80]))
            continue
        rows.append(_flat(item) | ({"topic": before.split()[-1]} if before.strip() else {}) | {"line": line})
    if not rows:
        raise FileError(f"{name}: no line is a JSON object")
    return _sheet(rows, refused)


def _flat(item: dict[str, Any], before: str = "", depth: int = 0) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in item.items():
        if isinstance(value, dict) and depth < 8:
            result |= _flat(value, f"{before}{key}.", depth + 1)
        elif value is not None and not isinstance(value, list):
            result["line " if before + key == "line" else before + key] = value
    return result


def line_protocol(text: str, name: str) -> Sheet:
    """Return points of InfluxDB's line protocol: a column for the measurement, each tag and field, and `time`."""
    rows: list[dict[str, Any]] = []
    refused: list[Refused] = []
    for line, raw in enumerate(text.split("\n"), start=1):
        if not raw.strip() or raw.startswith("#"):
            continue
        found = _LINE.match(raw.strip())
        if not found or not found[4]:
            refused.append(Refused(line, "not_line_protocol", raw[:80]))
            continue
        tags = {_bare(key): _bare(value) for key, value in _PAIR.findall(found[2])}
        fields = {_bare(key): re.sub(r"(?<=\d)[iu]$", "", _bare(value)) for key, value in _PAIR.findall(found[3])}
        rows.append({"measurement": _bare(found[1])} | tags | fields | {"time": found[4], "line": line})
    if not rows:
        raise FileError(f"{name}: no line is line protocol with a time")
    return _sheet(rows, refused)


def _bare(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text.strip().strip('"').lstrip(","))


SHAPES: dict[str, Callable[[str, str], Sheet]] = {
    "nem12": nem12,
    "espi": espi,
    "json": json_lines,
    "line_protocol": line_protocol,
}
