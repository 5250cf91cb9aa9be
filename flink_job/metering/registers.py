"""Energy from the reads of a cumulative register, placed exactly: what the batch layer does once all have come.

The stream takes the differences in order of arrival (flink_job/dataflow/sql); sums are the same, places may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from flink_job.metering.packing import unpack


class RegisterRead(NamedTuple):
    """What a dial showed: `revision << 50 | 1e-6 kWh`, and where it begins anew [1e-6 kWh], None for never."""

    packed: int
    rollover_ukwh: int | None


def keep_newest(reads: dict[int, RegisterRead], start_ms: int, read: RegisterRead) -> None:
    """Of several reads of one instant the highest revision counts, of one revision the highest value."""
    known = reads.get(start_ms)
    if known is None or known.packed < read.packed:
        reads[start_ms] = read


def register_energy(reads: Mapping[int, RegisterRead]) -> Iterator[tuple[int, int]]:
    """(start [epoch ms], energy since the read before [1e-6 kWh]) in order of time; the first read only sets the dial.

    A fall by more than half the dial is a roll-over; a smaller one, as after a correction, counts from the highest.
    """
    highest: int | None = None
    for start_ms in sorted(reads):
        packed, dial = reads[start_ms]
        total = unpack(packed)[1]
        if highest is None:
            highest = total
        if dial:
            total += (highest // dial) * dial
            if total < highest - dial // 2:
                total += dial
        yield start_ms, max(0, total - highest)
        highest = max(highest, total)
