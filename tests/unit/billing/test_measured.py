"""Stored readings as `rerate` reads them."""

from __future__ import annotations

import duckdb

from flink_job.billing.measured import last_instant_ms


def test_open_cycles_are_charged_until_the_end_of_the_last_reading() -> None:
    """Also where the last reading waits for `rerate`, which alone prices its tariff."""
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE costs AS SELECT TIMESTAMP '2026-03-01 10:00' AS interval_start, 900 AS interval_s; "
        "CREATE TABLE unpriced AS SELECT * FROM (VALUES "
        "(TIMESTAMP '2026-03-01 12:00', 3600, 'batch_only_tariff'), (TIMESTAMP '2026-03-01 20:00', 900, 'no_contract')"
        ") AS t (interval_start, interval_s, reason)"
    )
    # 2026-03-01 13:00 UTC; readings without a contract belong to no bill.
    assert last_instant_ms(connection) == 1_772_370_000_000
