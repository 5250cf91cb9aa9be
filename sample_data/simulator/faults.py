"""Injects faults into readings: late, duplicate, corrected and malformed records."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Rates:
    """Share of the readings with each fault."""

    repeated: float = 0.02
    hours_late: float = 0.05
    corrected: float = 0.01
    malformed: float = 0.005

    @staticmethod
    def none() -> Rates:
        """Return rates without faults."""
        return replace(Rates(), repeated=0, hours_late=0, corrected=0, malformed=0)


Sent = tuple[int, bytes]
"""(moment at which the device sends it, epoch s; record)."""

HOUR_S = 3600


def with_faults(send_s: int, reading: dict[str, Any], rates: Rates, rng: random.Random) -> Iterator[Sent]:
    """Yield the records sent for a reading: the reading, and possibly a duplicate, a correction, a malformed record.

    Each may be sent later than `send_s` [epoch s].
    """
    payload = encode(reading)
    if rng.random() < rates.hours_late:
        send_s += rng.randint(1, 12) * HOUR_S + rng.randint(0, HOUR_S)
    yield send_s, payload
    if rng.random() < rates.repeated:
        yield send_s + rng.choice([1, 60, 5 * HOUR_S]), payload
    if rng.random() < rates.corrected and "register_kwh" not in reading:
        yield send_s + rng.randint(1, 6 * HOUR_S), encode(corrected(reading, rng))
    if rng.random() < rates.malformed:
        yield send_s, malformed(reading, rng)


def corrected(reading: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Return revision 1 of a reading, with quantities up to 20 % lower or higher."""
    factor = 1 + rng.uniform(-0.2, 0.2)
    changed = dict(reading, revision=1, quality="edited")
    if "values" in reading:
        changed["values"] = {k: round(v * factor, 3) for k, v in reading["values"].items()}
    else:
        changed["energy_kwh"] = round(reading["energy_kwh"] * factor, 3)
    return changed


def malformed(reading: dict[str, Any], rng: random.Random) -> bytes:
    """Return a malformed record of a random kind of MALFORMED."""
    return MALFORMED[rng.choice(sorted(MALFORMED))](reading)


def encode(reading: dict[str, Any]) -> bytes:
    """Return a document as JSON."""
    return json.dumps(reading, separators=(",", ":")).encode()


def _without(reading: dict[str, Any], field: str) -> dict[str, Any]:
    return {k: v for k, v in reading.items() if k != field}


def _short(reading: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the reading in its short form, with a fixed energy and with changes."""
    kept = {k: v for k, v in reading.items() if k not in ("values", "register_kwh", "energy_kwh")}
    return {**kept, "energy_kwh": 1.5, **changes}


MALFORMED = {
    "not_json": lambda r: encode(r)[:-7],
    "not_utf8": lambda r: encode(r)[:-1] + b',"note":"\xff\xfe"}',
    "missing_field": lambda r: encode(_without(r, "meter_id")),
    "wrong_type": lambda r: encode({**r, "interval_s": "a quarter of an hour"}),
    "not_finite": lambda r: encode(_short(r, energy_kwh=float("nan"))),
    "negative_energy": lambda r: encode(_short(r, energy_kwh=-3.25)),
    "out_of_range": lambda r: encode(_short(r, energy_kwh=1e308)),
    "no_offset": lambda r: encode({**r, "interval_start": "2026-03-28T10:00:00"}),
    "too_old": lambda r: encode({**r, "interval_start": "1999-12-31T23:59:00Z"}),
    "in_future": lambda r: encode({**r, "interval_start": "2099-01-01T00:00:00Z"}),
    "bad_interval": lambda r: encode({**r, "interval_s": 0}),
    "unknown_channel": lambda r: encode(_short(r, channel="gas")),
    "unknown_unit": lambda r: encode({**_without(_short(r), "energy_kwh"), "value": 3, "unit": "furlong"}),
    "newer_schema": lambda r: encode({**r, "schema_version": 2}),
}
"""A malformed record by the code of its rejection."""
