"""Files that are no plain tables: NEM12, JSON lines, and InfluxDB's line protocol, as rows of texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from flink_job.imports.columns import sheet_of_rows
from flink_job.imports.green_button import espi
from flink_job.imports.model import FileError, Refused, Sheet

_LINE = re.compile(r"^((?:\\.|[^,\s\\])+)((?:,(?:\\.|[^ \\])+)?) +(.+?)(?: +(-?\d+))?$")
_PAIR = re.compile(r"((?:\\.|[^,=\\])+)=(\"(?:\\.|[^\"\\])*\"|(?:\\.|[^,\\])*)")
_NEM_CHANNELS = {"E": "import", "B": "export", "Q": "reactive_import", "K": "reactive_export"}


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
    return sheet_of_rows(rows, refused)


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


def json_lines(text: str, name: str) -> Sheet:
    """Return objects, one a line or in one array, with nested keys joined by a point. A topic before it is a column."""
    rows: list[dict[str, Any]] = []
    refused: list[Refused] = []
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text, parse_float=str, parse_int=str)
        except (ValueError, RecursionError) as error:
            raise FileError(f"{name}: not JSON: {error}") from None
        return sheet_of_rows(
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
        rows.append(
            _flat(item) | ({"topic": before.split()[-1]} if (before := before.strip(" =")) else {}) | {"line": line}
        )
    if not rows:
        raise FileError(f"{name}: no line is a JSON object")
    return sheet_of_rows(rows, refused)


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
    return sheet_of_rows(rows, refused)


def _bare(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text.strip().strip('"').lstrip(","))


SHAPES: dict[str, Callable[[str, str], Sheet]] = {
    "nem12": nem12,
    "espi": espi,
    "json": json_lines,
    "line_protocol": line_protocol,
}
