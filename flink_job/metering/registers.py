"""Energy from the reads of a cumulative register: the one rule of the stream and of the batch layer.

The rule compares the reads of one register in order of time. `RegisterRule` in flink_job/java is its twin for the
stream, which applies it to every order of arrival; both pass tests/unit/metering/registers.txt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from flink_job.metering.packing import unpack

#: A step is compared with the energy of at least this time: a register of few digits moves in jumps [s].
LEAST_S = 900
#: Shortest time without a read that is a silence, if it is at least two intervals [ms]; also the grid of its parts.
SILENCE_MS = 900_000


class RegisterRead(NamedTuple):
    """A register value packed with its revision [1e-6 kWh], its roll-over value [1e-6 kWh] or None, and its interval.

    The register is read at the end of the interval.
    """

    packed: int
    rollover_ukwh: int | None
    interval_s: int = LEAST_S

    @property
    def ukwh(self) -> int:
        """The value without its revision [1e-6 kWh]."""
        return unpack(self.packed)[1]


@dataclass
class Step:
    """The energy of a read [1e-6 kWh], counted from the read that begins at `since_ms`.

    `since_ms` is None if it has none: it is the first of a register, or `is_implausible`.
    """

    start_ms: int
    since_ms: int | None = None
    ukwh: int = 0
    is_implausible: bool = False


class Share(NamedTuple):
    """A part of the energy of a step, by time. `is_read`: it is that of the read's own interval."""

    start_ms: int
    interval_s: int
    ukwh: int
    is_read: bool


def keep_newest(reads: dict[int, RegisterRead], start_ms: int, read: RegisterRead) -> None:
    """Add a read to `reads`: of several at one instant, the highest revision wins, then the highest value."""
    known = reads.get(start_ms)
    if known is None or known.packed < read.packed:
        reads[start_ms] = read


def register_steps(reads: Mapping[int, RegisterRead], most_uw: int) -> list[Step]:
    """Return the steps between reads, given by start [epoch ms], in order of time.

    `most_uw`: highest power that the meter can measure [1e-6 kW]. A step is plausible if the register rises, or falls
    over its roll-over, by no more than that, and by less than half of its size. Otherwise it was exchanged or reset,
    and the first read of the new one has no energy. While the new one has not risen, a read that continues the old one
    with less energy shows that the values between were wrong; a single read is wrong if the next fits only to the one
    before it.
    """
    steps: list[Step] = []
    before = last = old = None  # starts of reads: the last two, and the last before an exchange
    for start_ms in sorted(reads):

        def energy(since_ms: int | None, start_ms: int = start_ms) -> int | None:
            return None if since_ms is None else _rise(reads, since_ms, start_ms, most_uw)

        on, back = energy(last), energy(old)
        if back is not None and (on is None or back <= on):
            steps.append(Step(start_ms, old, back))
            before, old = old, None
        elif on is not None:
            steps.append(Step(start_ms, last, on))
            before, old = last, None if on else old
        elif old is None and (around := energy(before)) is not None:
            steps[-1] = Step(steps[-1].start_ms, is_implausible=True)
            steps.append(Step(start_ms, before, around))
        else:
            steps.append(Step(start_ms, is_implausible=last is not None))
            before, old = None, last
        last = start_ms
    return steps


def _rise(reads: Mapping[int, RegisterRead], since_ms: int, start_ms: int, most_uw: int) -> int | None:
    """Return the energy between two reads [1e-6 kWh], None if it is not plausible."""
    size = reads[start_ms].rollover_ukwh or 0
    rise = reads[start_ms].ukwh - reads[since_ms].ukwh
    if rise < 0:
        rise += size
    if rise < 0 or (size and 2 * rise >= size):
        return None
    return rise if rise <= most_uw * max(LEAST_S, (start_ms - since_ms) // 1000) // 3600 else None


def is_silence(since_ms: int, start_ms: int, interval_s: int) -> bool:
    """Return True if no read came between two for so long that the energy is spread over the time."""
    return start_ms - since_ms > SILENCE_MS and start_ms - since_ms >= 2000 * interval_s


def shares(step: Step, reads: Mapping[int, RegisterRead], known: Iterable[tuple[int, int]] = ()) -> Iterator[Share]:
    """Yield the energy of a step by time: all in the read's interval, or spread evenly over a silence.

    A silence ends with the read's interval. Before that it is divided at quarter hours, and at the intervals `known`
    (start [epoch ms], end) of the meter that lie in it.
    """
    own_s = reads[step.start_ms].interval_s
    if step.since_ms is None or not is_silence(step.since_ms, step.start_ms, own_s):
        yield Share(step.start_ms, own_s, step.ukwh, True)
        return
    begin = step.since_ms + reads[step.since_ms].interval_s * 1000
    end = step.start_ms + own_s * 1000
    cuts = {begin, end, step.start_ms, *range(begin // SILENCE_MS * SILENCE_MS + SILENCE_MS, step.start_ms, SILENCE_MS)}
    for start_ms, end_ms in known:
        if begin <= start_ms and end_ms <= step.start_ms:
            cuts = {cut for cut in cuts if not start_ms < cut < end_ms} | {start_ms, end_ms}
    for start_ms, end_ms in pairwise(sorted(cut for cut in cuts if begin <= cut <= end)):
        ukwh = step.ukwh * (end_ms - begin) // (end - begin) - step.ukwh * (start_ms - begin) // (end - begin)
        yield Share(start_ms, (end_ms - start_ms) // 1000, ukwh, start_ms == step.start_ms)
