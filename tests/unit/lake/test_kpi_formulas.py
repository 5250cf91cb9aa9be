"""The KPI formulas of the lake's views and of flink_job.metering.kpis give the same results for the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import product

import duckdb
import numpy as np
import pytest

from flink_job.alerts.history import KPI_SQL, batches_of_kpis
from flink_job.lake.database import read_view
from flink_job.metering.kpis import completeness, load_factor, mean_kw, power_factor

DAY = datetime(2026, 3, 28)
#: A local day on which clocks go forward.
DAY_S = 82_800
ENERGIES = (None, -1.5, 0, 0.000001, 7.25)
REACTIVES = (None, -0.75, 0, 0.5, 1e6)
#: (interval [s], readings): none, some, all, and more than the longest interval lets expect.
READINGS = ((900, 0), (900, 3), (900, 4), (300, 7), (3600, 1), (3600, 4), (7200, 1))


@pytest.fixture(scope="module")
def views() -> Iterator[duckdb.DuckDBPyConnection]:
    """The KPI views over an entity per combination of quantities, in the first quarter of an hour."""
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE meter_levels (tenant VARCHAR, level VARCHAR, entity VARCHAR, meter_id VARCHAR, "
            "site_path VARCHAR, site VARCHAR, currency VARCHAR, window_start TIMESTAMP, day_start TIMESTAMP, "
            "day_s INTEGER, event_date VARCHAR, interval_s INTEGER, readings INTEGER, energy_kwh DECIMAL(18, 6), "
            "export_kwh DECIMAL(18, 6), reactive_kvarh DECIMAL(18, 6), cost DECIMAL(18, 6), quarter_kwh DOUBLE, "
            "is_measured BOOLEAN)"
        )
        connection.execute(
            "CREATE TABLE kpis (tenant VARCHAR, level VARCHAR, entity VARCHAR, site_path VARCHAR, currency VARCHAR, "
            "window_start TIMESTAMP, window_s INTEGER, day_start TIMESTAMP, day_s INTEGER, event_date VARCHAR, "
            "readings BIGINT, expected_readings BIGINT)"
        )
        for number, (kwh, kvarh, (interval_s, readings)) in enumerate(product(ENERGIES, REACTIVES, READINGS)):
            name = f"m{number}"
            connection.execute(
                f"INSERT INTO meter_levels VALUES ({', '.join('?' * 19)})",
                ["default", "meter", name, name, f"f/p/l/{name}", "f", "EUR", DAY, DAY, DAY_S, "2026-03-28",
                 interval_s, readings, kwh, 0, kvarh, 1, kwh, True],
            )  # fmt: skip
        for view in ("kpis_15m", "kpis_1h", "kpis_1d"):
            connection.execute(f"CREATE VIEW {view} AS {read_view(view)}")
        yield connection


@pytest.mark.parametrize(("view", "duration_s"), [("kpis_1h", 3600), ("kpis_1d", DAY_S)])
def test_views_and_python_agree(views: duckdb.DuckDBPyConnection, view: str, duration_s: int) -> None:
    rows = views.execute(
        "SELECT readings, expected_readings, CAST(energy_kwh AS DOUBLE), CAST(reactive_kvarh AS DOUBLE), max_kw, "
        f"completeness, mean_kw, load_factor, power_factor FROM {view}"
    ).fetchall()
    assert len(rows) == len(ENERGIES) * len(REACTIVES) * len(READINGS)
    columns = [np.array(column, float) for column in zip(*rows, strict=True)]
    readings, expected, kwh, kvarh, max_kw, *in_sql = columns
    in_python = (
        completeness(readings, expected),
        mean_kw(kwh, duration_s),
        load_factor(kwh, duration_s, max_kw),
        power_factor(kwh, kvarh),
    )
    for of_view, of_module in zip(in_sql, in_python, strict=True):
        np.testing.assert_allclose(of_view, of_module, rtol=1e-14)
    assert np.isfinite(in_python[3]).sum() == 2 * 2 * len(READINGS)
    assert (in_python[0] <= 1).all()


@pytest.mark.parametrize(("view", "window_s"), [("kpis_1h", 3600), ("kpis_1d", 86_400)])
def test_views_have_the_readings_that_the_job_expected(
    views: duckdb.DuckDBPyConnection, view: str, window_s: int
) -> None:
    """Of `m0`, which sent no reading in the window, the job expected 96; so it did of `silent`, which sent nothing."""
    with views.cursor() as connection:
        connection.execute("BEGIN")
        for name in ("m0", "silent"):
            row = ["default", "meter", name, f"f/p/l/{name}", "EUR", DAY, window_s, DAY, DAY_S, "2026-03-28", 0, 96]
            connection.execute(f"INSERT INTO kpis VALUES ({', '.join('?' * len(row))})", row)
        columns = "entity, readings, expected_readings, completeness, site"
        sql = f"SELECT {columns} FROM {view} WHERE entity IN ('m0', 'silent')"
        found = connection.execute(f"{sql} ORDER BY 1").fetchall()
        connection.execute("ROLLBACK")
    assert found == [("m0", 0, 96, 0, "f"), ("silent", 0, 96, 0, "f")]


@pytest.mark.parametrize(
    ("kwh", "kvarh", "expected"),
    [(3, 4, 0.6), (3, 0, None), (3, -4, None), (0, 4, None), (-3, 4, None), (3, None, None), (None, 4, None)],
)
def test_power_factor(kwh: float | None, kvarh: float | None, expected: float | None) -> None:
    [found] = power_factor([np.nan if kwh is None else kwh], [np.nan if kvarh is None else kvarh])
    assert (None if np.isnan(found) else found) == expected


def test_completeness_expects_at_least_one_reading() -> None:
    assert completeness([0, 1, 3, 5], [0, 0, 4, 4]).tolist() == [0, 1, 0.75, 1]


def test_a_replay_has_the_signals_of_the_formulas() -> None:
    """A signal without a value is absent; a window without a maximum counts as 0 kW, as in the stream."""
    start, end = (int(datetime(2026, 3, 28, hour).timestamp() * 1000) for hour in (10, 11))
    quantities = [(1.0, 3.0, 4.0, 6.0, 3, 4), (1.0, 3.0, 0.0, 6.0, 4, 4), (1.0, 3.0, None, None, 0, 0)]
    rows = [("m", "f/p/l/m", "meter", 3600, start, end, "EUR", *quantity, False) for quantity in quantities]
    assert "max_kw" in KPI_SQL
    found = [batch.samples[0].values for batch in batches_of_kpis(rows)]
    common = {"kpi.cost": 1.0, "kpi.energy_kwh": 3.0}
    assert found == [
        {**common, "kpi.max_kw": 6.0, "kpi.completeness": 0.75, "kpi.power_factor": 0.6, "kpi.load_factor": 0.5},
        {**common, "kpi.max_kw": 6.0, "kpi.completeness": 1.0, "kpi.load_factor": 0.5},
        {**common, "kpi.max_kw": 0.0, "kpi.completeness": 0.0},
    ]
