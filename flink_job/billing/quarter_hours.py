"""Exact and streamed costs of a supply point by meter and quarter hour, and the difference between them."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from flink_job.billing.by_name import create_by_name, rows_by_name
from flink_job.billing.names import METER, SUPPLY
from flink_job.billing.places import MeterPlaces
from flink_job.billing.power import WINDOW_MS, divided
from flink_job.billing.rounding import without_rounding
from flink_job.metering.local_days import local_days
from flink_job.metering.zones import Zone, local_midnight_ms
from flink_job.tariffs.bill_lines import COST_COLUMNS
from flink_job.tariffs.history import History
from flink_job.tenants import plain

ENERGIES = ("energy_kwh", "export_kwh", "reactive_kvarh")
#: Columns of integers in 1e-6 of their unit.
AMOUNTS = (*ENERGIES, *COST_COLUMNS)
#: Columns that identify a row; names are plain, except that of the meter.
KEY = (
    "meter_id",
    "site_path",
    "role",
    "upstream_path",
    "window_ms",
    "day_start_ms",
    "day_s",
    "cycle_start",
    "tariff_id",
    "tariff_version",
)
#: Energy of the readings by time [1e-6 kWh]: a quotient, and so not an integer until the difference is known.
POWER = "quarter_kwh"
_REST, _RECORDS = "rest", "records"
_SUMS = ("readings", *AMOUNTS, "streamed_cost", "exact_cost", POWER)


def no_windows() -> pd.DataFrame:
    """Return a frame without rows."""
    return pd.DataFrame({name: np.zeros(0, dtype=np.int64) for name in (*KEY, "interval_s", *_SUMS)})


def prepare_windows(connection: duckdb.DuckDBPyConnection) -> None:
    """Create temporary tables of streamed quarter hours, of their power, and of the place of each interval.

    The meters of the table `steady` are left out.
    """
    sums = ", ".join(f"CAST(SUM({name}) * 1000000 AS BIGINT) AS {name}" for name in AMOUNTS)
    place = "site_path, COALESCE(role, 'main') AS role, COALESCE(costs.upstream_path, '') AS upstream_path"
    create_by_name(
        connection,
        "streamed_windows",
        "supply_point",
        f"""
        SELECT {SUPPLY} AS supply_point, {METER} AS meter_id, {place},
          epoch_ms(interval_start) // {WINDOW_MS} * {WINDOW_MS} AS window_ms,
          epoch_ms(day_start) AS day_start_ms, day_s, cycle_start, tariff_id, tariff_version,
          MAX(interval_s) AS interval_s, CAST(COUNT(*) FILTER (WHERE is_first) AS BIGINT) AS readings,
          COUNT(*) AS {_RECORDS}, {sums}
        FROM costs WHERE {METER} NOT IN (SELECT meter_id FROM steady) GROUP BY ALL
        """,
    )
    create_by_name(
        connection,
        "streamed_power",
        "supply_point",
        f"""
        SELECT {SUPPLY} AS supply_point, {METER} AS meter_id, {place}, epoch_ms(window_start) AS window_ms,
          epoch_ms(day_start) AS day_start_ms, day_s, cycle_start, tariff_id, tariff_version,
          MAX(interval_s) AS interval_s, SUM(quarter_kwh) * 1000000 AS {POWER}
        FROM readings_15m AS costs WHERE {METER} NOT IN (SELECT meter_id FROM steady) GROUP BY ALL
        """,
    )
    create_by_name(
        connection,
        "places",
        "meter_id",
        f"""
        SELECT {METER} AS meter_id, epoch_ms(interval_start) AS start_ms, arg_min(site_path, revision) AS site_path
        FROM costs WHERE {METER} NOT IN (SELECT meter_id FROM steady) GROUP BY tenant, costs.meter_id, interval_start
        """,
    )


def streamed_paths(connection: duckdb.DuckDBPyConnection, meter_id: str) -> dict[int, str]:
    """Return the site paths of the intervals of a meter in the stream, by their start [epoch ms]."""
    return dict(rows_by_name(connection, "places", "meter_id", meter_id).fetchall())


def adjusted_windows(
    connection: duckdb.DuckDBPyConnection, supply_point: str, bearer: MeterPlaces, exact: list[pd.DataFrame]
) -> pd.DataFrame:
    """Return the exact minus the streamed amounts of a supply by meter and quarter hour: KEY, interval_s and sums.

    Rows that are zero throughout, or differ by rounding only, are left out. The costs of the supply are those of one
    meter, the `bearer`; energy is that of each meter. `exact`: rows of `exact_rows`.
    """
    streamed = rows_by_name(connection, "streamed_windows", "supply_point", supply_point).df()
    power = rows_by_name(connection, "streamed_power", "supply_point", supply_point).df()
    power[POWER] = -power[POWER]
    energies = streamed.assign(**dict.fromkeys(COST_COLUMNS, 0), streamed_cost=0, exact_cost=0)
    energies[["readings", *ENERGIES]] = -energies[["readings", *ENERGIES]]
    energies[_RECORDS] = 0
    costs = _streamed_costs(streamed, bearer)
    columns = [*KEY, "interval_s", *_SUMS, _RECORDS]
    parts = (*(_rests(rows) for rows in exact), *exact, energies, costs, power)
    # Filled before they are combined, so that integers remain integers.
    rows = pd.concat([part.reindex(columns=columns, fill_value=0) for part in parts], ignore_index=True)
    how: dict[str, Any] = {**dict.fromkeys((*_SUMS, _RECORDS), "sum"), "interval_s": "max"}
    rows = rows.groupby(list(KEY), dropna=False, as_index=False).agg(how)
    rows[POWER] = rows[POWER].round().astype(np.int64)
    return without_rounding(rows, list(COST_COLUMNS), ("readings", *ENERGIES, POWER), rows.pop(_RECORDS))


def _streamed_costs(streamed: pd.DataFrame, bearer: MeterPlaces) -> pd.DataFrame:
    """Return the costs of the stream with the bearer as their meter, negative."""
    costs = streamed[streamed["role"].isin(("main", "part"))].copy()
    costs["streamed_cost"] = costs[list(COST_COLUMNS)].sum(axis=1)
    costs["exact_cost"] = 0
    costs[list(COST_COLUMNS)] = -costs[list(COST_COLUMNS)]
    costs[["readings", *ENERGIES]] = 0
    others = costs["meter_id"] != bearer.meter_id
    if others.any():
        places = bearer.at(costs.loc[others, "window_ms"].to_numpy("int64"))
        for name, values in zip(("site_path", "role", "upstream_path"), places, strict=True):
            costs.loc[others, name] = values
        costs["meter_id"] = bearer.meter_id
    return costs


def _rests(exact: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each interval with a part of its power in the next quarter hour."""
    rests = exact.loc[exact[_REST] != 0, [*KEY, "interval_s", _REST]].rename(columns={_REST: POWER})
    rests["window_ms"] += WINDOW_MS
    return rests


