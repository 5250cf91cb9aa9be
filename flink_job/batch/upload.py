"""Checks a file of readings and publishes it to the readings stream, several readings to a record.

The job prices published readings with the state of the stream: a known reading is a duplicate, and the output is in the
tables of the stream. State is retained for `state_days`. It therefore includes every interval that began within
`state_days`, and its bill if all intervals of the billing cycle began within them. A file with older readings is
refused as a whole before it is published, because they could be billed twice. The bounded run and `rate` have no such
limit.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from flink_job.config import Job
from flink_job.imports.plausible import by_meter, doubts
from flink_job.io.kinesis import client, put
from flink_job.metering.bounds import MAX_RECORD_BYTES
from flink_job.metering.envelope import enclose
from flink_job.metering.framing import parts
from flink_job.metering.packing import unpack
from flink_job.metering.reading import ParsedReading, parse_reading
from flink_job.metering.record import CSV_ENVELOPE, decode_record
from flink_job.tenants import plain

#: Longest billing cycle assumed for the maximum age of readings [days].
LONGEST_CYCLE_DAYS = 35
#: Maximum number of rows of a file; a larger file must be split.
MAX_READINGS = 10_000_000
#: Maximum number of refused rows listed in a receipt, and in the file beside it; the receipt counts all by reason.
LISTED_REFUSALS, MAX_REFUSALS = 1000, 100_000
#: Number of readings of a file whose plausibility is checked.
MAX_SERIES = 1_000_000
#: Reason of refused rows of which only the number is known.
_OTHERS = "others"
#: Number of packs, and their maximum size [bytes]. Readings of a meter are in one pack, which preserves their order.
#: A call has at most 5 MB.
PACKS, PACK_BYTES = 8, 180_000
#: Maximum number of records of a call.
_CALL = 400
_DAY_MS = 86_400_000


class Refusal(NamedTuple):
    """A row that is not a valid reading, with the reason code and detail of the table `rejected`."""

    line: str
    reason: str
    detail: str


class Checked(msgspec.Struct):
    """Result of the check of a file.

    `taken` counts valid readings, `too_old` those of them that begin before `oldest_ms`; `reasons` counts refused rows
    by reason code. `why` is the reason if the file is refused as a whole, or empty. `doubts`: what is hardly meant.
    """

    oldest_ms: int
    rows: int = 0
    taken: int = 0
    too_old: int = 0
    earliest_ms: int | None = None
    latest_ms: int | None = None
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    refusals: list[Refusal] = []
    why: str = ""
    doubts: list[str] = []

    def refuse(self, rows: Iterable[Refusal], others: int = 0) -> None:
        """Count refused rows, and `others` of which only the number is known."""
        for row in rows:
            self.rows += 1
            self.reasons[row.reason] += 1
            if len(self.refusals) < MAX_REFUSALS:
                self.refusals.append(row)
        if others:
            self.rows += others
            self.reasons[_OTHERS] += others


class Published(NamedTuple):
    """Shard and sequence number of a published record, and its number of readings."""

    shard: str
    position: str
    readings: int


class _Row(NamedTuple):
    """A row of a file: its line, the reading as published, and the parsed reading."""

    line: str
    payload: bytes
    reading: ParsedReading


def check(records: Iterable[tuple[int, bytes]], tenant: str, job: Job, now_ms: int) -> Checked:
    """Check the records of a tenant's file, each with its line number. Raises InputError if one cannot be read."""
    days = max(0, job.state_days - LONGEST_CYCLE_DAYS)
    checked = Checked(now_ms - days * _DAY_MS)
    series: list[tuple[str, int, int, int]] = []
    for line, _, reading in _rows(records, tenant, job, now_ms):
        if checked.rows >= MAX_READINGS:
            checked.why = f"more than {MAX_READINGS:,} rows: split the file"
            return checked
        if reading.start_ms is None:
            checked.refuse([Refusal(line, reading.reason or "", reading.detail or "")])
            continue
        checked.rows += 1
        checked.taken += 1
        checked.too_old += reading.start_ms < checked.oldest_ms
        checked.earliest_ms = min(checked.earliest_ms or reading.start_ms, reading.start_ms)
        checked.latest_ms = max(checked.latest_ms or reading.start_ms, reading.start_ms)
        if reading.import_packed is not None and len(series) < MAX_SERIES:
            ukwh = unpack(reading.import_packed)[1]
            series.append((plain(reading.meter_id or ""), reading.start_ms, 1000 * (reading.interval_s or 0), ukwh))
    checked.doubts = list(doubts(by_meter(series)))
    if checked.too_old:
        checked.why = (
            f"{checked.too_old:,} readings began more than {days} days ago, where the job may no longer know what it "
            "has billed: put them into a file of their own and price it with `python -m flink_job run` or `rate`"
        )
    elif not checked.taken:
        checked.why = "it holds no reading"
    return checked


