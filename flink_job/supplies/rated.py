"""Rates a supply point: the bills of its load, and the shares of its meters in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flink_job.supplies.charges import BillCharges
from flink_job.supplies.load import Slots, of_members, supply_load, within
from flink_job.supplies.membership import Supply, SupplyError, SupplyFault
from flink_job.supplies.shares import Measured, Shares, shares_of, without_readings
from flink_job.supplies.tree import Tree, trees
from flink_job.tariffs.history import History, Intervals


@dataclass(frozen=True)
class SharedBill:
    """A bill of a supply."""

    charges: BillCharges
    rated: RatedSupply

    @property
    def shares(self) -> Iterator[Shares]:
        """The shares of its meters, which add up to it: of some days at a time, computed when they are needed."""
        return self.rated.shares_of(self.charges)


@dataclass(frozen=True)
class RatedSupply:
    """A supply with its load's history, the slots by which it is shared, and its meters' readings."""

    supply: Supply
    trees: list[Tree]
    history: History
    readings: Mapping[str, Intervals]

    @cached_property
    def slots(self) -> Slots:
        """The intervals by which the supply is shared."""
        return Slots.of(self.history.intervals, list(self.readings.values()))

    def bills(self) -> Iterator[SharedBill]:
        """Yield the bills in order of time."""
        for number in range(len(self.history.bills)):
            yield SharedBill(BillCharges(self.history, number, self.supply.sharing), self)

    def shares_of(self, charges: BillCharges) -> Iterator[Shares]:
        """Yield the shares of a bill in order of time."""
        segment = charges.context.billing.segment
        span = segment.segment_start_ms, segment.segment_end_ms
        slots = self.slots.part(slice(*np.searchsorted(self.slots.start_ms, span).tolist()))
        if not len(charges.rows):
            at = next(tree for tree in self.trees if tree.from_ms <= span[0] < tree.until_ms)
            yield without_readings(charges, at)
        meters = {
            meter: Measured(*slots.of_meter(within(data, *span)))
            for meter, data in self.readings.items()
            if len(slots.start_ms)
        }
        yield from shares_of(charges, slots, meters, self.trees)


def rate_supply(supply: Supply, readings: Mapping[str, Intervals], rate: Callable[[Intervals], History]) -> RatedSupply:
    """Rate the load of a supply. `readings`: by meter, of any time. Raises SupplyError, and what `rate` raises."""
    found = trees(supply)
    sources = of_members([m for m in supply.members if m.role in ("main", "part")], readings)
    load = supply_load([sources[meter] for meter in sorted(sources)])
    if not len(load.start_ms):
        names = ", ".join(meter for tree in found for meter in tree.sources)
        raise SupplyError(SupplyFault.NO_MAIN, supply.supply_point, f"there are no readings of {names}")
    history = rate(load)
    members = of_members(supply.members, readings)
    behind = {meter: data for meter, data in members.items() if any(meter in tree.nodes for tree in found)}
    return RatedSupply(supply, found, history, behind)
