"""Queries of the lake by meter: intervals after all corrections, and the charges of the stream."""

from __future__ import annotations

import contextlib
import tempfile
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping

import duckdb
import numpy as np

from flink_job.billing.adjustments import Key, Streamed
from flink_job.billing.by_name import create_by_name, rows_by_name
from flink_job.billing.names import IS_SOURCE, METER, SUPPLY, TARIFF
from flink_job.billing.overlaps import without_replaced
from flink_job.billing.quarter_hours import prepare_windows
from flink_job.billing.register_energy import Register, place_energy
from flink_job.lake.database import read_view
from flink_job.metering.bounds import MAX_RECORD_BYTES
from flink_job.metering.changes import Places
from flink_job.metering.contract import Contract
from flink_job.metering.highest_power import highest_power_of
from flink_job.metering.packing import QuantityError, multiplied, pack, unpack
from flink_job.metering.reading import MAX_INTERVAL_S, parse_reading
from flink_job.metering.registers import RegisterRead, keep_newest
from flink_job.metering.units import to_micro
from flink_job.tariffs.bill_lines import COST_COLUMNS
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history import Intervals
from flink_job.tenants import plain

_ANY_TIME_MS = 1 << 52
#: Columns that settlement does not read.
_UNUSED = ("quality", "device_id", "sequence_number", "tou_period", "shard", "record_position", "arrival")
#: Part of the memory of the machine that DuckDB uses.
_MEMORY = "30%"
_QUANTITIES = ("energy_kwh", "export_kwh", "reactive_kvarh", "reactive_export_kvarh")


