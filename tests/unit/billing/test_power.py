"""Readings that straddle two quarter hours: in settlement as in the views of the lake."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import duckdb
import numpy as np
import pytest

from flink_job.billing.power import divided
from flink_job.lake.database import read_view

#: 1 June in Madrid begins at 22:00 UTC.
MIDNIGHT = datetime(2026, 5, 31, 22)
DAY_MS = 86_400_000


def starts_of(offset_s: int, interval_s: int) -> list[datetime]:
    """The beginnings of the intervals of 1 June, of which the first begins `offset_s` after midnight."""
    return [MIDNIGHT + timedelta(seconds=at) for at in range(offset_s, 86_400, interval_s)]


def viewed(starts: list[datetime], interval_s: int, kwh: Decimal) -> dict[datetime, float]:
    """Energy of each quarter hour in view `readings_15m`."""
    times = ", ".join(f"TIMESTAMP '{start}'" for start in starts)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE costs AS SELECT 'default' AS tenant, 'r' AS reading_id, 'm' AS meter_id, "
            f"'f/p/l/m' AS site_path, NULL AS supply_point, NULL AS role, NULL AS upstream_path, "
            f"start AS interval_start, {interval_s} AS interval_s, TRUE AS is_first, "
            f"'EUR' AS currency, TIMESTAMP '{MIDNIGHT}' AS day_start, 86400 AS day_s, "
            "strftime(start, '%Y-%m-%d') AS event_date, '' AS cycle_start, '' AS tariff_id, '' AS tariff_version, "
            f"CAST({kwh} AS DECIMAL(18, 6)) AS energy_kwh, 0 AS export_kwh, 0 AS reactive_kvarh, 0 AS cost "
            f"FROM (SELECT UNNEST([{times}]) AS start)"
        )
        sums = "SELECT window_start, SUM(quarter_kwh), SUM(energy_kwh) FROM ({}) GROUP BY window_start"
        rows = connection.execute(sums.format(read_view("readings_15m"))).fetchall()
    assert sum(row[2] for row in rows) == kwh * len(starts)
    return {row[0]: row[1] for row in rows}


def settled(starts: list[datetime], interval_s: int, kwh: Decimal) -> dict[datetime, float]:
    """Energy of each quarter hour in settlement."""
    ms = np.array([np.datetime64(start, "ms").astype(np.int64) for start in starts])
    day_ms = int(np.datetime64(MIDNIGHT, "ms").astype(np.int64))
    day, full = np.full(len(ms), day_ms), np.full(len(ms), interval_s * 1000)
    own, rest = divided(np.full(len(ms), int(kwh * 1_000_000)), ms, full, day, day + DAY_MS)
    found: dict[datetime, float] = {}
    for start, first, second in zip(starts, own, rest, strict=True):
        slot = MIDNIGHT + (start - MIDNIGHT) // timedelta(minutes=15) * timedelta(minutes=15)
        for at, energy in ((slot, first), (slot + timedelta(minutes=15), second)):
            if energy:
                found[at] = found.get(at, 0.0) + energy / 1_000_000
    return found


@pytest.mark.parametrize(("offset_s", "interval_s"), [(0, 600), (420, 900), (77, 430), (0, 300), (0, 900), (899, 900)])
def test_a_steady_load_has_the_same_power_in_every_quarter_hour(offset_s: int, interval_s: int) -> None:
    """6 kW: 1.5 kWh in each of the 96 quarter hours, at the ends of the local and the UTC day, too.

    Readings of 430 s from 00:01:17 on end at 00:05:27 after the day; the first one stands for the 77 s before it, too.
    """
    starts, kwh = starts_of(offset_s, interval_s), Decimal(interval_s) / 600
    kwh = kwh.quantize(Decimal("0.000001"))
    for found in (viewed(starts, interval_s, kwh), settled(starts, interval_s, kwh)):
        assert sorted(found) == [MIDNIGHT + timedelta(minutes=15 * quarter) for quarter in range(96)]
        assert list(found.values()) == pytest.approx([1.5] * 96, abs=1e-5)


def test_readings_of_ten_minutes_are_divided_by_time() -> None:
    """1 kWh in ten minutes is 6 kW. Of the second reading 5 minutes are in the next quarter hour: 1.5 kWh in each."""
    for of in (viewed, settled):
        found = of(starts_of(0, 600)[:3], 600, Decimal(1))
        assert found == {MIDNIGHT: 1.5, MIDNIGHT + timedelta(minutes=15): 1.5}


def test_a_reading_of_half_an_hour_is_not_divided() -> None:
    for of in (viewed, settled):
        assert of([MIDNIGHT + timedelta(minutes=20)], 1800, Decimal(3)) == {MIDNIGHT + timedelta(minutes=15): 3.0}
