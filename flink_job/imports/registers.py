"""Energy of cumulative values: the difference of two reads belongs to the time between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flink_job.imports.model import Refused
from flink_job.metering.reading import MAX_INTERVAL_S


def energy_of_reads(reads: pd.DataFrame, interval_s: int, most_kw: float) -> tuple[pd.DataFrame, list[Refused]]:
    """Return intervals with the energy between reads, and reads that give none.

    `reads` has columns line, meter, channel, start_ms (instant of the read) and micro. A silence is spread over its
    time in intervals of `interval_s`, marked estimated. A falling register, and a step of more than `most_kw`, is no
    energy.
    """
    reads = reads.sort_values(["meter", "channel", "start_ms", "line"], kind="stable")
    reads = reads.drop_duplicates(["meter", "channel", "start_ms", "micro"])
    before = reads.shift(1)
    follows = (reads["meter"] == before["meter"]) & (reads["channel"] == before["channel"])
    steps = reads[follows].assign(
        start_ms=before["start_ms"][follows].astype(np.int64),
        interval_s=((reads["start_ms"] - before["start_ms"])[follows] // 1000).astype(np.int64),
        micro=(reads["micro"] - before["micro"])[follows].astype(np.int64),
    )
    falls = steps["micro"] < 0
    wild = ~falls & (steps["micro"] / 1e6 * 3600 > most_kw * steps["interval_s"])
    refused = [Refused(int(line), "register_falls", "an exchanged or reset register") for line in steps["line"][falls]]
    refused += [
        Refused(int(line), "implausible_step", f"{micro / 1e6:,.6g} kWh, more than {most_kw:,.6g} kW (--max-power-kw)")
        for line, micro in zip(steps["line"][wild], steps["micro"][wild], strict=True)
    ]
    steps = steps[~falls & ~wild & (steps["interval_s"] > 0)]
    silent = steps["interval_s"] > interval_s
    even = silent & (steps["interval_s"] % interval_s == 0)
    odd = silent & ~even & (steps["interval_s"] > MAX_INTERVAL_S)
    refused += [Refused(int(line), "silence", "silence of no whole intervals") for line in steps["line"][odd]]
    spread = [_spread(row, interval_s) for row in steps[even].itertuples()]
    parts = [steps[~even & ~odd], *spread]
    return pd.concat(parts, ignore_index=True).sort_values(["meter", "channel", "start_ms"]), refused


def _spread(row: Any, interval_s: int) -> pd.DataFrame:
    """Return a silence in intervals whose energies differ by at most one unit and add up to its energy."""
    count = row.interval_s // interval_s
    bounds = np.array([row.micro * n // count for n in range(count + 1)], dtype=np.int64)
    return pd.DataFrame(
        {
            "line": row.line,
            "meter": row.meter,
            "channel": row.channel,
            "start_ms": row.start_ms + np.arange(count, dtype=np.int64) * interval_s * 1000,
            "interval_s": interval_s,
            "micro": np.diff(bounds),
            "estimated": True,
        }
    )
