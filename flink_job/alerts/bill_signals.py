"""Signals of costed readings, as columns for the pre-filters of alert rules."""

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
    """(bill so far, projected bill of the whole cycle) for each reading [currency]; the latter is NaN early in a cycle.

    Reading i belongs to `segments[index[i]]`, ends at `end[i]` [epoch ms] and leaves the bill in state `after`. See
    flink_job.tariffs.projection.
    """
    basis = Basis.of(list(segments), index, tariff)
    elapsed = (end - basis.cycle_start_ms) / (basis.cycle_end_ms - basis.cycle_start_ms)
    so_far = bill(tariff, basis, after._replace(time_ms=end - basis.segment_start_ms)).cost / 1e6
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
    is_first: Any,
    bills: Any,
) -> dict[str, list[float]]:
    """Signals of each reading by name, NaN if a reading has no value.

    `imported`, `exported` and `demand` are energies of the interval and of the demand interval so far [1e-6 kWh], -1 if
    missing; `contracted` is a power [1e-6 kW]; `cost` is in 1e-6 of the currency, and a difference
    if not `is_first`: a correction has no signal `cost`. `bills` comes from `bills_of`.
    """
    demand_kw = np.where(imported >= 0, demand * 3.6e-3 / window_s, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(contracted > 0, demand_kw / (contracted / 1e6), np.nan)
    columns = {
        "power_kw": np.where(imported >= 0, imported * 3.6e-3 / interval_s, np.nan),
        "export_kw": np.where(exported >= 0, exported * 3.6e-3 / interval_s, np.nan),
        "demand_kw": demand_kw,
        "contracted_share": share,
        "cost": np.where(is_first, cost / 1e6, np.nan),
        "bill": bills[0],
        "projected_bill": bills[1],
    }
    return {name: column.tolist() for name, column in columns.items()}
