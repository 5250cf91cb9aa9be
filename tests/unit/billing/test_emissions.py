"""CO2 of readings and bills by a series of grams per kWh."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from flink_job.__main__ import app
from flink_job.billing.emissions import emitted
from flink_job.tariffs.prices import PriceError, PriceSeries
from tests.unit.tariffs.test_history import ONE_PRICE, at, rated

HOUR_MS = 3_600_000


def series(*grams: float, first: int = at("2026-01-10", 0)) -> PriceSeries:
    """Grams per kWh of consecutive hours."""
    start = first + np.arange(len(grams)) * HOUR_MS
    return PriceSeries("emissions", start, start + HOUR_MS, np.array([round(g * 1e9) for g in grams]))


def test_grams_are_those_of_the_time() -> None:
    # 2 kWh at 300 g and 1 kWh at 450.5 g; 4 kWh that are exported emit nothing.
    history = rated(ONE_PRICE, (at("2026-01-10", 0), 2), (at("2026-01-10", 1), 1), (at("2026-01-10", 2), -4))
    assert emitted(history, series(300, 450.5, 900)).tolist() == [600_000, 450_500, 0]


def test_a_longer_interval_has_the_mean() -> None:
    # Two hours, 100 and 300 g: 4 kWh x 200 g.
    history = rated(ONE_PRICE, (at("2026-01-10", 0), 4), interval_s=7200)
    assert emitted(history, series(100, 300)).tolist() == [800_000]


def test_readings_add_up_to_the_bill() -> None:
    """Three times 0.4 mg make 1.2 mg: a bill of 1 mg, not of 0."""
    readings = [(at("2026-01-10", hour), 0.000001) for hour in range(3)]
    found = emitted(rated(ONE_PRICE, *readings), series(400, 400, 400))
    assert (found.tolist(), found.sum()) == ([0, 1, 0], 1)


def test_a_gap_is_an_error() -> None:
    with pytest.raises(PriceError, match="'emissions' has no price at 2026-01-10T01:00"):
        emitted(rated(ONE_PRICE, (at("2026-01-10", 0), 1), (at("2026-01-10", 1), 1)), series(300))


def test_the_command_adds_a_column(tmp_path: Path) -> None:
    (tmp_path / "load.csv").write_text("meter_id,ts,interval_s,kwh\nm,2026-01-10T00:00Z,3600,2\n")
    (tmp_path / "grams.csv").write_text("from,price,until\n2026-01-10T00:00Z,300,2026-01-10T01:00Z\n")
    tariff = tmp_path / "tariff.json"
    tariff.write_text(
        '{"tariff_id": "t", "version": "1", "currency": "EUR", "valid_from": "2026-01-01",'
        ' "energy": {"periods": {"all": [{"price": "0.10"}]}}}'
    )
    options = ["--readings", "load.csv", "--emissions", "grams.csv", "--timezone", "UTC", "--out", "out"]
    names = [str(tmp_path / name) if name in ("load.csv", "grams.csv", "out") else name for name in options]
    result = CliRunner().invoke(app, ["rate", "--tariff", str(tariff), *names])
    assert result.exit_code == 0, result.output
    (bill,) = csv.DictReader((tmp_path / "out" / "bills.csv").open())
    assert (bill["cost"], bill["co2_kg"]) == ("0.200000", "0.600000")
    assert [str(value) for value in pq.read_table(tmp_path / "out" / "costs.parquet")["co2_kg"]] == ["0.600000"]
