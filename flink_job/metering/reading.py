"""Parsing of readings: from the bytes of a record to one row of columns, or a rejection with its reason code.

The wire format is defined in `record`, the packing of quantities and revisions in `packing`.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from flink_job.metering.bounds import EARLIEST_DAY, EARLIEST_MS, MAX_DETAIL, MAX_NUMBER_TEXT, is_plain
from flink_job.metering.envelope import MARKER
from flink_job.metering.packing import MAX_REVISION, pack, unpack
from flink_job.metering.reasons import Rejection
from flink_job.metering.record import SCHEMA_VERSION, ReadingError, ReadingRecord, decode_record
from flink_job.metering.units import (
    BILLED_CHANNELS,
    MEASURED_CHANNELS,
    QUANTITY_LIMIT,
    UnknownUnitError,
    quantity_of,
    to_micro,
)
from flink_job.tenants import DEFAULT, qualified

MAX_INTERVAL_S = 90_000
MAX_NAME = 128
_MARK = f'"{MARKER}"'.encode()
BAD_ENVELOPE = "an envelope has a base64 payload; thing and tenant, if given, are valid names; see docs/use/tenants.md"

#: Fields in which a record may give its quantity; exactly one must be present.
_FORMS = ("energy_kwh", "power_kw", "register_kwh", "value", "signed_kwh", "values")
_QUALITIES = frozenset({"actual", "estimated", "edited"})


class ParsedReading(NamedTuple):
    """A row of columns: a reading, or its rejection with `reason` (a Rejection code) and `detail`.

    Energies are packed (see `pack`), None if the record does not contain the quantity. `start_ms` is the start of the
    interval [epoch ms], `measurements` a JSON object of channels that are not billed. `raw_unit`: unit in the
    record of its one channel, if that is not the channel's.
    """

    reason: str | None = None
    detail: str | None = None
    reading_id: str | None = None
    meter_id: str | None = None
    start_ms: int | None = None
    interval_s: int | None = None
    revision: int | None = None
    quality: str | None = None
    device_id: str | None = None
    sequence: int | None = None
    import_packed: int | None = None
    export_packed: int | None = None
    reactive_import_packed: int | None = None
    reactive_export_packed: int | None = None
    register_packed: int | None = None
    register_id: str | None = None
    rollover_ukwh: int | None = None
    measurements: str | None = None
    raw_unit: str | None = None


def parse_reading(
    payload: bytes,
    arrival_ms: int,
    max_bytes: int,
    max_future_s: int,
    tenant: str = DEFAULT,
    device: str | None = None,
) -> ParsedReading:
    """Parse a reading; returns a rejection for invalid bytes and never raises.

    `arrival_ms`: time at which the stream received the record. An interval that starts more than `max_future_s` seconds
    after it is rejected, so that a wrong device clock cannot advance the watermark.
    `tenant`: owner of the meter, by which its name is qualified (see flink_job.tenants).
    `device`: authenticated sender; it takes precedence over `device_id` of the record.
    """
    try:
        if len(payload) > max_bytes:
            raise ReadingError(Rejection.OVERSIZED, f"{len(payload)} bytes; a record may have at most {max_bytes}")
        record = decode_record(payload)
        return _parse_record(record, arrival_ms + max_future_s * 1000, tenant, device)
    except ReadingError as error:
        if _MARK in payload:
            return ParsedReading(reason=str(Rejection.BAD_ENVELOPE), detail=BAD_ENVELOPE)
        return ParsedReading(reason=error.code, detail=_quotable(str(error)))
    except Exception as error:  # an unexpected error must reject this record only, not stop the job
        return ParsedReading(reason=str(Rejection.UNREADABLE), detail=_quotable(f"{type(error).__name__}: {error}"))


def _quotable(detail: str) -> str:
    """Return a detail that every sink can write: truncated and without lone surrogates."""
    return detail[:MAX_DETAIL].encode("utf-8", "replace").decode("utf-8")


def _parse_record(record: ReadingRecord, latest_ms: int, tenant: str, device: str | None) -> ParsedReading:
    if record.schema_version > SCHEMA_VERSION:
        raise ReadingError(
            Rejection.NEWER_SCHEMA, f"schema_version is {record.schema_version}; this job supports {SCHEMA_VERSION}"
        )
    if not 0 < len(record.meter_id) <= MAX_NAME:
        raise ReadingError(Rejection.MISSING_FIELD, f"meter_id must have 1 to {MAX_NAME} characters")
    if not all(map(is_plain, (record.meter_id, record.device_id or "", record.register_id))):
        raise ReadingError(
            Rejection.OUT_OF_RANGE, "meter_id, device_id and register_id must not contain control characters"
        )
    if len(record.device_id or "") > MAX_NAME or len(record.register_id) > MAX_NAME:
        raise ReadingError(Rejection.OUT_OF_RANGE, f"device_id and register_id may have at most {MAX_NAME} characters")
    if not 0 < record.interval_s <= MAX_INTERVAL_S:
        raise ReadingError(
            Rejection.BAD_INTERVAL, f"interval_s is {record.interval_s}; it must be in 1..{MAX_INTERVAL_S}"
        )
    if not 0 <= record.revision <= MAX_REVISION:
        raise ReadingError(Rejection.OUT_OF_RANGE, f"revision is {record.revision}; it must be in 0..{MAX_REVISION}")
    if record.quality not in _QUALITIES:
        raise ReadingError(
            Rejection.WRONG_TYPE, f"quality is {record.quality!r}; it must be actual, estimated or edited"
        )
    if record.sequence is not None and not 0 <= record.sequence < 1 << 63:
        raise ReadingError(Rejection.OUT_OF_RANGE, "sequence must be in 0..2^63-1")
    start_ms = _start_ms(record.interval_start, latest_ms)
    quantities, revision = _quantities(record), record.revision
    imported, exported, reactive, reactive_exported = (
        _pack_checked(name, revision, quantities.pop(name, None)) for name in BILLED_CHANNELS
    )
    packed = (imported, exported, reactive, reactive_exported)
    register = _pack_checked("register_kwh", revision, record.register_kwh)
    rollover = record.register_rollover_kwh
    measurements = json.dumps({k: float(v) for k, v in quantities.items()}, sort_keys=True) if quantities else None
    meter_id = qualified(tenant, record.meter_id)
    identity = (meter_id, start_ms, record.interval_s, *packed, register, record.register_id, measurements)
    return ParsedReading(
        None,
        None,
        blake2b(repr(identity).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest(),
        meter_id,
        start_ms,
        record.interval_s,
        revision,
        record.quality,
        device or record.device_id,
        record.sequence,
        imported,
        exported,
        reactive,
        reactive_exported,
        register,
        record.register_id,
        None if rollover is None else unpack(_pack_checked("register_rollover_kwh", 0, rollover) or 0)[1],
        measurements,
        _raw_unit(record),
    )


def _raw_unit(record: ReadingRecord) -> str | None:
    """Return the unit in a record if its channel is stored in another one."""
    if record.power_kw is not None:
        return "kW"
    if record.value is None or record.unit in (None, _unit_of(record.channel)):
        return None
    return record.unit


def _unit_of(channel: str) -> str | None:
    return BILLED_CHANNELS.get(channel) or MEASURED_CHANNELS.get(channel)


def _start_ms(start: str | int, latest_ms: int) -> int:
    if isinstance(start, str):
        if len(start) > MAX_NUMBER_TEXT:
            raise ReadingError(
                Rejection.BAD_TIMESTAMP,
                f"interval_start has {len(start)} characters; at most {MAX_NUMBER_TEXT} are allowed",
            )
        start = int(start) if start.isdecimal() and len(start) > 8 else _parse_iso(start)
    if start < EARLIEST_MS:
        raise ReadingError(Rejection.TOO_OLD, f"interval_start is before {EARLIEST_DAY}")
    if start > latest_ms:
        raise ReadingError(Rejection.IN_FUTURE, f"interval_start is {(start - latest_ms) // 1000} s later than allowed")
    return start


@lru_cache(maxsize=4096)
def _parse_iso(text: str) -> int:
    """Return the epoch ms of an ISO 8601 time. Cached, because readings of many meters begin together."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ReadingError(Rejection.NO_OFFSET, f"interval_start {text!r} has no UTC offset: add Z or +hh:mm")
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        if isinstance(error, ReadingError):
            raise
        raise ReadingError(Rejection.BAD_TIMESTAMP, f"interval_start {text!r} is not an ISO 8601 time") from None


