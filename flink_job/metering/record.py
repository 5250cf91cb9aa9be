"""The wire format of a reading: bytes to typed fields, or the reason why not."""

from __future__ import annotations

import csv
import json
from decimal import Decimal

import msgspec

SCHEMA_VERSION = 1

#: First byte of a CSV line that travels with its header: ENVELOPE header US line.
CSV_ENVELOPE = b"\x1d"
CSV_SEPARATOR = b"\x1f"
#: Column names that users' files have for ours.
CSV_ALIASES = {"ts": "interval_start", "timestamp": "interval_start", "kwh": "signed_kwh"}

#: Longest cell of a CSV line, but for the meter's name, whose length has a message of its own [characters].
MAX_CELL = 1000


class ReadingError(ValueError):
    """A record that is not a reading. `code` is stable; `args[0]` says what is wrong and what would be right."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


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
    """The fields of a record. Raises ReadingError."""
    try:
        if not payload.isascii():
            payload.decode("utf-8")  # the decoder does not look into fields that it skips
        if payload.startswith(CSV_ENVELOPE):
            return _decode_csv(payload)
        return _decode(payload)
    except msgspec.ValidationError as error:
        raise _validation_error(str(error)) from None
    except UnicodeDecodeError as error:
        raise ReadingError("not_utf8", f"byte {error.start} is not UTF-8") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(payload, str(error)) from None
    except csv.Error as error:
        raise ReadingError("not_csv", str(error)) from None


def _decode_csv(payload: bytes) -> ReadingRecord:
    header, _, line = payload[1:].partition(CSV_SEPARATOR)
    names = next(csv.reader([header.decode("utf-8")]), [])
    cells = next(csv.reader([line.decode("utf-8")], strict=True), [])
    if len(cells) != len(names):
        raise ReadingError("not_csv", f"{len(cells)} cells under a header of {len(names)}")
    fields = {CSV_ALIASES.get(n.strip(), n.strip()): c.strip() for n, c in zip(names, cells, strict=True) if c.strip()}
    if long := [name for name, cell in fields.items() if name != "meter_id" and len(cell) > MAX_CELL]:
        raise ReadingError("out_of_range", f"{long[0]} has more than {MAX_CELL} characters")
    return msgspec.convert(fields, ReadingRecord, strict=False)


def _validation_error(message: str) -> ReadingError:
    if "missing required field" in message:
        return ReadingError("missing_field", message)
    return ReadingError("wrong_type", message)


def _malformed(payload: bytes, message: str) -> ReadingError:
    """Why bytes are not a JSON document: a number that is not finite, or no JSON at all."""
    found: list[str] = []
    try:
        json.loads(payload, parse_constant=found.append)
    except (ValueError, RecursionError):
        found.clear()
    if found:
        return ReadingError("not_finite", "NaN and Infinity are no JSON numbers")
    return ReadingError("not_json", message)
