"""Stored readings as `rerate` reads them."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import date
from decimal import Decimal

import duckdb

from flink_job.billing.measured import intervals_of, last_instant_ms, prepare
from flink_job.lake.database import read_view
from flink_job.metering.contract import Assignment, Contract
from flink_job.tariffs.bill_lines import COST_COLUMNS


def test_open_cycles_are_charged_until_the_end_of_the_last_reading() -> None:
    """Also where the last reading waits for `rerate`, which alone prices its tariff."""
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE costs AS SELECT TIMESTAMP '2026-03-01 10:00' AS interval_start, 900 AS interval_s; "
        "CREATE TABLE unpriced AS SELECT * FROM (VALUES "
        "(TIMESTAMP '2026-03-01 12:00', 3600, 'no_price'), (TIMESTAMP '2026-03-01 20:00', 900, 'no_contract')"
        ") AS t (interval_start, interval_s, reason)"
    )
    # 2026-03-01 13:00 UTC; readings without a contract belong to no bill.
    assert last_instant_ms(connection) == 1_772_370_000_000


def test_an_unpriced_correction_counts_until_it_is_costed() -> None:
    """Costed: 1 kWh at 10:00 and 10:15, and 3 kWh, corrected once, at 10:30. Unpriced: revision 1 of 10:00 (0.5 kWh), a
    reading of 10:15 that was sent again and costed, an old revision of 10:30, and 2 kWh at 10:45.
    """
    connection = duckdb.connect()
    charges = ", ".join(f"0 AS {charge}" for charge in COST_COLUMNS)
    connection.execute(
        "CREATE TABLE costs AS SELECT 'default' AS tenant, 'm' AS meter_id, *, 900 AS interval_s, "
        "CAST(0 AS DECIMAL(18, 6)) AS export_kwh, "
        "CAST(0 AS DECIMAL(18, 6)) AS reactive_kvarh, CAST(0 AS DECIMAL(18, 6)) AS reactive_export_kvarh, "
        "'t' AS tariff_id, '1' AS tariff_version, FALSE AS provisional, "
        "'EUR' AS currency, '2026-03-01' AS event_date, 0 AS cost, "
        "'f/p/l/m' AS site_path, NULL AS supply_point, NULL AS role, NULL AS upstream_path, "
        "TIMESTAMP '2026-03-01' AS day_start, 86400 AS day_s, revision = 0 AS is_first, "
        f"'2026-03-01' AS cycle_start, {charges} FROM (VALUES "
        "('a', TIMESTAMP '2026-03-01 10:00', 0, 1.0), ('b', TIMESTAMP '2026-03-01 10:15', 0, 1.0), "
        "('c', TIMESTAMP '2026-03-01 10:30', 0, 2.0), ('d', TIMESTAMP '2026-03-01 10:30', 1, 1.0)"
        ") AS t (reading_id, interval_start, revision, energy_kwh)"
    )
    connection.execute(
        "CREATE TABLE register_reads (tenant VARCHAR, meter_id VARCHAR, reading_id VARCHAR, register_id VARCHAR, "
        "interval_start TIMESTAMP, interval_s INTEGER, revision INTEGER, register_kwh DOUBLE, rollover_kwh DOUBLE)"
    )
    connection.execute("CREATE TABLE unpriced (tenant VARCHAR, meter_id VARCHAR, reading_id VARCHAR, payload VARCHAR)")
    for reading_id, time, revision, kwh in (
        ("e", "10:00", 1, 0.5),
        ("b", "10:15", 0, 9),
        ("f", "10:30", 0, 9),
        ("g", "10:45", 0, 2),
    ):
        record = {"meter_id": "m", "interval_start": f"2026-03-01T{time}:00Z", "interval_s": 900, "energy_kwh": kwh}
        payload = b64encode(json.dumps({**record, "revision": revision}).encode()).decode()
        connection.execute("INSERT INTO unpriced VALUES ('default', 'm', ?, ?)", [reading_id, payload])
    connection.execute(f"CREATE VIEW readings_15m AS {read_view('readings_15m')}")
    prepare(connection)
    contract = Contract("m", "f/p/l/m", "Etc/UTC", (Assignment("t", date(2026, 1, 1)),), multiplier=Decimal(1))
    found, _ = intervals_of(connection, contract)
    assert found.import_ukwh.tolist() == [500_000, 1_000_000, 3_000_000, 2_000_000]
