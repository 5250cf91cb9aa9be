"""Periods of every hour of a year against GISCE's enerdata: 2.0TD, 3.0TD and 6.1TD in all five zones."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from flink_job.dataflow.environment import PROJECT
from flink_job.tariffs.calendar import Timeline
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.spain import ZONES, spanish_tariff

PYTHON = PROJECT / ".venv-oracle" / "bin" / "python"
DRIVER = Path(__file__).parent / "enerdata_periods.py"
YEAR = 2025


@pytest.fixture(scope="module")
def theirs() -> dict[str, dict[str, list[str]]]:
    done = subprocess.run([PYTHON, DRIVER, str(YEAR)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, dict[str, list[str]]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("kind", ["2.0TD", "3.0TD", "6.1TD"])
@pytest.mark.parametrize("zone", ZONES)
def test_every_hour_of_the_year(kind: str, zone: str, theirs: dict[str, dict[str, list[str]]]) -> None:
    count, power = (3, 2) if kind == "2.0TD" else (6, 6)
    prices = {
        "energy": {f"P{n}": "0.1" for n in range(1, count + 1)},
        "power": {f"P{n}": "1" for n in range(1, power + 1)},
    }
    tariff = read_tariff(spanish_tariff(kind, zone, prices))
    # A zone without clock changes, so that hours of the calendar are hours of the year.
    instants = [datetime(YEAR, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(8760)]
    index = Timeline(tariff.calendar, ZoneInfo("UTC")).periods_at(
        np.array([int(i.timestamp() * 1000) for i in instants])
    )
    expected = theirs[kind][str(ZONES.index(zone) + 1)]
    found = [tariff.periods[i] for i in index]
    if kind == "2.0TD" and zone in ("ceuta", "melilla"):
        # enerdata gives Ceuta and Melilla the peninsula's hours but in season A; the Circular has 11-15 and 19-23 h.
        season_a = (1, 2, 8, 9) if zone == "ceuta" else (1, 7, 8, 9)
        rows = [n for n, i in enumerate(instants) if i.month in season_a]
        found, expected = [found[n] for n in rows], [expected[n] for n in rows]
        assert len(rows) > 2000
    assert found == expected
