"""KPI windows through the gates of alert rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pyflink.table.udf import ScalarFunction, udf

from flink_job.alerts.worker_prefilters import NOTHING, Prefilters, columns_of
from flink_job.config import Settings
from flink_job.metering.site import Entity
from flink_job.registries import rule_registry
from udfs.columns import ALERT_COLUMNS, frame, row_type


class PrefilterKpi(ScalarFunction):  # type: ignore[misc]
    """`prefilter_kpi(...)`: a KPI window is a sample of its entity, and arrives with the last reading in it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, function_context: Any) -> None:
        self.prefilters = Prefilters(rule_registry(self.settings.tariffs, self.settings.job.silence_s), "kpi")

    def eval(
        self,
        level: pd.Series,
        entity: pd.Series,
        site_path: pd.Series,
        window_s: pd.Series | int,
        starts_at: pd.Series,
        seconds: pd.Series | int,
        currency: pd.Series,
        readings: pd.Series,
        expected: pd.Series,
        imported: pd.Series,
        reactive: pd.Series,
        cost: pd.Series,
        max_ukw: pd.Series,
        arrival: pd.Series,
    ) -> pd.DataFrame:
        self.prefilters.refresh()
        rows = [NOTHING] * len(entity)
        if self.prefilters.signals:
            # The planner hands a literal over as a number.
            windows, lengths = (np.broadcast_to(column, len(entity)) for column in (window_s, seconds))
            values = _signals(lengths, readings, expected, imported, reactive, cost, max_ukw)
            places = zip(entity, site_path, level, windows.tolist(), currency, strict=True)
            times = zip(_epoch_ms(starts_at), lengths.tolist(), _epoch_ms(arrival), strict=True)
            for row, (place, when) in enumerate(zip(places, times, strict=True)):
                rows[row] = self._watch(place, when, int(cost.iat[row]), values, row)
        return frame(list(ALERT_COLUMNS), rows)

    def _watch(self, place: Any, when: tuple[int, int, int], cost_u: int, signals: Any, row: int) -> tuple[Any, ...]:
        entity, site_path, level, window_s, currency = place
        prefilter = self.prefilters.of(Entity(entity, site_path), level, window_s)
        if prefilter is None:
            return NOTHING
        values = {name: signals[name][row] for name in prefilter.signals if signals[name][row] == signals[name][row]}
        if not values:
            return NOTHING
        at_ms, length_s, arrival_ms = when
        # A window cannot be known before it ends, even where the clock of a device runs ahead.
        arrival_ms = max(arrival_ms, at_ms + length_s * 1000)
        return columns_of(prefilter.observe(at_ms, length_s, 0, cost_u, arrival_ms, currency, values))


def _epoch_ms(column: pd.Series) -> list[int]:
    found: list[int] = column.to_numpy("datetime64[ms]").astype("int64").tolist()
    return found


def _signals(
    seconds: Any, readings: pd.Series, expected: pd.Series, imported: pd.Series, reactive: pd.Series,
    cost: pd.Series, max_ukw: pd.Series,
) -> dict[str, list[float]]:  # fmt: skip
    """Signals of every window, NaN where it has none."""
    kwh, kvarh, max_kw = (column.to_numpy(float) / 1e6 for column in (imported, reactive, max_ukw))
    apparent = np.hypot(kwh, kvarh)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            "kpi.cost": cost.to_numpy(float) / 1e6,
            "kpi.energy_kwh": kwh,
            "kpi.max_kw": max_kw,
            "kpi.completeness": np.minimum(1, readings.to_numpy(float) / expected.to_numpy(float)),
            # Without reactive energy, or at no load, there is nothing to tell.
            "kpi.power_factor": np.where((kvarh > 0) & (kwh > 0), kwh / apparent, np.nan),
            "kpi.load_factor": np.where(max_kw > 0, kwh * 3600 / seconds / max_kw, np.nan),
        }
    return {name: column.tolist() for name, column in columns.items()}


def prefilter_kpi(settings: Settings) -> Any:
    return udf(PrefilterKpi(settings), result_type=row_type(**ALERT_COLUMNS), func_type="pandas")
