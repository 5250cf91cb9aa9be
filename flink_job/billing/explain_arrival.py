"""The cost of a record as the stream computed it: the bill after it minus the bill before it, in order of arrival.

For charges that are sums and maxima, the stream's bill is that of the readings which arrived so far, with the time that
they cover. So both bills are rated again, and the derivation holds if their difference is the stored cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import duckdb
import numpy as np
from numpy.typing import NDArray

from flink_job.billing.explain import Metered
from flink_job.errors import MeteringError
from flink_job.metering.units import to_micro
from flink_job.tariffs.bill_lines import COST_COLUMNS
from flink_job.tariffs.explain import Line, change_lines
from flink_job.tariffs.history import Intervals
from flink_job.tariffs.history.workings import Workings

#: The records of a bill in the order in which the stream priced them. Positions are numbers of up to 56 digits.
_RECORDS = f"""
SELECT reading_id, epoch_ms(interval_start), interval_s * 1000, energy_kwh, export_kwh, reactive_kvarh,
  reactive_export_kvarh, is_first, {", ".join(COST_COLUMNS)}
FROM costs
WHERE (tenant, COALESCE(supply_point, meter_id), cycle_start, tariff_id, tariff_version) IN (
  SELECT (tenant, COALESCE(supply_point, meter_id), cycle_start, tariff_id, tariff_version) FROM costs
  WHERE reading_id = ?
) AND COALESCE(role, 'main') IN ('main', 'part')
ORDER BY costed_at, arrival, shard, LENGTH(split_part(record_position, '.', 1)), split_part(record_position, '.', 1),
  TRY_CAST(split_part(record_position, '.', 2) AS INTEGER) NULLS FIRST
"""
_QUANTITIES = slice(3, 7)
_FIRST = 7


@dataclass(frozen=True)
class Arrived:
    """The lines of a record's cost, and the number of records of its bill that came before it."""

    lines: list[Line]
    earlier: int


def cost_as_it_came(connection: duckdb.DuckDBPyConnection, metered: Metered, reading_id: str) -> Arrived | None:
    """Return the derivation of a record's stored cost; None if the two bills do not explain it to the last digit."""
    records = connection.execute(_RECORDS, [reading_id]).fetchall()
    number = next(i for i, record in enumerate(records) if record[0] == reading_id)
    try:
        before, after = (_bill_of(metered, records[:count]) for count in (number, number + 1))
    except MeteringError:  # a price or a version that the stream had is gone
        return None
    if after is None:
        return None
    lines = change_lines(before, after)
    return Arrived(lines, number) if _by_column(lines) == _stored(records[number]) else None


def _by_column(lines: list[Line]) -> Mapping[str, int]:
    amounts = {line.name: line.amount for line in lines}
    return {column: sum(amounts[part] for part in parts) for column, parts in COST_COLUMNS.items()}


def _stored(record: tuple[object, ...]) -> Mapping[str, int]:
    return dict(zip(COST_COLUMNS, map(_micro, record[_FIRST + 1 :]), strict=True))


def _micro(value: object) -> int:
    return 0 if value is None else to_micro(value)  # type: ignore[arg-type]


def _bill_of(metered: Metered, records: list[tuple[object, ...]]) -> Workings | None:
    """Return the workings of the bill of some records, charged for the time that they cover."""
    if not records:
        return None
    sums: dict[int, list[int]] = {}
    length: dict[int, int] = {}
    for record in records:
        start = int(record[1])  # type: ignore[call-overload]
        length.setdefault(start, int(record[2]))  # type: ignore[call-overload]
        added = [_micro(quantity) for quantity in record[_QUANTITIES]]
        sums[start] = [a + b for a, b in zip(sums.get(start, [0] * 4), added, strict=True)]
    starts = sorted(sums)
    columns = np.array([[start, length[start], *sums[start]] for start in starts], dtype=np.int64).T
    data = Intervals(*columns)
    whole = next(replace(metered, data=data, terms=replace(metered.terms, until_ms=None)).workings_at(starts[0]))
    segment = whole.context.billing.segment
    counted = _counted_ms(data.start_ms, data.interval_ms, segment.segment_end_ms)
    until_ms = min(segment.segment_start_ms + counted, segment.segment_end_ms)
    terms = replace(metered.terms, until_ms=until_ms)
    return next(replace(metered, data=data, terms=terms).workings_at(starts[0]), None)


def _counted_ms(start_ms: NDArray[np.int64], interval_ms: NDArray[np.int64], end_ms: int) -> int:
    """Return the time with readings within the segment."""
    return int(np.minimum(interval_ms, end_ms - start_ms).sum())
