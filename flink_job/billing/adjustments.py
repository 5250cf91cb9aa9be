"""Adjustments: the exact bill minus the costs of the stream, by billing cycle and by quarter hour, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from flink_job.billing.quarter_hours import AMOUNTS, POWER, no_windows
from flink_job.billing.run import decimals
from flink_job.schemas import ADJUSTMENTS
from flink_job.tariffs.bill_lines import COST_COLUMNS
from flink_job.tariffs.history import Bill
from flink_job.tariffs.history.intervals import HOUR_MS
from flink_job.tariffs.model import Tariff
from flink_job.tenants import plain, qualified, tenant_of

Key = tuple[str, str, str]
"""(cycle start YYYY-MM-DD, tariff_id, version)."""


class Streamed(NamedTuple):
    """Costs of the stream for a billing cycle under one tariff version.

    `charges` are in 1e-6 currency; `records`, `provisional` and `lowered` are the numbers of its rows, of those that
    are provisional and of those that reduce the energy of an interval.
    """

    charges: Mapping[str, int]
    records: int
    provisional: int
    lowered: int


@dataclass(frozen=True)
class Adjustment:
    """Adjustment of a billing cycle of a supply under one tariff version, by charge [1e-6 currency].

    The streamed costs, of a number of `records`, and the adjustment add up to the exact bill. Supply point and tariff
    are qualified names (flink_job.tenants).
    """

    supply_point: str
    key: Key
    currency: str
    cycle_end: date
    is_open: bool
    streamed: Mapping[str, int]
    exact: Mapping[str, int]
    reasons: Mapping[str, str]
    records: int = 0

    def of(self, charge: str) -> int:
        """Adjustment of a charge [1e-6 currency]."""
        return self.exact.get(charge, 0) - self.streamed.get(charge, 0)

    @property
    def total(self) -> int:
        """Sum of the adjustments of all charges [1e-6 currency]."""
        return sum(self.of(charge) for charge in COST_COLUMNS)

    @property
    def changes(self) -> Mapping[str, int]:
        """Adjustment of each charge that is not zero [1e-6 currency]."""
        return {charge: self.of(charge) for charge in COST_COLUMNS if self.of(charge)}

    @property
    def why(self) -> str:
        """Reasons of the charges that differ; a tax has the reasons of the charges it is computed from."""
        charges = [charge for charge in self.changes if charge != "tax"] or list(self.changes)
        if not charges:
            return "the bill is the same: its readings share it in order of time, not of arrival"
        return "; ".join(dict.fromkeys(self.reasons.get(charge, self.reasons[""]) for charge in charges))


def reasons_of(
    tariff: Tariff, bill: Bill | None, before: Streamed | None, unmeasured_ms: int, moved: int
) -> Mapping[str, str]:
    """Return the reasons why charges of the exact bill may differ from the costs of the stream, by charge.

    The key "" has the reason of all other charges. `unmeasured_ms` is the time of the bill without readings [ms];
    `moved` is the number of its intervals with different energy because register reads arrived out of order, or ended a
    silence.
    """
    changed = "the contract or the tariff was changed after these readings were priced"
    left = ", ".join(tariff.left_to_settlement())
    if bill is None or before is None:
        return {"": changed}
    found = {"": f"left to settlement: {left}" if left else "a correction or a change of prices"}
    if tariff.depends_on_order:
        found["energy_cost"] = "tiers fill in order of time, not of arrival"
    if before.lowered and not left:
        found["demand_cost"] = f"{before.lowered} corrections lowered a quantity: a peak cannot shrink in the stream"
    if moved:
        late = f"reads of a register came in another order or after a silence: {moved} intervals have other energy"
        found["energy_cost"] = found["demand_cost"] = late
    silence = f"{unmeasured_ms / HOUR_MS:.2f} h without readings"
    if unmeasured_ms and tariff.fixed:
        found["fixed_cost"] = silence
    if unmeasured_ms and tariff.minimum and not left:
        found["other_cost"] = silence
    return found


def rows_of(adjustments: Sequence[Adjustment], windows: pd.DataFrame) -> pa.Table:
    """Return the rows of table `adjustments` of the quarter hours of a supply that are in one of its `adjustments`."""
    by_key = {(a.key[0], plain(a.key[1]), a.key[2]): a for a in adjustments}
    keys = list(zip(windows["cycle_start"], windows["tariff_id"], windows["tariff_version"], strict=True))
    inside = np.array([key in by_key for key in keys], dtype=bool)
    rows, of_rows = windows[inside], [by_key[key] for key in keys if key in by_key]
    micro = {name: rows[name].to_numpy("int64") for name in (*AMOUNTS, POWER, "streamed_cost", "exact_cost")}
    micro["cost"] = micro["exact_cost"] - micro["streamed_cost"]
    reasons = {key: adjustment.why for key, adjustment in by_key.items()}
    starts = pa.array(rows["window_ms"].to_numpy("int64")).cast(pa.timestamp("ms"))
    days = pa.array(rows["day_start_ms"].to_numpy("int64")).cast(pa.timestamp("ms"))
    columns: dict[str, Any] = {
        "tenant": [tenant_of(a.supply_point) for a in of_rows],
        "meter_id": [plain(name) for name in rows["meter_id"]],
        "supply_point": [plain(a.supply_point) for a in of_rows],
        "upstream_path": [path or None for path in rows["upstream_path"]],
        "window_start": starts,
        "event_date": starts.cast(pa.date32()).cast(pa.string()),
        "day_start": days,
        "cycle_end": [a.cycle_end.isoformat() for a in of_rows],
        **{name: decimals(values) for name, values in micro.items()},
        **{name: pa.array(rows[name].to_numpy("int32")) for name in ("day_s", "interval_s", "readings")},
        "currency": [a.currency for a in of_rows],
        "is_open": pa.array([a.is_open for a in of_rows], pa.bool_()),
        "reason": [reasons[key] for key in keys if key in by_key],
        **{name: list(rows[name]) for name in ("site_path", "role", "cycle_start", "tariff_id", "tariff_version")},
    }
    names = [column.name for column in ADJUSTMENTS.columns]
    arrays = [columns[n] if isinstance(columns[n], pa.Array) else pa.array(columns[n], pa.string()) for n in names]
    return pa.Table.from_arrays(arrays, names=names)


def write_adjustments(rows: Sequence[pa.Table], folder: Path, kept: pa.Table | None = None) -> None:
    """Write `folder`/adjustments.parquet: the rows of each supply, after those of `kept`."""
    tables = [*([] if kept is None else [kept]), *rows] or [rows_of((), no_windows())]
    pq.write_table(pa.concat_tables(tables, promote=True), folder / "adjustments.parquet")


def kept_rows(
    path: Path,
    replaced: Callable[[date, date], bool],
    unsettled: Collection[str] = (),
    settled: Callable[[Collection[str], date, date], bool] = lambda names, start, end: True,
) -> pa.Table | None:
    """Return the rows of a file of adjustments or shares that remain; None without the file.

    They are those of cycles that are not `replaced(start, end)`, those of `unsettled` supplies and meters, and those of
    cycles for which `settled(names of supply and meter, start, end)` is false.
    """
    if not path.is_file():
        return None
    table = pq.read_table(path)
    supplies = table["supply_point"] if "supply_point" in table.column_names else table["meter_id"]
    columns = (table["tenant"], table["meter_id"], supplies, table["cycle_start"], table["cycle_end"])
    found: dict[tuple[str, ...], bool] = {}
    keep = []
    for row in zip(*(column.to_pylist() for column in columns), strict=True):
        if row not in found:
            tenant, meter, supply, start, end = row
            names = {qualified(tenant, meter), qualified(tenant, supply)}
            cycle = date.fromisoformat(start), date.fromisoformat(end)
            is_replaced = replaced(*cycle) and settled(names, *cycle) and names.isdisjoint(unsettled)
            found[row] = not is_replaced
        keep.append(found[row])
    return table.filter(pa.array(keep, pa.bool_()))
