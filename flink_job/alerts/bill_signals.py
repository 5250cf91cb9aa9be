"""Signals of costed readings, as columns for the gates of alert rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flink_job.alerts.signals import PROJECTED_FROM
from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.projection import projected_bills
from flink_job.tariffs.rating import bill
from flink_job.tariffs.state import Basis, State

BILLS = frozenset({"bill", "projected_bill"})


def bills_of(tariff: Tariff, segments: Sequence[Segment], index: Ints, after: State, end: Ints) -> Any:
    """(bill so far, bill at the end of the cycle) of each reading [currency]; the second is NaN early in the cycle.

    See flink_job.tariffs.projection. Reading i is of `segments[index[i]]`.
    """
    basis = Basis.of(list(segments), index)
    elapsed = (end - basis.cycle_start_ms) / (basis.cycle_end_ms - basis.cycle_start_ms)
    so_far = bill(tariff, basis, after, end).cost / 1e6
    projected = projected_bills(tariff, segments, index, after, end)
    return so_far, np.where(elapsed >= PROJECTED_FROM, projected, np.nan)


def signals_of(
    interval_s: Any,
    imported: Ints,
    exported: Ints,
    demand: Ints,
    window_s: Any,
    contracted: Ints,
    cost: Ints,
    bills: Any,
) -> dict[str, list[float]]:
    """Signals of every reading, NaN where it has none. Energies are 1e-6 kWh, -1 where the record has no such."""
    demand_kw = np.where(imported >= 0, demand * 3.6e-3 / window_s, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(contracted > 0, demand_kw / (contracted / 1e6), np.nan)
    columns = {
        "power_kw": np.where(imported >= 0, imported * 3.6e-3 / interval_s, np.nan),
        "export_kw": np.where(exported >= 0, exported * 3.6e-3 / interval_s, np.nan),
        "demand_kw": demand_kw,
        "contracted_share": share,
        "cost": cost / 1e6,
        "bill": bills[0],
        "projected_bill": bills[1],
    }
    return {name: column.tolist() for name, column in columns.items()}
