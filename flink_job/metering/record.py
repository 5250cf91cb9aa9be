"""The wire format of a reading: decodes bytes to typed fields."""

from __future__ import annotations

import csv
import json
from decimal import Decimal

import msgspec

from flink_job.errors import CodedError
from flink_job.metering.reasons import Rejection

SCHEMA_VERSION = 1

#: First byte of a record with a CSV line and its header: CSV_ENVELOPE header CSV_SEPARATOR line.
CSV_ENVELOPE = b"\x1d"
CSV_SEPARATOR = b"\x1f"
#: Alternative column names of CSV files.
CSV_ALIASES = {"ts": "interval_start", "timestamp": "interval_start", "kwh": "signed_kwh"}

#: Longest cell of a CSV line, except the meter id, whose length has its own message [characters].
MAX_CELL = 1000


class ReadingError(CodedError, ValueError):
    """A record that is not a valid reading; `code` is a Rejection code."""


class ReadingRecord(msgspec.Struct):
    """The wire format of a reading (JSON). Unknown fields are ignored."""

    meter_id: str
    interval_start: str | int
    interval_s: int
    schema_version: int = SCHEMA_VERSION
    revision: int = 0
    quality: str = "actual"
    sequence: int | None = None
    device_id: str | None = None
    channel: str = "import"
    energy_kwh: Decimal | None = None
    power_kw: Decimal | None = None
    register_kwh: Decimal | None = None
    value: Decimal | None = None
    unit: str | None = None
    values: dict[str, Decimal] | None = None
    register_id: str = ""
    register_rollover_kwh: Decimal | None = None
    signed_kwh: Decimal | None = None


_decode = msgspec.json.Decoder(ReadingRecord).decode


def decode_record(payload: bytes) -> ReadingRecord:
    """Decode the fields of a record. Raises ReadingError."""
    try:
        if not payload.isascii():
            payload.decode("utf-8")  # the decoder does not validate the fields that it skips
        if payload.startswith(CSV_ENVELOPE):
            return _decode_csv(payload)
        return _decode(payload)
    except msgspec.ValidationError as error:
        raise _validation_error(str(error)) from None
    except UnicodeDecodeError as error:
        raise ReadingError(Rejection.NOT_UTF8, f"byte {error.start} is not UTF-8") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(payload, str(error)) from None
    except csv.Error as error:
        raise ReadingError(Rejection.NOT_CSV, str(error)) from None


def _decode_csv(payload: bytes) -> ReadingRecord:
    header, _, line = payload[1:].partition(CSV_SEPARATOR)
    names = next(csv.reader([header.decode("utf-8")]), [])
    cells = next(csv.reader([line.decode("utf-8")], strict=True), [])
    if len(cells) != len(names):
        raise ReadingError(Rejection.NOT_CSV, f"{len(cells)} cells under a header of {len(names)}")
    fields = {CSV_ALIASES.get(n.strip(), n.strip()): c.strip() for n, c in zip(names, cells, strict=True) if c.strip()}
    if long := [name for name, cell in fields.items() if name != "meter_id" and len(cell) > MAX_CELL]:
        raise ReadingError(Rejection.OUT_OF_RANGE, f"{long[0]} has more than {MAX_CELL} characters")
    return msgspec.convert(fields, ReadingRecord, strict=False)


def _validation_error(message: str) -> ReadingError:
    if "missing required field" in message:
        return ReadingError(Rejection.MISSING_FIELD, message)
    return ReadingError(Rejection.WRONG_TYPE, message)


def _malformed(payload: bytes, message: str) -> ReadingError:
    """Return the error of bytes that are not JSON; NaN and Infinity, which Python accepts, get their own code."""
    found: list[str] = []
    try:
        json.loads(payload, parse_constant=found.append)
    except (ValueError, RecursionError):
        found.clear()
    if found:
        return ReadingError(Rejection.NOT_FINITE, "NaN and Infinity are not JSON numbers")
    return ReadingError(Rejection.NOT_JSON, message)
