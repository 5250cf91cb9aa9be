"""Rows of the shares of a supply's bill: by meter and interval, or by meter and local day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from flink_job.billing.run import decimals
from flink_job.metering.changes import Places
from flink_job.metering.contract import Contract
from flink_job.metering.local_days import local_days
from flink_job.metering.zones import Zone
from flink_job.supplies.apportion import Array
from flink_job.supplies.rated import RatedSupply, SharedBill
from flink_job.supplies.shares import Shares
from flink_job.tenants import plain

#: Columns of charges in order, with their lines.
SHARE_COLUMNS = {
    "energy_cost": "energy",
    "demand_cost": "demand",
    "fixed_cost": "fixed",
    "reactive_cost": "reactive",
    "export_credit": "export",
    "minimum_cost": "minimum",
    "tax": "tax",
}
#: Follows the name of a supply point in the name of what no submeter measured.
REST = ":rest"


def share_rows(
    rated: RatedSupply, bill: SharedBill, contracts: Mapping[str, Contract], by_day: bool
) -> Iterator[pa.Table]:
    """Yield the shares of a bill, of some days at a time.

    `provisional`: the cycle ends after the last reading of the supply.
    """
    zone = bill.charges.context.terms.zone
    segment = bill.charges.context.billing.segment
    provisional = segment.cycle_end_ms > int(rated.history.intervals.end_ms.max())
    for shares in bill.shares:
        grid = _Grid.of(shares, zone)
        if by_day:
            grid = grid.by_day()
        meter, at = np.nonzero(grid.has_row)
        if len(meter):
            yield _table(rated, bill, shares, grid, (meter, at), contracts, provisional)


class _Grid:
    """Shares by row of meter and column of time; the instants are epoch ms."""

    def __init__(
        self,
        start_ms: Array,
        end_ms: Array,
        day_ms: Array,
        day_end_ms: Array,
        net_ukwh: Array,
        amounts: Mapping[str, Array],
        has_row: NDArray[np.bool_],
    ) -> None:
        self.start_ms, self.end_ms, self.day_ms, self.day_end_ms = start_ms, end_ms, day_ms, day_end_ms
        self.net_ukwh, self.amounts, self.has_row = net_ukwh, amounts, has_row

    @staticmethod
    def of(shares: Shares, zone: Zone) -> _Grid:
        """Return the shares by interval of the supply."""
        slots = shares.slots
        days = local_days(zone.key).days_at(slots.start_ms)
        return _Grid(slots.start_ms, slots.end_ms, *days, shares.net_ukwh, shares.amounts, shares.has_row)

    def by_day(self) -> _Grid:
        """Return the shares by local day."""
        first = np.flatnonzero(np.append(True, np.diff(self.day_ms) != 0))
        day, end = self.day_ms[first], self.day_end_ms[first]
        amounts = {line: np.add.reduceat(values, first, axis=1) for line, values in self.amounts.items()}
        net = np.add.reduceat(self.net_ukwh, first, axis=1)
        return _Grid(day, end, day, end, net, amounts, np.logical_or.reduceat(self.has_row, first, axis=1))


def _table(
    rated: RatedSupply,
    bill: SharedBill,
    shares: Shares,
    grid: _Grid,
    found: tuple[Array, Array],
    contracts: Mapping[str, Contract],
    provisional: bool,
) -> pa.Table:
    meter, at = found
    supply_point = plain(rated.supply.supply_point)
    names = [*map(plain, shares.tree.nodes), supply_point + REST]
    amounts = {line: values[meter, at] for line, values in grid.amounts.items()}
    net, count = grid.net_ukwh[meter, at], len(meter)
    columns = {
        "supply_point": _constant(supply_point, count),
        "meter_id": _coded(names, meter),
        "site_path": _paths(rated, shares, contracts, grid, found),
        "interval_start": pa.array(grid.start_ms[at]).cast(pa.timestamp("ms", "UTC")),
        "interval_s": pa.array(((grid.end_ms - grid.start_ms)[at] // 1000).astype(np.int32)),
        "local_date": _dates(grid.day_ms, bill.charges.context.terms.zone).take(pa.array(at)),
        "energy_kwh": decimals(net),
        **{column: decimals(amounts[line]) for column, line in SHARE_COLUMNS.items()},
        "cost": decimals(np.sum(list(amounts.values()), axis=0)),
        "currency": _constant(bill.charges.tariff.currency, count),
        "cycle_start": pa.array([bill.charges.bill.cycle_start], pa.date32()).take(pa.array(np.zeros(count, np.int64))),
        "provisional": pa.array(np.full(count, provisional)),
        "sum_check": pa.array(net < 0),
    }
    return pa.table(columns)


def _paths(
    rated: RatedSupply, shares: Shares, contracts: Mapping[str, Contract], grid: _Grid, found: tuple[Array, Array]
) -> pa.Array:
    """Return the site path of each row at its time; the rest has that of the first main."""
    first = (*shares.tree.sources, *(m.meter_id for m in rated.supply.members))[0]
    paths: dict[str, int] = {}
    codes = np.zeros((len(shares.tree.nodes) + 1, len(grid.start_ms)), dtype=np.int64)
    for number, meter in enumerate((*shares.tree.nodes, first)):
        places = Places(contracts[meter])
        index = np.array([paths.setdefault(plain(place.site_path), len(paths)) for place in places.contracts])
        codes[number] = index[np.searchsorted(places.starts_ms, grid.start_ms, "right")]
    return _coded(list(paths), codes[found])


def _dates(day_ms: Array, zone: Zone) -> pa.Array:
    """Return the local date of each start of a local day."""
    days, index = np.unique(day_ms, return_inverse=True)
    dates: list[date] = [datetime.fromtimestamp(int(ms) / 1000, UTC).astimezone(zone).date() for ms in days]
    return pa.array(dates, pa.date32()).take(pa.array(index))


def _coded(values: list[str], index: Array) -> pa.Array:
    codes = pa.array(index.astype(np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array(values, pa.string()))


def _constant(value: str, count: int) -> pa.Array:
    return _coded([value], np.zeros(count, dtype=np.int64))
