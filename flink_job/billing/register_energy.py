"""Energy of the registers of one meter by interval; that of a silence is spread over its time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from flink_job.metering.registers import RegisterRead, Step, register_steps, shares
from flink_job.tariffs.history import Intervals


class Register(NamedTuple):
    """The reads of a register by start [epoch ms], and its steps in order of time."""

    reads: Mapping[int, RegisterRead]
    steps: Sequence[Step]

    @staticmethod
    def of(reads: Mapping[int, RegisterRead], most_uw: int) -> Register:
        """Return a register with the steps that a meter of this highest power [1e-6 kW] can measure."""
        return Register(reads, register_steps(reads, most_uw))


@dataclass
class Placed:
    """Energy by interval: length [s] and energy [1e-6 kWh] by start [epoch ms].

    `estimated`: number of intervals with a share of a silence. `implausible`: number of reads without energy because
    their step is implausible.
    """

    found: dict[int, list[int]] = field(default_factory=dict)
    estimated: int = 0
    implausible: int = 0

    def add(self, start_ms: int, interval_s: int, ukwh: int) -> None:
        """Add energy to an interval."""
        row = self.found.setdefault(start_ms, [interval_s, 0])
        row[0] = max(row[0], interval_s)
        row[1] += ukwh


def place_energy(registers: Iterable[Register], known: Mapping[int, int]) -> Placed:
    """Return the energy of the registers of a meter; `known` has the length [s] of its readings by start [epoch ms]."""
    placed = Placed()
    lengths = dict(known)
    for reads, steps in registers:
        starts = sorted(lengths)
        for step in steps:
            placed.implausible += step.is_implausible
            since_ms = step.start_ms if step.since_ms is None else step.since_ms
            inside = starts[bisect_left(starts, since_ms) : bisect_left(starts, step.start_ms)]
            parts = list(shares(step, reads, ((at, at + lengths[at] * 1000) for at in inside)))
            for share in parts:
                placed.add(share.start_ms, share.interval_s, share.ukwh)
                lengths.setdefault(share.start_ms, share.interval_s)
            placed.estimated += len(parts) * (len(parts) > 1 and step.ukwh > 0)
    return placed


def with_registers(data: Intervals, placed: Placed) -> Intervals:
    """Return the intervals of a meter with the energy of its registers added."""
    starts = np.array(sorted(placed.found), dtype=np.int64)
    known = {int(start): row for row, start in enumerate(data.start_ms)}
    new = np.array([start for start in starts.tolist() if start not in known], dtype=np.int64)
    length = np.array([placed.found[start][0] * 1000 for start in new.tolist()], dtype=np.int64)
    none = np.zeros(len(new), dtype=np.int64)
    added = Intervals(new, length, none, none, none, none)
    names = Intervals.__dataclass_fields__
    both = {name: np.append(getattr(data, name), getattr(added, name)) for name in names}
    order = np.argsort(both["start_ms"], kind="stable")
    sorted_ = {name: values[order] for name, values in both.items()}
    at = np.searchsorted(sorted_["start_ms"], starts)
    sorted_["import_ukwh"][at] += np.array([placed.found[start][1] for start in starts.tolist()], dtype=np.int64)
    return Intervals(**sorted_)
