"""Bounds of what is read, in one place: whoever sends something, reading it takes bounded time and memory."""

from __future__ import annotations

from datetime import UTC, date, datetime

#: Largest record of the streams and of files [bytes]. Kinesis takes 1 MiB; a reading is some 200 bytes.
MAX_RECORD_BYTES = 262_144
#: Of a longer line of a file only the beginning is kept; it is as long as a record that Kinesis takes [bytes].
MAX_LINE_BYTES = 1_048_576
#: Largest document (tariff, alert rules, price series) [bytes].
MAX_DOCUMENT_BYTES = 4_194_304
#: Longest header of a CSV file, which travels with every line of it [bytes].
MAX_HEADER_BYTES = 16_384
#: Largest object on S3 that is read as an input file [bytes]. It is copied to a temporary file, not held in memory.
MAX_INPUT_BYTES = 8 << 30
#: Largest table that is held in memory as a whole, after decompression [bytes].
MAX_TABLE_BYTES = 4 << 30
#: Levels of a document within each other.
MAX_DEPTH = 32
#: Longest explanation of what is wrong, which may quote the record [characters].
MAX_DETAIL = 500
#: Longest text of a number or an instant [characters]. Python refuses integers of more than 4,300 digits.
MAX_NUMBER_TEXT = 64
#: Readings before this day are rejected. The lake's partitions begin with it.
EARLIEST_DAY = date(2000, 1, 1)
EARLIEST_MS = int(datetime(EARLIEST_DAY.year, EARLIEST_DAY.month, EARLIEST_DAY.day, tzinfo=UTC).timestamp() * 1000)
#: Largest contracted power [kW].
MAX_CONTRACTED_KW = 1_000_000_000
#: Earliest and latest year that a contract may name.
CONTRACT_YEARS = range(1990, 2200)


def is_plain(text: str) -> bool:
    """True for text without control characters or lone surrogates, which keys, files and JSON cannot all hold."""
    return text.isprintable() or not any(ord(sign) < 32 or 0xD800 <= ord(sign) < 0xE000 for sign in text)