def hold_costs(connection: duckdb.DuckDBPyConnection) -> None:
    """Read the table `costs` once, in place of the view, which finds the newest copy of each row in every query.

    DuckDB takes part of the memory, as settlement needs some itself, and writes what exceeds it to temporary files.
    """
    connection.execute(f"SET memory_limit = '{_MEMORY}'; SET temp_directory = '{tempfile.gettempdir()}'")
    connection.execute(f"CREATE TEMP TABLE costs AS SELECT * EXCLUDE ({', '.join(_UNUSED)}) FROM costs")
    connection.execute(f"CREATE TEMP VIEW readings_15m AS {read_view('readings_15m')}")


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Create temporary tables of intervals, register reads, unpriced readings, and streamed amounts for all meters.

    The quarter hours are without those of the meters in the table `steady`, if there is one.
    """
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS steady (meter_id VARCHAR)")
    prepare_windows(connection)
    _prepare_unpriced(connection)
    sums = ", ".join(f"SUM({charge})" for charge in COST_COLUMNS)
    create_by_name(
        connection,
        "intervals",
        "meter_id",
        f"""
        SELECT {METER} AS meter_id, epoch_ms(interval_start) AS start_ms, MAX(revision),
          arg_max(interval_s, revision * {MAX_INTERVAL_S + 1} + interval_s),
          {", ".join(f"CAST(SUM({name}) * 1000000 AS BIGINT)" for name in _QUANTITIES)}
        FROM costs GROUP BY tenant, costs.meter_id, interval_start
        """,
    )
    create_by_name(
        connection,
        "register_values",
        "meter_id",
        f"""
        SELECT {METER} AS meter_id, register_id, epoch_ms(interval_start) AS start_ms, r.interval_s, r.revision,
          register_kwh, rollover_kwh, COALESCE(energy_kwh, 0) AS energy_kwh
        FROM register_reads AS r
        LEFT JOIN (SELECT tenant, reading_id, energy_kwh FROM costs) AS c USING (tenant, reading_id)
        """,
    )
    create_by_name(
        connection,
        "streamed",
        "supply_point",
        f"""
        SELECT {SUPPLY} AS supply_point, cycle_start, {TARIFF} AS tariff_id, tariff_version,
          COUNT(*), COUNT(*) FILTER (WHERE provisional), COUNT(*) FILTER (WHERE energy_kwh < 0), {sums}
        FROM costs WHERE {IS_SOURCE} GROUP BY ALL
        """,
    )


def _prepare_unpriced(connection: duckdb.DuckDBPyConnection) -> None:
    waiting = f"SELECT {METER} AS meter_id, payload FROM unpriced ANTI JOIN costs USING (tenant, reading_id)"
    create_by_name(connection, "waiting", "meter_id", waiting)


def intervals_of(connection: duckdb.DuckDBPyConnection, contract: Contract) -> tuple[Intervals, Ints]:
    """Return (intervals after all corrections, beginnings of intervals with different register energy) of a meter.

    The intervals include unpriced ones, and corrections that are unpriced, but none that a longer one of a higher
    revision replaces. The beginnings [epoch ms] are of those intervals whose exact energy from register reads differs
    from that of the stream. Raises OverlapError.
    """
    costs = _intervals(connection, contract.meter_id)
    unpriced = _unpriced(connection, contract)
    if not unpriced and not _has_register(connection, contract.meter_id):
        data = Intervals(costs[0], costs[2] * 1000, *costs[3:])
        return without_replaced(plain(contract.meter_id), data, costs[1]), np.empty(0, dtype=np.int64)
    rows = np.stack(costs, axis=1).tolist()
    found = {row[0]: row[2:] for row in rows}
    costed = {row[0]: row[1] for row in rows}
    revisions = dict(costed)
    for start, (interval_s, quantities) in unpriced.items():
        newer = [at for at, (revision, _) in quantities.items() if revision > costed.get(start, -1)]
        if newer or start not in found:
            row = found.setdefault(start, [interval_s, 0, 0, 0, 0])
            for at in newer:
                row[0], row[at] = interval_s, quantities[at][1]
                revisions[start] = max(revisions.get(start, 0), quantities[at][0])
    moved = _registers(connection, contract, {start: row[0] for start, row in found.items()})
    for start, (interval_s, ukwh) in moved.items():
        found.setdefault(start, [interval_s, 0, 0, 0, 0])[1] += ukwh
    columns = np.array([[start, *found[start]] for start in sorted(found)], dtype=np.int64).T
    others = np.array([start for start, (_, ukwh) in moved.items() if ukwh], dtype=np.int64)
    data = Intervals(columns[0], columns[1] * 1000, *columns[2:])
    revision = np.array([revisions.get(start, 0) for start in sorted(found)], dtype=np.int64)
    return without_replaced(plain(contract.meter_id), data, revision), others


def _intervals(connection: duckdb.DuckDBPyConnection, meter_id: str) -> list[Ints]:
    """Return (start [epoch ms], revision, length [s], quantities [1e-6]) of the costed intervals in order of time."""
    found = rows_by_name(connection, "intervals", "meter_id", meter_id, "start_ms").fetchnumpy()
    return [np.asarray(column, dtype=np.int64) for column in found.values()]


def _has_register(connection: duckdb.DuckDBPyConnection, meter_id: str) -> bool:
    return rows_by_name(connection, "register_values", "meter_id", meter_id).fetchone() is not None


def _registers(
    connection: duckdb.DuckDBPyConnection, contract: Contract, known: Mapping[int, int]
) -> dict[int, tuple[int, int]]:
    """Return (length [s], exact minus streamed energy [1e-6 kWh]) by beginning of each interval with register energy.

    The earliest read retains its streamed energy if that was computed from reads that are not in the lake. `known` has
    the lengths [s] of the intervals of the meter by beginning.
    """
    places = Places(contract)
    registers: dict[str, dict[int, RegisterRead]] = {}
    streamed: Counter[tuple[str, int]] = Counter()
    rows = rows_by_name(connection, "register_values", "meter_id", contract.meter_id).fetchall()
    for register, start, interval_s, revision, kwh, rollover_kwh, streamed_kwh in rows:
        try:
            multiplier = places.at(start).multiplier
            value = multiplied(pack(revision, to_micro(kwh)), multiplier)
            size = None if rollover_kwh is None else multiplied(to_micro(rollover_kwh), multiplier)
        except QuantityError:  # unpriced in the stream as well
            continue
        keep_newest(registers.setdefault(register, {}), start, RegisterRead(value, size, interval_s))
        streamed[register, start] += to_micro(streamed_kwh)
    own = {name: Register.of(reads, highest_power_of(contract)) for name, reads in registers.items()}
    for name, (reads, steps) in own.items():
        first, before = steps[0], streamed[name, steps[0].start_ms]
        if sum(step.ukwh for step in steps) + before <= sum(streamed[name, start] for start in reads):
            first.ukwh = before
    moved = place_energy(own.values(), known).found
    for (_, start), ukwh in streamed.items():
        moved[start][1] -= ukwh
    return {start: (interval_s, ukwh) for start, (interval_s, ukwh) in moved.items()}


def _unpriced(
    connection: duckdb.DuckDBPyConnection, contract: Contract
) -> dict[int, tuple[int, dict[int, tuple[int, int]]]]:
    """Return length [s] and quantities of unpriced intervals by their beginning [epoch ms].

    A quantity is (highest revision, value of it [1e-6] times the multiplier of the contract), by its number from 1.
    Readings that have been costed since, as after a redrive, are no longer unpriced.
    """
    places = Places(contract)
    newest: dict[int, list[int]] = {}
    rows = rows_by_name(connection, "waiting", "meter_id", contract.meter_id).fetchall()
    for (payload,) in rows:
        reading = parse_reading(b64decode(payload), _ANY_TIME_MS, MAX_RECORD_BYTES, 0)
        if reading.start_ms is None or reading.register_packed is not None:
            continue
        row = newest.setdefault(reading.start_ms, [reading.interval_s or 0, -1, -1, -1, -1])
        packed = (
            reading.import_packed,
            reading.export_packed,
            reading.reactive_import_packed,
            reading.reactive_export_packed,
        )
        if max(-1 if new is None else new for new in packed) > max(row[1:]):
            row[0] = reading.interval_s or 0
        row[1:] = [max(old, -1 if new is None else new) for old, new in zip(row[1:], packed, strict=True)]
    found: dict[int, tuple[int, dict[int, tuple[int, int]]]] = {}
    for start, row in newest.items():
        with contextlib.suppress(QuantityError):
            quantities = {
                at: unpack(multiplied(packed, places.at(start).multiplier))
                for at, packed in enumerate(row[1:], 1)
                if packed >= 0
            }
            found[start] = row[0], quantities
    return found


def streamed_of(connection: duckdb.DuckDBPyConnection, supply_point: str) -> dict[Key, Streamed]:
    """Return the costs of the stream for a supply point by billing cycle and tariff version."""
    return {
        (row[0], row[1], row[2]): Streamed(
            dict(zip(COST_COLUMNS, map(to_micro, row[6:]), strict=True)), row[3], provisional=row[4], lowered=row[5]
        )
        for row in rows_by_name(connection, "streamed", "supply_point", supply_point).fetchall()
    }


def supplies_in(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the qualified names of the supply points to which the stream has added costs."""
    return {row[0] for row in connection.execute("SELECT DISTINCT supply_point FROM streamed").fetchall()}


def meters_in(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the qualified names of the meters with readings that are billed, or wait for a price or a supply."""
    rows = connection.execute(
        f"""
        SELECT DISTINCT {METER} AS name FROM (
          SELECT tenant, meter_id FROM costs
          UNION SELECT tenant, meter_id FROM unpriced WHERE reason IN ('no_price', 'no_supply')
        )
        """
    ).fetchall()
    return {row[0] for row in rows}


def last_instant_ms(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the end of the last interval in the lake [epoch ms]; 0 if the lake is empty."""
    sql = """
        SELECT GREATEST(
          (SELECT MAX(epoch_ms(interval_start) + interval_s * 1000) FROM costs),
          (SELECT MAX(epoch_ms(interval_start) + interval_s * 1000) FROM unpriced
           WHERE reason IN ('no_price', 'no_supply'))
        )
    """
    return int(connection.execute(sql).fetchall()[0][0] or 0)
