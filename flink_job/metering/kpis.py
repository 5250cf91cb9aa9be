"""KPI formulas, vectorised over windows: numpy arrays in and out, NaN for a missing value.

The views of the lake (flink_job/lake/kpis_windows.sql) have the same formulas in SQL; a test compares them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def completeness(readings: Any, expected_readings: Any) -> Floats:
    """Readings as a share of the expected readings, 0 to 1.

    A window expects at least one reading, so that the share is defined. It has at most all of them: a meter that
    changes to a shorter interval within a window sends more than its longest interval lets expect.
    """
    expected = np.maximum(1.0, np.asarray(expected_readings, float))
    share: Floats = np.minimum(1.0, np.asarray(readings, float) / expected)
    return share


def mean_kw(energy_kwh: Any, duration_s: Any) -> Floats:
    """Mean power of a window [kW]."""
    mean: Floats = np.asarray(energy_kwh, float) * 3600 / np.asarray(duration_s, float)
    return mean


def load_factor(energy_kwh: Any, duration_s: Any, max_kw: Any) -> Floats:
    """Mean power as a share of `max_kw`, the highest quarter hour; NaN unless that is positive."""
    highest = np.asarray(max_kw, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(highest > 0, mean_kw(energy_kwh, duration_s) / highest, np.nan)


def power_factor(energy_kwh: Any, reactive_kvarh: Any) -> Floats:
    """kWh / sqrt(kWh^2 + kvarh^2) of imported active and reactive energy; NaN unless both are positive.

    Zero reactive energy usually means that the meter does not measure it, not a power factor of 1. A negative sum has
    no physical meaning (both are import registers): it is a correction without the reading that it corrects.
    """
    active, reactive = np.asarray(energy_kwh, float), np.asarray(reactive_kvarh, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((active > 0) & (reactive > 0), active / np.hypot(active, reactive), np.nan)
