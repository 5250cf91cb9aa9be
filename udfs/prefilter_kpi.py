"""SQL function `prefilter_kpi`: KPI windows through the pre-filters of alert rules."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np
import pandas as pd
from pyflink.table.udf import ScalarFunction, udf

from flink_job.alerts.kpi_signals import kpi_signals
from flink_job.alerts.worker_prefilters import NOTHING, Prefilters, columns_of
from flink_job.config import Settings
from flink_job.metering.site import Entity
from flink_job.metering.units import MICRO
from flink_job.registries import rule_registry
from udfs.columns import ALERT_COLUMNS, frame, row_type


class PrefilterKpi(ScalarFunction):  # type: ignore[misc]
    """`prefilter_kpi(...)`: each closed window is a sample of its entity.

    The result has the columns ALERT_COLUMNS, NULL if nothing is forwarded.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, function_context: Any) -> None:
        """Open the rule registry of this worker."""
        self.prefilters = Prefilters(rule_registry(self.settings.tariffs, self.settings.job.silence_s), "kpi")

    def eval(
        self,
        level: pd.Series | str,
        entity: pd.Series,
        site_path: pd.Series,
        window_s: pd.Series | int,
        starts_at: pd.Series,
        duration_s: pd.Series | int,
        currency: pd.Series,
        readings: pd.Series,
        expected_readings: pd.Series,
        import_ukwh: pd.Series,
        reactive_uvarh: pd.Series,
        cost_u: pd.Series,
        max_ukw: pd.Series,
        arrival: pd.Series,
        is_partial: pd.Series,
    ) -> pd.DataFrame:
        """Pre-filter a batch of windows.

        `window_s` is the nominal length (86400 for a local day) and `duration_s` the real one; quantities are in 1e-6
        kWh, kvarh and kW, `cost_u` in 1e-6 of `currency`. `arrival` is that of the last reading in the window;
        `is_partial`: the input ended before all of them were known.
        """
        self.prefilters.refresh()
        rows = [NOTHING] * len(entity)
        if self.prefilters.signals:
            # The planner passes a literal as a scalar.
            windows, durations, levels = (
                np.broadcast_to(column, len(entity)).tolist() for column in (window_s, duration_s, level)
            )
            quantities = (column.to_numpy(float) / MICRO for column in (import_ukwh, reactive_uvarh, cost_u, max_ukw))
            signals = kpi_signals(
                np.asarray(durations), readings.to_numpy(float), expected_readings.to_numpy(float), *quantities
            )
            keys = zip(entity, site_path, levels, windows, currency, is_partial, strict=True)
            times = zip(_epoch_ms(starts_at), durations, _epoch_ms(arrival), strict=True)
            for row, (key, when) in enumerate(zip(keys, times, strict=True)):
                rows[row] = self._observe(key, when, int(cost_u.iat[row]), signals, row)
        return frame(list(ALERT_COLUMNS), rows)

    def _observe(self, key: Any, when: tuple[int, int, int], cost_u: int, signals: Any, row: int) -> tuple[Any, ...]:
        entity, site_path, level, window_s, currency, is_partial = key
        prefilter = self.prefilters.of(Entity(entity, site_path), level, window_s, "" if level == "meter" else currency)
        if prefilter is None:
            return NOTHING
        values = {name: signals[name][row] for name in prefilter.signals if not isnan(signals[name][row])}
        if not values:
            return NOTHING
        at_ms, duration_s, arrival_ms = when
        # A window is complete at its end at the earliest, even if the clock of a device is ahead.
        arrival_ms = max(arrival_ms, at_ms + duration_s * 1000)
        if is_partial:
            return columns_of(prefilter.observe_partial(at_ms, duration_s, cost_u, arrival_ms, currency, values))
        return columns_of(prefilter.observe(at_ms, duration_s, 0, cost_u, arrival_ms, currency, values))


def _epoch_ms(column: pd.Series) -> list[int]:
    found: list[int] = column.to_numpy("datetime64[ms]").astype("int64").tolist()
    return found


def prefilter_kpi(settings: Settings) -> Any:
    """The SQL function `prefilter_kpi` with the settings of the job."""
    return udf(PrefilterKpi(settings), result_type=row_type(**ALERT_COLUMNS), func_type="pandas")
