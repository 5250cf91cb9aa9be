"""Exact and streamed costs of a meter by quarter hour, and the difference between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from flink_job.billing.power import WINDOW_MS, divided
from flink_job.billing.rounding import without_rounding
from flink_job.metering.changes import Places
from flink_job.metering.local_days import local_days
from flink_job.metering.zones import Zone, local_midnight_ms
from flink_job.tariffs.bill_lines import COST_COLUMNS
from flink_job.tariffs.history import History
from flink_job.tenants import plain

ENERGIES = ("energy_kwh", "export_kwh", "reactive_kvarh")
#: Columns of integers in 1e-6 of their unit.
AMOUNTS = (*ENERGIES, *COST_COLUMNS)
#: Columns that identify a row; names are plain.
KEY = ("site_path", "window_ms", "day_start_ms", "day_s", "cycle_start", "tariff_id", "tariff_version")
#: Energy of the readings by time [1e-6 kWh]: a quotient, and so not an integer until the difference is known.
POWER = "quarter_kwh"
_REST, _RECORDS = "rest", "records"
_SUMS = ("readings", *AMOUNTS, "streamed_cost", "exact_cost", POWER)


def no_windows() -> pd.DataFrame:
    """Return a frame without rows."""
    return pd.DataFrame({name: np.zeros(0, dtype=np.int64) for name in (*KEY, "interval_s", *_SUMS)})


def prepare_windows(connection: duckdb.DuckDBPyConnection, meter: str) -> None:
    """Create temporary tables of streamed quarter hours, of their power, and of the site path of each interval.

    `meter` is the SQL expression of the qualified name of the meter.
    """
    sums = ", ".join(f"CAST(SUM({name}) * 1000000 AS BIGINT) AS {name}" for name in AMOUNTS)
    connection.execute(
        f"""
        CREATE TEMP TABLE streamed_windows AS
        SELECT {meter} AS meter_id, site_path, epoch_ms(interval_start) // {WINDOW_MS} * {WINDOW_MS} AS window_ms,
          epoch_ms(day_start) AS day_start_ms, day_s, cycle_start, tariff_id, tariff_version,
          MAX(interval_s) AS interval_s, CAST(COUNT(*) FILTER (WHERE is_first) AS BIGINT) AS readings,
          COUNT(*) AS {_RECORDS}, {sums}
        FROM costs
        GROUP BY tenant, costs.meter_id, site_path, window_ms, day_start, day_s, cycle_start, tariff_id, tariff_version
        """
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE streamed_power AS
        SELECT {meter} AS meter_id, site_path, epoch_ms(window_start) AS window_ms, epoch_ms(day_start) AS day_start_ms,
          day_s, cycle_start, tariff_id, tariff_version, MAX(interval_s) AS interval_s,
          SUM(quarter_kwh) * 1000000 AS {POWER}
        FROM readings_15m AS costs
        GROUP BY tenant, costs.meter_id, site_path, window_start, day_start, day_s, cycle_start, tariff_id,
          tariff_version
        """
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE places AS
        SELECT {meter} AS meter_id, epoch_ms(interval_start) AS start_ms, arg_min(site_path, revision) AS site_path
        FROM costs GROUP BY tenant, costs.meter_id, interval_start
        """
    )


def adjusted_windows(
    connection: duckdb.DuckDBPyConnection,
    meter_id: str,
    history: History,
    measured_ms: NDArray[np.int64],
    zone: Zone,
    moves: Places,
) -> pd.DataFrame:
    """Return the exact minus the streamed amounts of a meter by quarter hour: KEY, interval_s and sums.

    Rows that are zero throughout, or differ by rounding only, are left out. `measured_ms` are the beginnings of the
    intervals that are readings.
    `moves` has the places of the intervals that the stream did not cost.
    """
    streamed = _of_meter(connection, "streamed_windows", meter_id)
    power = _of_meter(connection, "streamed_power", meter_id)
    places = dict(
        connection.execute("SELECT start_ms, site_path FROM places WHERE meter_id = ?", [meter_id]).fetchall()
    )
    streamed["streamed_cost"] = streamed[list(COST_COLUMNS)].sum(axis=1)
    streamed["exact_cost"] = 0
    negative = ["readings", *AMOUNTS]
    streamed[negative] = -streamed[negative]
    power[POWER] = -power[POWER]
    exact = _exact(history, measured_ms, zone, places, moves)
    columns = [*KEY, "interval_s", *_SUMS, _RECORDS]
    parts = (_rests(exact), exact, streamed, power)
    # Filled before they are combined, so that integers remain integers.
    rows = pd.concat([part.reindex(columns=columns, fill_value=0) for part in parts], ignore_index=True)
    how: dict[str, Any] = {**dict.fromkeys((*_SUMS, _RECORDS), "sum"), "interval_s": "max"}
    rows = rows.groupby(list(KEY), dropna=False, as_index=False).agg(how)
    rows[POWER] = rows[POWER].round().astype(np.int64)
    return without_rounding(rows, list(COST_COLUMNS), ("readings", *ENERGIES, POWER), rows.pop(_RECORDS))


def _of_meter(connection: duckdb.DuckDBPyConnection, table: str, meter_id: str) -> pd.DataFrame:
    return connection.execute(f"SELECT * EXCLUDE meter_id FROM {table} WHERE meter_id = ?", [meter_id]).df()


def _rests(exact: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each interval with a part of its power in the next quarter hour."""
    rests = exact.loc[exact[_REST] != 0, [*KEY, "interval_s", _REST]].rename(columns={_REST: POWER})
    rests["window_ms"] += WINDOW_MS
    return rests


