"""Adjustments: the exact bill minus the costs of the stream, by billing cycle, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flink_job.billing.run import decimals
from flink_job.tariffs.bill_lines import COST_COLUMNS
from flink_job.tariffs.history import Bill
from flink_job.tariffs.history.intervals import HOUR_MS
from flink_job.tariffs.model import Tariff
from flink_job.tenants import plain, qualified, tenant_of

Key = tuple[str, str, str]
"""(cycle start YYYY-MM-DD, tariff_id, version)."""


class Streamed(NamedTuple):
    """Costs of the stream for a billing cycle under one tariff version.

    `charges` are in 1e-6 currency; `provisional` and `lowered` are the numbers of its rows that are provisional and of
    those that reduce the energy of an interval.
    """

    charges: Mapping[str, int]
    provisional: int
    lowered: int


@dataclass(frozen=True)
class Adjustment:
    """Adjustment of a billing cycle of a meter under one tariff version, by charge [1e-6 currency].

    The streamed costs and the adjustment add up to the exact bill. Meter, site path and tariff are qualified names
    (flink_job.tenants).
    """

    meter_id: str
    site_path: str
    key: Key
    currency: str
    cycle_end: date
    is_open: bool
    streamed: Mapping[str, int]
    exact: Mapping[str, int]
    reasons: Mapping[str, str]

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
        return "; ".join(dict.fromkeys(self.reasons.get(charge, self.reasons[""]) for charge in charges))


def reasons_of(
    tariff: Tariff, bill: Bill | None, before: Streamed | None, unmeasured_ms: int, moved: int
) -> Mapping[str, str]:
    """Return the reasons why charges of the exact bill may differ from the costs of the stream, by charge.

    The key "" has the reason of all other charges. `unmeasured_ms` is the time of the bill without readings [ms];
    `moved` is the number of its intervals with different energy because register reads arrived out of order.
    """
    changed = "the contract or the tariff was changed after these readings were priced"
    beyond, left = ", ".join(tariff.beyond_stream()), ", ".join(tariff.left_to_batch())
    if bill is None or (before is None and not beyond):
        return {"": changed}
    if beyond:
        return {"": f"the stream does not price {beyond}"}
    assert before is not None
    found = {"": f"left to the batch layer: {left}" if left else "a correction or a change of prices"}
    if tariff.depends_on_order:
        found["energy_cost"] = "tiers fill in order of time, not of arrival"
    if before.lowered and not left:
        found["demand_cost"] = f"{before.lowered} corrections lowered a quantity: a peak cannot shrink in the stream"
    if moved:
        late = f"reads of a register came in another order: {moved} intervals have other energy"
        found["energy_cost"] = found["demand_cost"] = late
    if unmeasured_ms and tariff.fixed:
        found["fixed_cost"] = f"{unmeasured_ms / HOUR_MS:.2f} h without readings"
    return found


def write_adjustments(adjustments: Sequence[Adjustment], folder: Path, kept: pa.Table | None = None) -> None:
    """Write `folder`/adjustments.parquet: a row for each billing cycle that differs, after the rows of `kept`."""
    rows = [a for a in adjustments if a.changes]
    micro = {
        **{charge: [a.of(charge) for a in rows] for charge in COST_COLUMNS},
        "cost": [a.total for a in rows],
        "streamed_cost": [sum(a.streamed.values()) for a in rows],
        "exact_cost": [sum(a.exact.values()) for a in rows],
    }
    columns: dict[str, Any] = {
        "tenant": [tenant_of(a.meter_id) for a in rows],
        "meter_id": [plain(a.meter_id) for a in rows],
        "site_path": [plain(a.site_path) for a in rows],
        "cycle_start": [a.key[0] for a in rows],
        "cycle_end": [a.cycle_end.isoformat() for a in rows],
        "tariff_id": [plain(a.key[1]) for a in rows],
        "tariff_version": [a.key[2] for a in rows],
        **{name: decimals(np.array(values, dtype=np.int64)) for name, values in micro.items()},
        "currency": [a.currency for a in rows],
        "is_open": pa.array([a.is_open for a in rows], pa.bool_()),
        "reason": [a.why for a in rows],
    }
    arrays = [c if isinstance(c, pa.Array) else pa.array(c, pa.string()) for c in columns.values()]
    table = pa.Table.from_arrays(arrays, names=list(columns))
    if kept is not None:
        table = pa.concat_tables([kept, table], promote=True)
    pq.write_table(table, folder / "adjustments.parquet")


def kept_adjustments(
    folder: Path, replaced: Callable[[date, date], bool], unsettled: Collection[str] = ()
) -> pa.Table | None:
    """Return the rows of `folder`/adjustments.parquet that remain; None without the file.

    They are those of cycles that are not `replaced(start, end)`, and those of `unsettled` meters.
    """
    path = folder / "adjustments.parquet"
    if not path.is_file():
        return None
    table = pq.read_table(path)
    cycles = zip(table["cycle_start"].to_pylist(), table["cycle_end"].to_pylist(), strict=True)
    meters = zip(table["tenant"].to_pylist(), table["meter_id"].to_pylist(), strict=True)
    keep = [
        qualified(tenant, meter) in unsettled or not replaced(date.fromisoformat(start), date.fromisoformat(end))
        for (start, end), (tenant, meter) in zip(cycles, meters, strict=True)
    ]
    return table.filter(pa.array(keep, pa.bool_()))
