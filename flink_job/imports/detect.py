"""The profile of a file, by its header or its first bytes; else a map of what its columns say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise

import msgspec

from flink_job.imports.columns import plain
from flink_job.imports.model import Cell, FileError, Map, Profile, Quantity, Sheet, Time, map_of
from flink_job.imports.numbers import unit_in
from flink_job.imports.shapes import SHAPES
from flink_job.imports.tables import cells, head_of, separator_of, sheet_of

_STARTS = ("start", "start time", "interval start")
_TIMES = (
    *(*_STARTS, "timestamp", "time", "ts", "datetime", "date time", "horodate", "t stamp", "fecha hora", "zeit"),
    *("zeitstempel", "datum uhrzeit", "date", "datum", "fecha", "last changed", "_time"),
)
_ENDS = ("end", "end time", "interval end", "to", "bis", "fin")
_METERS = (
    *("meter", "meter id", "mpan", "cups", "prm", "nmi", "serial", "serial number", "zahler", "zahlpunkt"),
    *("messlokation", "malo", "device", "entity id", "contador"),
)
_CLOCK = ("time", "hora", "uhrzeit", "zeit", "heure")


@dataclass
class Detected:
    """A sheet with the profile or map by which it is read."""

    sheet: Sheet
    map: Map
    title: str


@cache
def profiles() -> dict[str, Profile]:
    """Return the profiles by name, in order of name."""
    folder = resources.files("flink_job.imports") / "profiles"
    found = {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if file.name.endswith(".yaml"):
            profile = map_of(file.read_text(encoding="utf-8"), file.name, Profile)
            found[file.name.removesuffix(".yaml")] = msgspec.structs.replace(
                profile, name=file.name.removesuffix(".yaml")
            )
    return found


def detected(name: str, text: str, stated: Map | None) -> Detected:
    """Return the rows of a text, by the stated profile or map, else by the profile of its header. Raises FileError.

    Of a partial map only separator and header line are used; `reader` has its answers.
    """
    lines = head_of(text)
    form = (stated or Map()).csv
    if stated is not None and stated.is_partial:
        stated = None
    if isinstance(stated, Profile) and stated.shape in SHAPES:
        return Detected(SHAPES[stated.shape](text, name), stated, stated.title)
    if stated is None and (shape := _shape_of(lines)):
        sheet = SHAPES[shape](text, name)
        return _by_columns(name, sheet, [p for p in profiles().values() if p.shape == shape])
    separator = form.separator or separator_of([line for line in lines if line.strip() and line[0] != "#"])
    header = form.header or _header_line(lines, separator, stated)
    names = cells(lines[header - 1], separator) if header <= len(lines) else []
    candidates = [stated] if stated else _of_header(names)
    sheet = sheet_of(name, text, form, header, separator, names)
    sheet.said["separator"] = repr(separator)
    _preamble(lines[: header - 1], separator, sheet)
    if len(candidates) == 1:
        found = candidates[0]
        return Detected(sheet, found, found.title if isinstance(found, Profile) else "map")
    if candidates:
        known = ", ".join(found.name for found in candidates if isinstance(found, Profile))
        raise FileError(f"{name}: the header fits several profiles: state --profile, one of {known}")
    return Detected(sheet, inferred(name, sheet), "columns by their names")


def _shape_of(lines: list[str]) -> str:
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith(("100,NEM12", "200,")):
        return "nem12"
    if first.startswith("<"):
        return "espi"
    # An MQTT topic, or a time and a topic, may stand before the message.
    if re.match(r"^([\[{]|(\S+ (MQT: )?)?[\w/+.-]+ (= )?\{)", first):
        return "json"
    if re.match(r"^[^,;\s]+(,(\\.|[^ =\\])+=(\\.|[^ \\])+)? [^ =,;]+=\S+ -?\d{10,}$", first):
        return "line_protocol"
    return ""


def _by_columns(name: str, sheet: Sheet, known: list[Profile]) -> Detected:
    names = list(sheet.columns)
    fitting = [profile for profile in known if _fits(profile, names)]
    if len(fitting) == 1:
        return Detected(sheet, fitting[0], fitting[0].title)
    return Detected(sheet, inferred(name, sheet), "columns by their names")


def _fits(profile: Profile, names: list[str]) -> bool:
    """Whether a header has every column of the profile; alternatives are separated by `|`."""
    have = {plain(name) for name in names}
    return all(any(plain(option) in have for option in wanted.split("|")) for wanted in profile.header)


def _of_header(names: list[str]) -> list[Profile]:
    """Return the profiles whose header fits best: those with the most columns."""
    fitting = [p for p in profiles().values() if p.shape == "table" and p.header and _fits(p, names)]
    most = max((len(profile.header) for profile in fitting), default=0)
    return [profile for profile in fitting if len(profile.header) == most]


def _header_line(lines: list[str], separator: str, stated: Map | None) -> int:
    """Return the line of the header, from 1: that of a profile, else the first with as many cells as the rows below."""
    rows = [(n, cells(line, separator)) for n, line in enumerate(lines, start=1) if line.strip() and line[0] != "#"]
    for number, row in rows:
        if _of_header(row) if stated is None else isinstance(stated, Profile) and _fits(stated, row):
            return number
    widths = [len(row) for _, row in rows]
    usual = max(set(widths), key=widths.count) if widths else 1
    for number, row in rows:
        if len(row) == usual and not any(re.fullmatch(r"[\d.,:]+", cell) for cell in row if cell):
            return number
    return rows[0][0] if rows else 1


def _preamble(lines: list[str], separator: str, sheet: Sheet) -> None:
    """Note what the lines before the header state: meter, unit and interval of Enedis; names and values of others."""
    table = [cells(line, separator) for line in lines if line.strip()]
    for heads, values in pairwise(table):
        stated = dict(zip(map(plain, heads), values, strict=False))
        if "identifiant prm" in stated and "pas en minutes" in stated:
            sheet.said |= {"meter": stated["identifiant prm"], "unit": stated.get("unite", "")}
            sheet.said["interval"] = f"{stated['pas en minutes']}min"


def inferred(name: str, sheet: Sheet) -> Map:
    """Return a map of what the names of the columns say. Raises FileError if times or values are not found."""
    names = {plain(column): column for column in sheet.columns}
    time = next((names[key] for key in _TIMES if key in names), None)
    values = {column: Quantity() for column in sheet.columns if unit_in(column) and column != time}
    if not time or not values:
        shown = ", ".join(map(repr, list(sheet.columns)[:20]))
        missing = "of times" if not time else "with a unit in its name"
        raise FileError(f"{name}: no column {missing} among {shown}: write a map (docs/use/import.md) and state --map")
    clock = next((names[key] for key in _CLOCK if key in names and names[key] != time), "")
    meter = next((names[plain(key)] for key in _METERS if plain(key) in names), None)
    end = next((names[key] for key in _ENDS if key in names), "")
    is_start = plain(time) in _STARTS or (end and plain(time) in ("from", "von", "inicio", "debut"))
    own = "interval s" in names
    return Map(
        interval=Cell(column=names["interval s"]) if own else None,
        meter_id=Cell(column=meter) if meter else None,
        time=Time(date=time, time=clock, end=end) if clock else Time(column=time, end=end),
        stamp="begin" if own or is_start else None,
        columns=values,
    )
