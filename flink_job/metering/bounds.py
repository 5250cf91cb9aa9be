"""Input limits in one place: they bound the time and memory of reading any input."""

from __future__ import annotations

from datetime import UTC, date, datetime

#: Largest record of the streams, of files and of the lake [bytes]. Kinesis accepts 1 MiB, a reading has about 200 bytes
MAX_RECORD_BYTES = 262_144
#: How far `interval_start` may be after arrival, for device clocks that run ahead [s].
MAX_FUTURE_S = 3600
#: Longest line of a file; longer ones are truncated to it [bytes]. Equal to the largest record of Kinesis.
MAX_LINE_BYTES = 1_048_576
#: Largest document (tariff, alert rules, price series) [bytes].
MAX_DOCUMENT_BYTES = 4_194_304
#: Longest header of a CSV file, which is repeated in the record of every line [bytes].
MAX_HEADER_BYTES = 16_384
#: Largest S3 object that is read as an input file [bytes]. It is copied to a temporary file, not into memory.
MAX_INPUT_BYTES = 8 << 30
#: Largest size of the records of an uploaded file, after decompression [bytes].
MAX_STAGED_BYTES = 16 << 30
#: Largest table that is loaded into memory, after decompression [bytes].
MAX_TABLE_BYTES = 4 << 30
#: Deepest nesting of a document.
MAX_DEPTH = 32
#: Longest error message of a record, which may quote the record [characters].
MAX_DETAIL = 500
#: Longest text of a number or timestamp [characters]. Python refuses integers of more than 4,300 digits.
MAX_NUMBER_TEXT = 64
#: Readings before this day are rejected. It is the first partition of the lake.
EARLIEST_DAY = date(2000, 1, 1)
EARLIEST_MS = int(datetime(EARLIEST_DAY.year, EARLIEST_DAY.month, EARLIEST_DAY.day, tzinfo=UTC).timestamp() * 1000)
#: Largest contracted power [kW].
MAX_CONTRACTED_KW = 1_000_000_000
#: Earliest and latest year that a contract may name.
CONTRACT_YEARS = range(1990, 2200)


def is_plain(text: str) -> bool:
    """Return True for text without control characters and lone surrogates, which not every sink can store."""
    return text.isprintable() or not any(ord(sign) < 32 or 0xD800 <= ord(sign) < 0xE000 for sign in text)
