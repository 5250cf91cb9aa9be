"""Green Button files (ESPI XML): intervals with their meter, channel and unit, joined by the links of the Atom feed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from flink_job.imports.columns import sheet_of_rows
from flink_job.imports.model import FileError, Refused, Sheet

_ESPI, _ATOM = "{http://naesb.org/espi}", "{http://www.w3.org/2005/Atom}"
_UNITS = {"72": "Wh", "38": "W", "73": "varh", "63": "var"}
#: Values of accumulationBehaviour that are no energy of an interval: bulk, cumulative, summation.
_CUMULATIVE = ("1", "3", "9")


class _Meaning(NamedTuple):
    """A ReadingType: channel, unit and power of ten; `fault` if its values are no energy or power of intervals."""

    channel: str
    unit: str
    power: str
    fault: str = ""


@dataclass
class _Feed:
    """Entries of a feed by their own links; `blocks`: each with the link of its MeterReading and the type before it."""

    types: dict[str, _Meaning] = field(default_factory=dict)
    related: dict[str, list[str]] = field(default_factory=dict)
    points: dict[str, str] = field(default_factory=dict)
    blocks: list[tuple[str, str, ET.Element]] = field(default_factory=list)

    def type_of(self, reading: str, before: str, name: str) -> _Meaning:
        """Return the meaning of the values of a MeterReading. Raises FileError."""
        for link in self.related.get(reading, ()):
            if link in self.types:
                return self.types[link]
        if len(set(self.types.values())) == 1:
            return next(iter(self.types.values()))
        if not before:
            raise FileError(f"{name}: an IntervalBlock before any ReadingType: export one meter at a time")
        return self.types[before]

    def names(self) -> dict[str, str]:
        """Return the meters by usage point: their titles, or their numbers if titles are missing or repeated."""
        titles = list(self.points.values())
        if all(titles) and len(set(titles)) == len(titles):
            return self.points
        return {point: point for point in self.points}


def espi(text: str, name: str) -> Sheet:
    """Return the intervals of a Green Button file: columns start [epoch s], interval_s, channel, unit, value.

    A file with several usage points also has a column meter. Raises FileError.
    """
    if "<!DOCTYPE" in text[:2000] or "<!ENTITY" in text[:2000]:
        raise FileError(f"{name}: a document type is not accepted: remove it")
    try:
        root = ET.fromstring(re.sub(r"^<\?xml[^>]*\?>", "", text.lstrip()))
    except ET.ParseError as error:
        raise FileError(f"{name}:{error.position[0]}: not XML ({error}): download it again") from None
    feed = _feed(root)
    if not feed.blocks or not feed.types:
        raise FileError(f"{name}: no IntervalBlock with a ReadingType: the export has no usage")
    faults = [meaning.fault for meaning in feed.types.values()]
    if all(faults):
        raise FileError(f"{name}: {faults[0]}")
    refused: list[Refused] = []
    sheet = sheet_of_rows(_rows(feed, name, refused), refused)
    sheet.meter_column = "meter" if len(feed.points) > 1 else ""
    return sheet


def _feed(root: ET.Element) -> _Feed:
    """Return the parts of a feed. A part without links has a number for a link."""
    feed = _Feed()
    last = ""
    # Without a feed around them, the parts are taken as those of one entry.
    for number, entry in enumerate(list(root.iter(f"{_ATOM}entry")) or [root]):
        links: dict[str, list[str]] = {}
        for link in entry.findall(f"{_ATOM}link"):
            links.setdefault(link.get("rel", ""), []).append(link.get("href", "").rstrip("/"))
        own = (links.get("self") or [f"#{number}"])[0]
        for count, node in enumerate(entry.iter()):
            if node.tag == f"{_ESPI}ReadingType":
                last = own if own not in feed.types else f"{own}#{count}"
                feed.types[last] = _meaning(node)
            elif node.tag == f"{_ESPI}MeterReading":
                feed.related[own] = links.get("related", [])
            elif node.tag == f"{_ESPI}UsagePoint":
                feed.points[_point(own) or own] = (entry.findtext(f"{_ATOM}title") or "").strip()
            elif node.tag == f"{_ESPI}IntervalBlock":
                feed.blocks.append(((links.get("up") or [own])[0].partition("/IntervalBlock")[0], last, node))
    for reading, _, _ in feed.blocks:
        if point := _point(reading):
            feed.points.setdefault(point, "")
    return feed


def _point(link: str) -> str:
    """Return the number of the usage point in a link, or an empty text."""
    found = re.search(r"/UsagePoint/([^/]+)", link)
    return found[1] if found else ""


def _meaning(node: ET.Element) -> _Meaning:
    found = {child.tag.removeprefix(_ESPI): (child.text or "").strip() for child in node}
    unit, fault = _UNITS.get(found.get("uom", ""), ""), ""
    if not unit:
        fault = f"uom {found.get('uom')} of a ReadingType is no electricity (72 Wh, 38 W are)"
    elif found.get("accumulationBehaviour") in _CUMULATIVE:
        fault = "a ReadingType is cumulative: export interval data (accumulationBehaviour 4)"
    reactive = "reactive_" if unit.startswith("var") else ""
    channel = reactive + ("export" if found.get("flowDirection") == "19" else "import")
    return _Meaning(channel, unit, found.get("powerOfTenMultiplier") or "0", fault)


def _rows(feed: _Feed, name: str, refused: list[Refused]) -> Iterator[dict[str, Any]]:
    """Yield the intervals, numbered in the order of the file; those of gas or water are refused by block."""
    number = 0
    names = feed.names()
    if len(names) > 1 and not all(_point(reading) for reading, _, _ in feed.blocks):
        raise FileError(f"{name}: several UsagePoints, and blocks without a link to theirs: export one meter at a time")
    for reading, before, block in feed.blocks:
        meaning = feed.type_of(reading, before, name)
        if meaning.fault:
            refused.append(Refused(number + 1, "other_quantity", meaning.fault))
            continue
        meter = {"meter": names[_point(reading)]} if len(names) > 1 else {}
        for row in _readings(block, meaning):
            number += 1
            yield row | meter | {"line": number}


def _readings(block: ET.Element, meaning: _Meaning) -> Iterator[dict[str, Any]]:
    for node in block.iter(f"{_ESPI}IntervalReading"):
        period = node.find(f"{_ESPI}timePeriod")
        value = (node.findtext(f"{_ESPI}value") or "").strip()
        try:
            value = format(Decimal(value).scaleb(int(meaning.power)), "f")
        except (InvalidOperation, ValueError):
            value = value or "?"
        yield {
            "start": "" if period is None else (period.findtext(f"{_ESPI}start") or "").strip(),
            "interval_s": "0" if period is None else (period.findtext(f"{_ESPI}duration") or "0").strip(),
            "channel": meaning.channel,
            "unit": meaning.unit,
            "value": value,
        }
