"""Energy of cumulative values in files, by the rule of the stream: see flink_job.metering.registers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from flink_job.imports.model import Refused
from flink_job.metering.registers import LEAST_S, SILENCE_MS, RegisterRead, Share, Step, register_steps, shares

#: Longest time between reads that is compared in 64 bits [ms].
_LONG_MS = 1_000_000_000


def energy_of_reads(reads: pd.DataFrame, interval_s: int, most_kw: float) -> tuple[pd.DataFrame, list[Refused]]:
    """Return intervals with the energy between reads, and reads that give none.

    `reads` has columns line, meter, channel, start_ms (instant of the read) and micro. A silence is spread over its
    time in intervals of `interval_s`, marked estimated. An exchanged register, and a step of more than `most_kw`, has
    no energy; of several values at one instant the highest counts.
    """
    reads = reads.sort_values(["meter", "channel", "start_ms", "micro"], kind="stable")
    reads = reads.drop_duplicates(["meter", "channel", "start_ms", "micro"])
    other = reads.duplicated(["meter", "channel", "start_ms"], keep="last")
    refused = [Refused(int(line), "second_value", "a higher read has the same time") for line in reads["line"][other]]
    parts = []
    for (meter, channel), own in reads[~other].groupby(["meter", "channel"], observed=True):
        part = _of_register(own, interval_s, round(most_kw * 1_000_000), refused)
        parts.append(part.assign(meter=meter, channel=channel))
    found = pd.concat(parts, ignore_index=True)
    for name in ("meter", "channel"):
        found[name] = found[name].astype(reads[name].dtype)
    return found, refused


def _of_register(own: pd.DataFrame, interval_s: int, most_uw: int, refused: list[Refused]) -> pd.DataFrame:
    """Return the intervals of one register, and add reads without energy to `refused`."""
    at, micro, lines = (own[name].to_numpy() for name in ("start_ms", "micro", "line"))
    length, rise = np.diff(at), np.diff(micro)
    if len(at) > 1 and length.max() < _LONG_MS and (rise >= 0).all():
        # The rule without its exceptions: each read continues the one before it.
        limit = most_uw * np.maximum(LEAST_S, length // 1000) // 3600
        if (rise <= limit).all() and not _is_silent(length, interval_s).any():
            columns = {"start_ms": at[:-1], "interval_s": length // 1000, "micro": rise, "line": lines[1:]}
            return pd.DataFrame(columns).assign(estimated=False)
    values = dict(zip(at.tolist(), micro.tolist(), strict=True))
    line_of = dict(zip(at.tolist(), lines.tolist(), strict=True))
    rows: list[tuple[int, int, int, int, bool]] = []
    for step in _steps(values, interval_s, most_uw):
        line = line_of[step.start_ms]
        if step.is_implausible:
            refused.append(_refusal(step.start_ms, line, values, most_uw))
        elif step.since_ms is not None:
            # A step back to an older read includes the time of values that have not risen since: they have no energy.
            while rows and rows[-1][0] >= step.since_ms:
                rows.pop()
            parts = list(_placed(step, interval_s))
            rows += [(part.start_ms, part.interval_s, part.ukwh, line, len(parts) > 1) for part in parts]
    found = pd.DataFrame(rows, columns=["start_ms", "interval_s", "micro", "line", "estimated"])
    return found.astype(dict.fromkeys(("start_ms", "interval_s", "micro", "line"), np.int64))


def _steps(values: dict[int, int], interval_s: int, most_uw: int) -> list[Step]:
    """Return the steps between reads, by their instants; a negative value is compared like any other."""
    lowest = min(0, min(values.values()))
    reads = {at: RegisterRead(value - lowest, None, interval_s) for at, value in values.items()}
    return register_steps(reads, most_uw)


def _is_silent(length_ms: Any, interval_s: int) -> Any:
    """Whether times between reads are silences, as `is_silence` of the rule has it for equal intervals."""
    return (length_ms > SILENCE_MS) & (length_ms >= 2000 * interval_s)


def _placed(step: Step, interval_s: int) -> Iterator[Share]:
    """Yield the energy of a step: in the time between its reads, or in the intervals of a silence."""
    assert step.since_ms is not None
    if not _is_silent(step.start_ms - step.since_ms, interval_s):
        yield Share(step.since_ms, (step.start_ms - step.since_ms) // 1000, step.ukwh, True)
        return
    # The rule has reads at the ends of their intervals.
    own_ms = interval_s * 1000
    begin, end = step.since_ms - own_ms, step.start_ms - own_ms
    reads = {at: RegisterRead(0, None, interval_s) for at in (begin, end)}
    grid = pairwise(range(step.since_ms, end + 1, own_ms))
    yield from shares(Step(end, begin, step.ukwh), reads, grid)


def _refusal(at: int, line: int, values: dict[int, int], most_uw: int) -> Refused:
    before = max(other for other in values if other < at)
    rise = values[at] - values[before]
    if rise < 0:
        return Refused(line, "register_falls", "an exchanged or reset register, or a wrong value")
    text = f"{rise / 1e6:,.6g} kWh, more than {most_uw / 1e6:,.6g} kW (--max-power-kw), or a wrong value"
    return Refused(line, "implausible_step", text)
