"""The shares of meters in the bill of their supply point: exact, by interval and by charge.

A submeter's share includes that of the meters behind it, which are then taken out of it: so what happens behind a meter
changes nothing beside it or above it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.local_days import local_days
from flink_job.metering.zones import Zone
from flink_job.supplies.apportion import Array, apportion
from flink_job.supplies.charges import ORDER, BillCharges
from flink_job.supplies.load import Slots
from flink_job.supplies.tree import TOP, Tree

_IMPORT, _EXPORT, _REACTIVE = range(3)
#: Meters times slots that are shared at a time, in some twenty arrays.
_CELLS = 4_000_000
#: Quantity by which each line is shared within an interval; the others are shared by charges.
_QUANTITY = {"energy": _IMPORT, "demand": _IMPORT, "fixed": _IMPORT, "export": _EXPORT, "reactive": _REACTIVE}


@dataclass(frozen=True)
class Measured:
    """Energy of a meter by slot of its supply, shape (3, n), and the number of its readings in each, shape (n,)."""

    energy: Array
    counts: Array

    def part(self, slots: slice) -> Measured:
        """Return some of the slots."""
        return Measured(self.energy[:, slots], self.counts[slots])


@dataclass(frozen=True)
class Shares:
    """The shares of meters in a bill, by slot, of some days; the tree does not change within them.

    Arrays have a row for each of `tree.nodes`, and a last row for the rest. `net_ukwh`: what a meter measured less what
    those directly behind it did [1e-6 kWh]; it is negative if these measured more. `amounts`: by line [1e-6 currency].
    `has_row`: whether there is anything to report.
    """

    tree: Tree
    slots: Slots
    net_ukwh: Array
    amounts: Mapping[str, Array]
    has_row: NDArray[np.bool_]


def shares_of(
    charges: BillCharges, slots: Slots, meters: Mapping[str, Measured], trees: list[Tree]
) -> Iterator[Shares]:
    """Yield the shares of a bill. `slots`, `meters`: intervals and energies within the bill."""
    index = slots.at(charges.data.start_ms)
    amounts = {line: _by_slot(index, values, len(slots.start_ms)) for line, values in charges.amounts.items()}
    taxes = {line: _by_slot(index, values, len(slots.start_ms)) for line, values in charges.taxes.items()}
    for tree in trees:
        first, last = np.searchsorted(slots.start_ms, (tree.from_ms, tree.until_ms)).tolist()
        for part in _blocks(slots.start_ms, first, last, len(tree.nodes), charges.context.terms.zone):
            inside = {line: values[part] for line, values in amounts.items()}
            taxed = {line: values[part] for line, values in taxes.items()}
            known = {meter: meters[meter].part(part) for meter in tree.nodes if meter in meters}
            yield _shares(tree, slots.part(part), known, inside, taxed)


def _blocks(start_ms: Array, first: int, last: int, meters: int, zone: Zone) -> Iterator[slice]:
    """Yield the slots from `first` to `last` in parts of whole local days that do not need too much memory."""
    if first == last:
        return
    days, _ = local_days(zone.key).days_at(start_ms[first:last])
    begins = first + np.flatnonzero(np.diff(days, prepend=-1))
    begun = first
    for begin, end in pairwise([*begins.tolist(), last]):
        if begin > begun and (end - begun) * meters > _CELLS:
            yield slice(begun, begin)
            begun = begin
    yield slice(begun, last)


def without_readings(charges: BillCharges, tree: Tree) -> Shares:
    """Return the shares of a bill without readings: the rest bears it at its beginning."""
    segment = charges.context.billing.segment
    start = np.array([segment.segment_start_ms], dtype=np.int64)
    none = replace(tree, sources=(), nodes=(), parents=())
    amounts = {line: np.array([[charges.bill.lines[line]]], dtype=np.int64) for line in ORDER}
    slots = Slots(start, start, np.zeros((3, 1), dtype=np.int64))
    return Shares(none, slots, np.zeros((1, 1), dtype=np.int64), amounts, np.ones((1, 1), dtype=bool))


def _shares(
    tree: Tree,
    slots: Slots,
    meters: Mapping[str, Measured],
    amounts: Mapping[str, Array],
    taxes: Mapping[str, Array],
) -> Shares:
    count = len(slots.start_ms)
    gross = np.zeros((3, len(tree.nodes), count), dtype=np.int64)
    has_row = np.zeros((len(tree.nodes) + 1, count), dtype=bool)
    for number, meter in enumerate(tree.nodes):
        if meter in meters:
            gross[:, number] = meters[meter].energy
            has_row[number] = meters[meter].counts > 0
    net = np.concatenate([gross, slots.energy[:, None]], axis=1)
    for parent, children in tree.children.items():
        net[:, parent] -= gross[:, children].sum(axis=1)
    shared: dict[str, Array] = {}
    nothing = np.zeros(net.shape[1:], dtype=np.int64)
    for line in ORDER:
        if line == "tax":
            on_lines = [_in_proportion(tree, amount, np.abs(shared[name])) for name, amount in taxes.items()]
            shared[line] = np.sum([nothing, *on_lines], axis=0)
        elif line not in amounts or not amounts[line].any():
            shared[line] = nothing
        elif line in _QUANTITY:
            own = np.maximum(net[_QUANTITY[line]], 0)
            shared[line] = _divided(tree, amounts[line], own, gross[_QUANTITY[line]])
        else:
            shared[line] = _in_proportion(tree, amounts[line], np.maximum(np.sum(list(shared.values()), axis=0), 0))
    has_row |= (net[_IMPORT] != 0) | np.any([values != 0 for values in shared.values()], axis=0)
    return Shares(tree, slots, net[_IMPORT], shared, has_row)


def _divided(tree: Tree, amounts: Array, own: Array, gross: Array) -> Array:
    """Return amounts by node and rest: divided between the rest and the direct submeters, then behind each of them."""
    found = np.zeros(own.shape, dtype=np.int64)
    found[TOP] = amounts
    for parent in (TOP, *range(len(tree.nodes))):
        children = tree.children.get(parent)
        if children:
            parts = apportion(found[parent], np.concatenate([own[[parent]], gross[children]]))
            found[parent], found[children] = parts[0], parts[1:]
    return found


def _in_proportion(tree: Tree, amounts: Array, weights: Array) -> Array:
    """Return amounts by node and rest, in proportion to their weights."""
    return _divided(tree, amounts, weights, _with_behind(tree, weights))


def _with_behind(tree: Tree, own: Array) -> Array:
    """Return the weight of each node with those behind it."""
    gross = own[:-1].copy()
    for node in reversed(range(len(tree.nodes))):
        if tree.parents[node] != TOP:
            gross[tree.parents[node]] += gross[node]
    return gross


def _by_slot(index: Array, values: Array, count: int) -> Array:
    found = np.zeros(count, dtype=np.int64)
    np.add.at(found, index, values)
    return found
