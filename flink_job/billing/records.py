"""Reads files of records in the format of the stream (NDJSON, CSV or Parquet) into columns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from flink_job.billing.columns import QUANTITIES, ReadingColumns
from flink_job.io.records import read_parts
from flink_job.metering.bounds import MAX_RECORD_BYTES
from flink_job.metering.packing import REVISION_BITS
from flink_job.metering.reading import ParsedReading, parse_reading
from flink_job.metering.registers import RegisterRead, keep_newest
from flink_job.metering.units import QUANTITY_LIMIT

#: Synthetic future years may be rated; a date further ahead comes from a wrong clock and would create bills for
#: decades.
_YEARS_AHEAD = 10
_YEAR_S = 366 * 86_400
_PACKED = ("import_packed", "export_packed", "reactive_import_packed", "reactive_export_packed")


@dataclass
class Rejects:
    """Rejected records: their number by reason code, and the position and detail of the first."""

    codes: Counter[str] = field(default_factory=Counter)
    first: str = ""

    def add(self, name: str, line: int, reading: ParsedReading) -> None:
        """Count a record that is not a reading."""
        self.codes[str(reading.reason)] += 1
        self.first = self.first or f"{name}:{line}: {reading.detail or reading.reason}"


Registers = dict[str, dict[str, dict[int, RegisterRead]]]
"""Reads by meter, register and start."""


def read_reading_records(name: str, rejects: Rejects, now_ms: int, registers: Registers) -> ReadingColumns:
    """Return the readings of a file as columns; adds invalid records to `rejects`, and reads to `registers`.

    Raises InputError.
    """
    newest: dict[tuple[str, int], list[int]] = {}
    for line, payload in read_parts(name):
        reading = parse_reading(payload, now_ms, MAX_RECORD_BYTES, _YEARS_AHEAD * _YEAR_S)
        if reading.reason is not None:
            rejects.add(name, line, reading)
            continue
        assert reading.meter_id is not None and reading.start_ms is not None and reading.interval_s is not None
        row = newest.setdefault((reading.meter_id, reading.start_ms), [reading.interval_s, -1, -1, -1, -1])
        values = [-1 if (value := getattr(reading, packed)) is None else value for packed in _PACKED]
        known, new = max(row[1:]) >> REVISION_BITS, max(values) >> REVISION_BITS
        if new >= known:
            row[0] = reading.interval_s if new > known else max(row[0], reading.interval_s)
        row[1:] = map(max, row[1:], values)
        if reading.register_packed is not None:
            register = registers.setdefault(reading.meter_id, {}).setdefault(reading.register_id or "", {})
            keep_newest(
                register,
                reading.start_ms,
                RegisterRead(reading.register_packed, reading.rollover_ukwh, reading.interval_s),
            )
    return _columns(newest)


def _columns(newest: dict[tuple[str, int], list[int]]) -> ReadingColumns:
    """Convert (meter, start) -> [interval_s, packed quantities] to columns; removes the revision from each quantity."""
    meters = sorted({meter for meter, _ in newest})
    index = {meter: i for i, meter in enumerate(meters)}
    table = np.array(list(newest.values()), dtype=np.int64).reshape(-1, 5)
    values = np.where(table[:, 1:] < 0, -1, table[:, 1:] & (QUANTITY_LIMIT - 1))
    revision = np.maximum(table[:, 1:].max(axis=1, initial=-1), 0) >> REVISION_BITS
    return ReadingColumns(
        meters,
        np.array([index[meter] for meter, _ in newest], dtype=np.int64),
        np.array([start for _, start in newest], dtype=np.int64),
        table[:, 0] * 1000,
        {name: values[:, i] for i, name in enumerate(QUANTITIES)},
        revision,
    )