def _quantities(record: ReadingRecord) -> dict[str, Decimal]:
    """Return the quantity of each channel in the channel's unit, without the register, which is cumulative."""
    given = (record.energy_kwh, record.power_kw, record.register_kwh, record.value, record.signed_kwh, record.values)
    if given.count(None) != len(_FORMS) - 1:
        present = [name for name, value in zip(_FORMS, given, strict=True) if value is not None]
        found = " and ".join(present) or "none"
        raise ReadingError(
            Rejection.AMBIGUOUS if present else Rejection.MISSING_FIELD,
            f"give exactly one of energy_kwh, power_kw, register_kwh, value, values; found {found}",
        )
    if record.values is not None:
        if not record.values:
            raise ReadingError(Rejection.MISSING_FIELD, "values must not be empty")
        return {
            channel: _convert(channel, number, None, record.interval_s) for channel, number in record.values.items()
        }
    _check_stated_unit(record)
    if record.register_kwh is not None:
        if record.channel != "import":
            raise ReadingError(Rejection.UNKNOWN_CHANNEL, f"register_kwh is for channel import, not {record.channel!r}")
        return {}
    if record.signed_kwh is not None:
        if record.channel != "import":
            raise ReadingError(
                Rejection.UNKNOWN_CHANNEL, f"signed_kwh is import or export by its sign, not channel {record.channel!r}"
            )
        # copy_abs and is_signed accept any number, including NaN; abs and < raise for some.
        channel = "export" if record.signed_kwh.is_signed() and record.signed_kwh else "import"
        return {channel: _convert(channel, record.signed_kwh.copy_abs(), "kWh", record.interval_s)}
    return {record.channel: _short_quantity(record)}


