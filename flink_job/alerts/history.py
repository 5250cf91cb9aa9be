"""Historical readings and KPIs as batches for the alert state machines: from files of records, or from the lake."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from math import isnan
from typing import Any

from flink_job.alerts.clocks import CLOCK_AHEAD, clock_ahead_s
from flink_job.alerts.kpi_signals import kpi_signals
from flink_job.alerts.samples import Batch, Sample
from flink_job.metering.bounds import MAX_FUTURE_S, MAX_RECORD_BYTES
from flink_job.metering.changes import Places
from flink_job.metering.contract import Contract
from flink_job.metering.packing import QuantityError, multiplied, unpack
from flink_job.metering.reading import ParsedReading, parse_reading
from flink_job.metering.site import Entity, meter_at
from flink_job.metering.units import MICRO


def batches_of_records(records: Iterable[bytes], contracts: dict[str, Contract], now_ms: int) -> Iterator[Batch]:
    """Yield a batch per reading of a meter with a contract. `records` are in order of arrival.

    Files have no times of arrival: a record is assumed to arrive when the latest interval so far ends. So a reading
    after newer ones of any meter is late. Readings after `now_ms` are rejected, as from a wrong clock.
    """
    places = {name: Places(contract) for name, contract in contracts.items()}
    arrival_ms = 0
    for payload in records:
        reading = parse_reading(payload, now_ms, MAX_RECORD_BYTES, MAX_FUTURE_S)
        moves = places.get(reading.meter_id or "")
        if reading.reason is not None or moves is None or reading.start_ms is None or reading.interval_s is None:
            continue
        arrival_ms = max(arrival_ms, reading.start_ms + reading.interval_s * 1000)
        values = json.loads(reading.measurements) if reading.measurements else {}
        place = moves.at(reading.start_ms)
        values |= _powers(reading, place)
        if values:
            sample = Sample(reading.start_ms, reading.interval_s, reading.revision or 0, 0, values)
            yield _batch(meter_at(place), "reading", "meter", 0, arrival_ms, "", sample)


def _powers(reading: ParsedReading, contract: Contract) -> dict[str, float]:
    found = {}
    for name, packed in (("power_kw", reading.import_packed), ("export_kw", reading.export_packed)):
        if packed is not None:
            try:
                ukwh = unpack(multiplied(packed, contract.multiplier))[1]
            except QuantityError:  # unpriced in the stream
                continue
            found[name] = ukwh * 3600 / MICRO / int(reading.interval_s or 1)
    return found


#: Costed readings in order of arrival.
COSTED_SQL = """
SELECT meter_id, site_path, epoch_ms(interval_start), interval_s, revision, epoch_ms(arrival), currency,
  CAST(cost AS DOUBLE), CAST(energy_kwh AS DOUBLE), CAST(export_kwh AS DOUBLE)
FROM costs ORDER BY arrival, shard, LENGTH(record_position), record_position
"""
#: The newest totals of KPIs, which are assumed to arrive at the end of their window. The last column is whether the end
#: of the input cuts it, as in InputEnds (flink_job/java): of a site, by the last readings of its meters.
KPI_SQL = """
WITH meters AS (
  SELECT tenant, split_part(site_path, '/', 1) AS site, MAX(epoch_ms(interval_start) + interval_s * 1000) AS end_ms
  FROM costs GROUP BY tenant, site, meter_id
),
sites AS (
  SELECT tenant, site, last_ms, quantile_disc(end_ms, 0.5) AS most_ms
  FROM (SELECT *, MAX(end_ms) OVER (PARTITION BY tenant, site) AS last_ms FROM meters)
  WHERE end_ms >= last_ms - 3600000 GROUP BY tenant, site, last_ms
)
SELECT entity, site_path, level, window_s, epoch_ms(window_start), epoch_ms(window_end), currency,
  CAST(cost AS DOUBLE), CAST(energy_kwh AS DOUBLE), CAST(reactive_kvarh AS DOUBLE), CAST(max_kw AS DOUBLE),
  readings, expected_readings,
  COALESCE(epoch_ms(window_end) > last_ms OR epoch_ms(window_start) >= most_ms, FALSE) AS is_partial
FROM kpis LEFT JOIN sites ON kpis.tenant = sites.tenant AND split_part(site_path, '/', 1) = site
WHERE window_s > 900 AND currency IS NOT NULL
  -- The parts of an hour in which a day ends are no samples, see kpi_samples.sql.
  AND (window_s = 86400 OR day_start <= window_start AND epoch_ms(day_start) + day_s * 1000 >= epoch_ms(window_end))
ORDER BY window_end, entity
"""


def batches_of_costs(rows: Iterable[Any], contracts: dict[str, Contract]) -> Iterator[Batch]:
    """Yield a batch per row of COSTED_SQL. Corrections are skipped: their rows hold differences."""
    places = {name: Places(contract) for name, contract in contracts.items()}
    for meter, path, start, interval_s, revision, arrival, currency, cost, kwh, export in rows:
        if revision:
            continue
        moves = places.get(meter)
        entity = meter_at(moves.at(start)) if moves else Entity(meter, path)
        hours = interval_s / 3600
        values = {"power_kw": kwh / hours, "export_kw": export / hours, "cost": cost}
        values[CLOCK_AHEAD] = clock_ahead_s(start, interval_s, arrival)
        sample = Sample(start, interval_s, revision, round(cost * MICRO), values)
        yield _batch(entity, "reading", "meter", 0, arrival, currency, sample)


def batches_of_kpis(rows: Iterable[Any]) -> Iterator[Batch]:
    """Yield a batch per row of KPI_SQL."""
    windows = list(rows)
    if not windows:
        return
    entities, paths, levels, lengths, starts, ends, currencies, *measured, partial = zip(*windows, strict=True)
    costs, kwh, kvarh, max_kw, readings, expected = measured
    durations = [(end - start) // 1000 for start, end in zip(starts, ends, strict=True)]
    highest = [value or 0 for value in max_kw]  # as in the stream, see kpi_samples.sql
    signals = kpi_signals(durations, readings, expected, kwh, kvarh, costs, highest)
    for row, window_s in enumerate(lengths):
        values = {name: column[row] for name, column in signals.items() if not isnan(column[row])}
        cost_u = round(costs[row] * MICRO)
        sample = Sample(starts[row], durations[row], 0, cost_u, values, is_partial=partial[row])
        entity = Entity(entities[row], paths[row])
        yield _batch(entity, "kpi", levels[row], window_s, ends[row], currencies[row], sample)


def _batch(
    entity: Entity, source: str, level: str, window_s: int, arrival_ms: int, currency: str, sample: Sample
) -> Batch:
    return Batch(entity.name, entity.site_path, entity.tags, source, level, window_s, arrival_ms, currency, (sample,))