def _exact(
    history: History, measured_ms: NDArray[np.int64], zone: Zone, places: Mapping[int, str], moves: Places
) -> pd.DataFrame:
    """Return a row per interval, and one for each bill without intervals, at the beginning of the bill.

    Rows that are not readings have the most frequent interval of the readings.
    """
    data, bills = history.intervals, history.bills
    is_reading = np.isin(data.start_ms, measured_ms)
    lengths, counts = np.unique(data.interval_ms[is_reading] // 1000, return_counts=True)
    usual_s = lengths[np.argmax(counts)]
    empty = sorted(set(range(len(bills))) - set(history.segment.tolist()))
    segment = np.append(history.segment, empty).astype(np.int64)
    starts = np.append(data.start_ms, [local_midnight_ms(bills[i].start, zone) for i in empty]).astype(np.int64)
    nothing = np.zeros(len(empty), dtype=np.int64)
    day_start_ms, day_end_ms = local_days(zone.key).days_at(starts)
    columns: dict[str, Any] = {
        "site_path": [places.get(start) or plain(moves.at(start).site_path) for start in starts.tolist()],
        "window_ms": starts // WINDOW_MS * WINDOW_MS,
        "day_start_ms": day_start_ms,
        "day_s": (day_end_ms - day_start_ms) // 1000,
        "cycle_start": np.array([bill.cycle_start.isoformat() for bill in bills], dtype=object)[segment],
        "tariff_id": np.array([plain(bill.tariff_id) for bill in bills], dtype=object)[segment],
        "tariff_version": np.array([bill.version for bill in bills], dtype=object)[segment],
        "interval_s": np.append(np.where(is_reading, data.interval_ms // 1000, usual_s), nothing + usual_s),
        "readings": np.append(is_reading.astype(np.int64), nothing),
    }
    energies = (data.import_ukwh, data.export_ukwh, data.reactive_uvarh)
    columns |= {name: np.append(values, nothing) for name, values in zip(ENERGIES, energies, strict=True)}
    for name, lines in COST_COLUMNS.items():
        of_bills = [sum(bills[i].lines[line] for line in lines) for i in empty]
        columns[name] = np.append(np.sum([history.costs[line] for line in lines], axis=0), of_bills).astype(np.int64)
    columns["exact_cost"] = np.sum([columns[name] for name in COST_COLUMNS], axis=0)
    columns["streamed_cost"] = 0
    columns[_RECORDS] = 1
    lengths_ms = np.append(data.interval_ms, nothing + usual_s * 1000)
    columns[POWER], columns[_REST] = divided(columns["energy_kwh"], starts, lengths_ms, day_start_ms, day_end_ms)
    return pd.DataFrame(columns)
