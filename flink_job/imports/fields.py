"""Fields of own records that mean nothing: a misspelt one changes no bill, and nobody would notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import msgspec

from flink_job.errors import MeteringError
from flink_job.io.records import read_records
from flink_job.metering.contract import Contract
from flink_job.metering.envelope import MARKER
from flink_job.metering.record import CSV_ALIASES, CSV_ENVELOPE, CSV_SEPARATOR, ReadingRecord

#: Records of a file that are looked at.
SAMPLE = 1000
_MOST = 10
_READING = tuple(ReadingRecord.__struct_fields__)
_KNOWN = frozenset({*_READING, *CSV_ALIASES})


def unknown_fields(name: str) -> list[str]:
    """Return a line for each field of the first records of a file of readings that is ignored."""
    found = Unknown()
    try:
        for _ in found.watched(islice(read_records(name), SAMPLE)):
            pass
    except (MeteringError, OSError):
        pass  # the reader of the file says it
    return found.lines(Path(name).name)


class Unknown:
    """Number of records by field that is ignored, among the first of a file."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def watched(self, records: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        """Yield records as they are; the first SAMPLE are looked at."""
        for number, (line, payload) in enumerate(records):
            if number < SAMPLE:
                self.counts.update(_fields(payload) - _KNOWN)
            yield line, payload

    def lines(self, name: str) -> list[str]:
        """Return a line for each field."""
        return [
            f"{name}: field {field[:60]!r} is ignored ({count:,} records){_hint(field)}"
            for field, count in self.counts.most_common(_MOST)
        ]


def _fields(payload: bytes) -> set[str]:
    """Return the names of the fields of a record; of one that is broken, of an envelope or of a list, none."""
    if payload.startswith(CSV_ENVELOPE):
        header = payload[1:].partition(CSV_SEPARATOR)[0].decode("utf-8", "replace")
        return {name.strip(' "') for name in header.split(",") if name.strip(' "')}
    try:
        found = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return set()
    return set() if MARKER in found else set(found)


def _hint(field: str) -> str:
    contract = tuple(Contract.__struct_fields__)
    if near := get_close_matches(field.lower(), _READING, 1, 0.75):
        return f": do you mean {near[0]}?"
    if near := get_close_matches(field.lower(), contract, 1, 0.75):
        return f": {near[0]} is a field of contracts"
    return ""