def exact_rows(
    history: History, measured_ms: NDArray[np.int64], zone: Zone, places: MeterPlaces, has_energy: bool = True
) -> pd.DataFrame:
    """Return a row per interval, and one for each bill without intervals, at the beginning of the bill.

    `measured_ms`: beginnings of the intervals that are readings; others have the most frequent interval of the
    readings. Without energy the rows have the costs alone.
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
        "meter_id": np.full(len(starts), places.meter_id, dtype=object),
        **dict(zip(("site_path", "role", "upstream_path"), places.at(starts), strict=True)),
        "window_ms": starts // WINDOW_MS * WINDOW_MS,
        "day_start_ms": day_start_ms,
        "day_s": (day_end_ms - day_start_ms) // 1000,
        "cycle_start": np.array([bill.cycle_start.isoformat() for bill in bills], dtype=object)[segment],
        "tariff_id": np.array([plain(bill.tariff_id) for bill in bills], dtype=object)[segment],
        "tariff_version": np.array([bill.version for bill in bills], dtype=object)[segment],
        "interval_s": np.append(np.where(is_reading, data.interval_ms // 1000, usual_s), nothing + usual_s),
    }
    for name, lines in COST_COLUMNS.items():
        of_bills = [sum(bills[i].lines[line] for line in lines) for i in empty]
        columns[name] = np.append(np.sum([history.costs[line] for line in lines], axis=0), of_bills).astype(np.int64)
    columns["exact_cost"] = np.sum([columns[name] for name in COST_COLUMNS], axis=0)
    columns["streamed_cost"] = 0
    columns[_RECORDS] = 1
    energies = (data.import_ukwh, data.export_ukwh, data.reactive_uvarh)
    measured = {name: np.append(values, nothing) for name, values in zip(ENERGIES, energies, strict=True)}
    lengths_ms = np.append(data.interval_ms, nothing + usual_s * 1000)
    measured[POWER], measured[_REST] = divided(measured["energy_kwh"], starts, lengths_ms, day_start_ms, day_end_ms)
    measured["readings"] = np.append(is_reading.astype(np.int64), nothing)
    columns |= measured if has_energy else dict.fromkeys(measured, 0)
    return pd.DataFrame(columns)
