"""Signals of KPI windows, as columns for the pre-filters of alert rules and for replays."""

from __future__ import annotations

from typing import Any

import numpy as np

from flink_job.metering.kpis import completeness, load_factor, power_factor


def kpi_signals(
    duration_s: Any,
    readings: Any,
    expected_readings: Any,
    energy_kwh: Any,
    reactive_kvarh: Any,
    cost: Any,
    max_kw: Any,
) -> dict[str, list[float]]:
    """Signals of each window by name, NaN if a window has no value. `cost` is in the currency of the window."""
    columns = {
        "kpi.cost": np.asarray(cost, float),
        "kpi.energy_kwh": np.asarray(energy_kwh, float),
        "kpi.max_kw": np.asarray(max_kw, float),
        "kpi.completeness": completeness(readings, expected_readings),
        "kpi.power_factor": power_factor(energy_kwh, reactive_kvarh),
        "kpi.load_factor": load_factor(energy_kwh, duration_s, max_kw),
    }
    return {name: column.tolist() for name, column in columns.items()}
