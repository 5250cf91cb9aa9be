"""Firehose's handling of records with several rows: billed size and de-aggregation."""

from __future__ import annotations

import json

#: Firehose bills records in multiples of 5 KiB, and de-aggregates at most 500 JSON objects per record.
STEP_BYTES, MAX_OBJECTS = 5 * 1024, 500


def billed_bytes(record: bytes) -> int:
    """Billed size of a record."""
    return max(1, -(-len(record) // STEP_BYTES)) * STEP_BYTES


def separates_rows(config: dict) -> bool:
    """True if a destination has a processor for JSON de-aggregation."""
    processing = config.get("ProcessingConfiguration") or {}
    wanted = {"ParameterName": "SubRecordType", "ParameterValue": "JSON"}
    return bool(processing.get("Enabled")) and any(
        processor.get("Type") == "RecordDeAggregation" and wanted in (processor.get("Parameters") or [])
        for processor in processing.get("Processors") or []
    )


def rows_of(record: bytes) -> list[bytes]:
    """The JSON objects of a record; the record itself if it is not a sequence of JSON objects.

    Such a record fails as a whole, because it has no readable partition key.
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
