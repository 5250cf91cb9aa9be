"""What Firehose does with records that hold several rows: how it bills them, and how it takes the rows out."""

from __future__ import annotations

import json

#: Records are billed as multiples of 5 kB, and at most 500 JSON objects are taken out of one.
STEP_BYTES, MAX_OBJECTS = 5 * 1024, 500


def billed_bytes(record: bytes) -> int:
    """What a record is billed as."""
    return max(1, -(-len(record) // STEP_BYTES)) * STEP_BYTES


def separates_rows(config: dict) -> bool:
    """Whether a destination has a processor for de-aggregation of JSON."""
    processing = config.get("ProcessingConfiguration") or {}
    wanted = {"ParameterName": "SubRecordType", "ParameterValue": "JSON"}
    return bool(processing.get("Enabled")) and any(
        processor.get("Type") == "RecordDeAggregation" and wanted in (processor.get("Parameters") or [])
        for processor in processing.get("Processors") or []
    )


def rows_of(record: bytes) -> list[bytes]:
    """The JSON objects of a record, one after the other; the record itself where that is not what it holds.

    Such a record then fails as a whole, for no partition key can be read from it.
    """
    try:
        text = record.decode("utf-8")
        rows = _objects(text)
    except ValueError:
        return [record]
    return [row.encode() for row in rows] if 0 < len(rows) <= MAX_OBJECTS else [record]


def _objects(text: str) -> list[str]:
    decoder, found, position = json.JSONDecoder(), [], 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        row, end = decoder.raw_decode(text, position)
        if not isinstance(row, dict):
            raise ValueError("not an object")
        found.append(text[position:end])
        position = end
    return found