def _check_stated_unit(record: ReadingRecord) -> None:
    """Raise ReadingError if a record states another unit than the name of its quantity."""
    if record.unit is None or record.value is not None:
        return
    name, unit = ("power_kw", "kW") if record.power_kw is not None else ("energy_kwh", "kWh")
    if record.signed_kwh is not None or record.register_kwh is not None:
        name = "signed_kwh" if record.signed_kwh is not None else "register_kwh"
    if record.unit != unit:
        raise ReadingError(
            Rejection.UNKNOWN_UNIT, f"unit {record.unit!r} beside {name}, which is in {unit}: give value and unit"
        )


def _short_quantity(record: ReadingRecord) -> Decimal:
    if record.energy_kwh is not None:
        return _convert(record.channel, record.energy_kwh, "kWh", record.interval_s)
    if record.power_kw is not None:
        return _convert(record.channel, record.power_kw, "kW", record.interval_s)
    assert record.value is not None
    return _convert(record.channel, record.value, record.unit, record.interval_s)


def _convert(channel: str, number: Decimal, unit: str | None, interval_s: int) -> Decimal:
    default = _unit_of(channel)
    if default is None:
        known = ", ".join([*BILLED_CHANNELS, *MEASURED_CHANNELS])
        raise ReadingError(Rejection.UNKNOWN_CHANNEL, f"channel is {channel!r}; it must be one of {known}")
    if not number.is_finite():
        raise ReadingError(Rejection.NOT_FINITE, f"{channel} is {number}")
    if number and number.adjusted() > 20:
        raise ReadingError(Rejection.OUT_OF_RANGE, f"{channel} is {number}")
    try:
        return quantity_of(channel, number, unit or default, interval_s)
    except UnknownUnitError as error:
        raise ReadingError(Rejection.UNKNOWN_UNIT, str(error)) from None


def _pack_checked(name: str, revision: int, quantity: Decimal | None) -> int | None:
    if quantity is None:
        return None
    if not quantity.is_finite():
        raise ReadingError(Rejection.NOT_FINITE, f"{name} is {quantity}")
    if quantity < 0:
        raise ReadingError(Rejection.NEGATIVE_ENERGY, f"{name} is {quantity}; it must not be negative")
    if quantity.adjusted() > 12 or (quantity_u := to_micro(quantity)) >= QUANTITY_LIMIT:
        raise ReadingError(
            Rejection.OUT_OF_RANGE, f"{name} is {quantity}; it may be at most {QUANTITY_LIMIT // 1_000_000}"
        )
    return pack(revision, quantity_u)
