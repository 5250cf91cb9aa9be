"""Envelopes: records of the readings stream that wrap the bytes of a device with its name and tenant.

The IoT rule creates them from the messages of devices; trusted back ends may send them too. The dataflow opens them in
flink_job/dataflow/sql/decode/payloads.sql, other consumers of the stream with this module. See docs/use/tenants.md.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import NamedTuple

import msgspec

from flink_job.tenants import DEFAULT, THING_SEPARATOR, is_tenant

VERSION = "1"
#: Field that identifies an envelope.
MARKER = "metering_envelope"
_MARK = f'"{MARKER}"'.encode()
_THING = re.compile(r"[A-Za-z0-9:_-]{1,128}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class Enclosed(NamedTuple):
    """The content of a record; `device` is the thing that sent it, or None."""

    payload: bytes
    tenant: str = DEFAULT
    device: str | None = None


class _Envelope(msgspec.Struct):
    metering_envelope: str
    payload: str
    thing: str | None = None
    tenant: str | None = None


_decode = msgspec.json.Decoder(_Envelope).decode


def enclose(payload: bytes, tenant: str = "", device: str | None = None) -> bytes:
    """Wrap a record in an envelope. Without `tenant` it belongs to the tenant in the name of the device."""
    named = {"tenant": tenant} if tenant else {}
    by = {"thing": device} if device else {}
    return msgspec.json.encode({MARKER: VERSION, "payload": b64encode(payload).decode("ascii"), **named, **by})


def opened(record: bytes, tenant: str = DEFAULT) -> Enclosed:
    """Unwrap an envelope; any other record is returned unchanged. `tenant` is the stream's, the default."""
    if _MARK not in record or record.count(b"{") != 1:
        return Enclosed(record, tenant)
    try:
        found = _decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Enclosed(record, tenant)
    whose, separator, _ = (found.thing or "").partition(THING_SEPARATOR)
    things = whose if separator else tenant
    if (
        not is_tenant(things)
        or (found.tenant is not None and not is_tenant(found.tenant))
        or (found.thing is not None and not _THING.fullmatch(found.thing))
        or not _BASE64.fullmatch(found.payload)
        or len(found.payload) % 4
    ):
        return Enclosed(record, tenant)
    return Enclosed(b64decode(found.payload), found.tenant or things, found.thing)
