"""Interval energy from the reads of a cumulative register, in order of time: the exact form for settlement.

The stream computes differences in order of arrival (flink_job/dataflow/sql): the sums are equal, but the energy may be
attributed to other intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from flink_job.metering.packing import unpack


class RegisterRead(NamedTuple):
    """A register value packed with its revision [1e-6 kWh], and its roll-over value [1e-6 kWh] or None."""

    packed: int
    rollover_ukwh: int | None


def keep_newest(reads: dict[int, RegisterRead], start_ms: int, read: RegisterRead) -> None:
    """Add a read to `reads`: of several at one instant, the highest revision wins, then the highest value."""
    known = reads.get(start_ms)
    if known is None or known.packed < read.packed:
        reads[start_ms] = read


def register_energy(reads: Mapping[int, RegisterRead]) -> Iterator[tuple[int, int]]:
    """Yield (start [epoch ms], energy since the previous read [1e-6 kWh]) in order of time; 0 for the first read.

    A decrease by more than half the roll-over value is a roll-over. After a smaller one, such as a correction, energy
    is counted from the highest value.
    """
    highest: int | None = None
    for start_ms in sorted(reads):
        packed, rollover = reads[start_ms]
        total = unpack(packed)[1]
        if highest is None:
            highest = total
        if rollover:
            total += (highest // rollover) * rollover
            if total < highest - rollover // 2:
                total += rollover
        yield start_ms, max(0, total - highest)
        highest = max(highest, total)
