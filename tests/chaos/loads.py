"""Loads: records in order of arrival, some with defects in the data; the seed is fixed.

The base is the sample: about 200 meters with time of use, tiers, demand, registers, late readings, duplicates,
corrections and malformed records. `rejected` has the records that must be rejected, byte for byte.
"""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from deploy.local.demo import SAMPLES, records_of
from tests.harness.samples import is_malformed

SEED = 5


@dataclass(frozen=True)
class Load:
    """Records to publish. `rejected` counts the invalid ones; `contracts` are those of the sample by default."""

    records: list[bytes]
    rejected: Counter[bytes] = field(default_factory=Counter)
    contracts: list[bytes] = field(default_factory=lambda: list(records_of(SAMPLES / "contracts.ndjson")))

    def readings(self) -> list[bytes]:
        """Valid records, in order."""
        left = Counter(self.rejected)
        found = []
        for record in self.records:
            if left[record]:
                left[record] -= 1
            else:
                found.append(record)
        return found


def clean(count: int) -> Load:
    """The unchanged sample."""
    records = list(islice(records_of(SAMPLES / "readings.ndjson.gz"), count))
    return Load(records, Counter(filter(is_malformed, records)))


def duplicated(count: int) -> Load:
    """Every record one to five times, up to 24 hours of the sample's time apart."""
    base, chance = clean(count), random.Random(SEED)
    day = max(1, count // 3)
    placed = [
        (position if copy == 0 else position + chance.randrange(day), copy, record)
        for position, record in enumerate(base.records)
        for copy in range(chance.randint(1, 5))
    ]
    placed.sort(key=lambda item: item[:2])
    records = [record for _, _, record in placed]
    return Load(records, Counter(filter(is_malformed, records)))


def disordered(count: int) -> Load:
    """A fifth of the readings minutes late, a twentieth hours, a hundredth up to two days of the sample's time.

    Corrections and corrected readings are not moved, because a peak never falls.
    """
    base, chance = clean(count), random.Random(SEED)
    hour = max(1, count // 72)
    seen = Counter(_interval(record) for record in base.records)
    placed = []
    for position, record in enumerate(base.records):
        draw = chance.random()
        movable = seen[_interval(record)] == 1
        delay = 0
        if movable and draw < 0.26:
            delay = hour // 4 if draw < 0.2 else 5 * hour if draw < 0.25 else 48 * hour
        placed.append((position + (chance.randrange(delay) if delay else 0), position, record))
    placed.sort(key=lambda item: item[:2])
    return Load([record for _, _, record in placed], base.rejected)


def poisoned(count: int) -> Load:
    """One record in a hundred is invalid."""
    base, chance = clean(count), random.Random(SEED)
    good = b'{"meter_id":"zar-00000","interval_start":"2026-03-28T10:00:00Z","interval_s":300,%s}'
    poison = [
        b'{"meter_id": "zar-00000", "interval_start',
        good % b'"energy_kwh":NaN',
        good % b'"energy_kwh":Infinity',
        good % b'"energy_kwh":1e308',
        good % b'"energy_kwh":-1',
        good % b'"value":5,"unit":"furlong"',
        good % b'"energy_kwh":1,"schema_version":2',
        good % b'"energy_kwh":null',
        good % b'"energy_kwh":1,"power_kw":2',
        b"null",
        b"\xff\xfe" + good % b'"energy_kwh":1',
        b"[" * 5000,
        b'{"meter_id":"big","x":"' + b"a" * 1_000_000 + b'"}',
    ]
    return _mixed(base, [poison[n % len(poison)] for n in range(count // 100)], chance)


def skewed(count: int) -> Load:
    """Wrong clocks: 1970, 2038 and an invalid leap day are rejected.

    One meter in ten is an hour ahead or behind; its readings are processed with their own times.
    """
    base, chance = clean(count), random.Random(SEED)
    base = replace(base, records=[record if base.rejected[record] else _shifted(record) for record in base.records])
    starts = (b"1970-01-01T00:00:00Z", b"2038-01-19T03:14:08Z", b"2026-02-29T00:00:00Z", b"2026-03-28T10:00:00")
    wrong = [
        b'{"meter_id":"zar-00000","interval_start":"%s","interval_s":300,"energy_kwh":%d.5}'
        % (starts[n % len(starts)], n)
        for n in range(count // 100)
    ]
    return _mixed(base, wrong, chance)


def _shifted(record: bytes) -> bytes:
    """A record of a device whose clock may be an hour ahead or behind."""
    document = json.loads(record)
    number = zlib.crc32(str(document["meter_id"]).encode()) % 20
    if number > 1 or not isinstance(document["interval_start"], str):
        return record
    start = datetime.fromisoformat(document["interval_start"]) + timedelta(hours=1 if number else -1)
    return json.dumps({**document, "interval_start": start.isoformat()}).encode()


def _mixed(base: Load, more: list[bytes], chance: random.Random) -> Load:
    records = list(base.records)
    for record in more:
        records.insert(chance.randrange(len(records)), record)
    return Load(records, base.rejected + Counter(more))


def _interval(record: bytes) -> tuple[str, str]:
    try:
        document = json.loads(record)
        return document["meter_id"], document["interval_start"]
    except (ValueError, KeyError, TypeError):
        return "", ""
