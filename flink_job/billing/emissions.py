"""CO2 of imported energy, by a series of grams per kWh: kg of each reading that add up to those of its bill."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flink_job.tariffs.exact import running_round_div, times
from flink_job.tariffs.history import History
from flink_job.tariffs.prices import PriceSeries

#: Name of the series in messages.
EMISSIONS = "emissions"
#: Column of the outputs [kg]; it is never added to money.
COLUMN = "co2_kg"
#: 1e-6 kWh x 1e-9 g/kWh is 1e-15 g; a unit of the column is 1e-6 kg, 1e-3 g.
_TO_MICRO_KG = 10**12


def emitted(history: History, series: PriceSeries) -> NDArray[np.int64]:
    """Return the CO2 of the imported energy of each reading [1e-6 kg], shape (n,). Raises PriceError for a gap.

    An interval has the time-weighted mean of the series. Sums are rounded once for each bill, half to even.
    """
    data = history.intervals
    grams = times(data.import_ukwh, series.mean_price(data.start_ms, data.interval_ms))
    found = np.zeros(len(grams), dtype=np.int64)
    for number in range(len(history.bills)):
        rows = np.flatnonzero(history.segment == number)
        if len(rows):
            found[rows] = np.diff(running_round_div(grams[rows], _TO_MICRO_KG), prepend=0)
    return found