def publish_file(
    records: Iterable[tuple[int, bytes]], tenant: str, job: Job, now_ms: int, stream: str, pace: int
) -> Iterator[list[Published]]:
    """Publish the valid readings of a file's records, at most `pace` per second. Yields the records of each call.

    Raises PublishError if records still fail after several attempts.
    """
    kinesis = client("kinesis")
    readings = (
        (row.reading.meter_id or "", row.payload) for row in _rows(records, tenant, job, now_ms) if row.reading.meter_id
    )
    for packs in packed(readings, min(PACKS * 500, max(1, pace))):
        started = time.monotonic()
        keyed = [(f"upload-{number}", record) for number, pack in packs.items() for record in _framed(pack)]
        for first in range(0, len(keyed), _CALL):
            call = keyed[first : first + _CALL]
            entries = [{"Data": enclose(b"\n".join(record), tenant), "PartitionKey": key} for key, record in call]
            results = put(kinesis, stream, entries)
            yield [
                Published(result["ShardId"], result["SequenceNumber"], len(record))
                for result, (_, record) in zip(results, call, strict=True)
            ]
        time.sleep(max(0.0, sum(map(len, packs.values())) / pace - (time.monotonic() - started)))


def packed(readings: Iterable[tuple[str, bytes]], most: int) -> Iterator[dict[int, list[bytes]]]:
    """Group (meter, payload) into rounds of at most `most` readings. Yields {pack number: payloads} for each round.

    The readings of a meter are in one pack.
    """
    packs: dict[int, list[bytes]] = {}
    sizes: Counter[int] = Counter()
    count = 0
    for meter, payload in readings:
        number = crc32(meter.encode("utf-8", "surrogatepass")) % PACKS
        if count >= most or (sizes[number] and sizes[number] + len(payload) > PACK_BYTES):
            yield packs
            packs, sizes, count = {}, Counter(), 0
        packs.setdefault(number, []).append(payload)
        sizes[number] += len(payload) + 1
        count += 1
    if packs:
        yield packs


def _framed(pack: list[bytes]) -> list[list[bytes]]:
    """Return a pack as one record, or as a record for each reading if the job would split it differently."""
    return [pack] if parts(b"\n".join(pack)) == pack else [[payload] for payload in pack]


def _rows(records: Iterable[tuple[int, bytes]], tenant: str, job: Job, now_ms: int) -> Iterator[_Row]:
    """Yield each row of a file; a line that is an array holds several rows."""
    for number, record in records:
        for part, payload in enumerate(parts(record), start=1):
            reading = parse_reading(
                payload, now_ms, min(job.max_record_bytes, MAX_RECORD_BYTES), job.max_future_s, tenant
            )
            line = str(number) if part == 1 else f"{number}.{part}"
            yield _Row(line, payload if reading.reason else _as_json(payload), reading)


def _as_json(payload: bytes) -> bytes:
    """Return a reading as JSON: converted from CSV, or stripped of surrounding blanks."""
    if not payload.startswith(CSV_ENVELOPE):
        return payload.strip()
    fields: dict[str, Any] = msgspec.structs.asdict(decode_record(payload))
    return msgspec.json.encode({name: value for name, value in fields.items() if value is not None})
