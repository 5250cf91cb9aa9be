"""Facts that were understood of a file, in words; and the readings of several files together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from flink_job.imports.clocks import DAY_MS, day_lengths
from flink_job.imports.convert import Imported
from flink_job.imports.frames import MAX_REFUSED, REFUSED, Said
from flink_job.imports.model import FileError
from flink_job.metering.units import BILLED_CHANNELS


def facts(result: Imported) -> dict[str, str]:
    """Return what was understood of a file, by subject."""
    rows = result.rows
    found = dict(result.said)
    if rows.empty:
        return found
    first, last = (str(np.datetime64(int(rows["start_ms"].agg(end)), "ms"))[:16] for end in ("min", "max"))
    meters = rows["meter"].astype(str).unique().tolist()
    found["meters"] = f"{len(meters):,}: {', '.join(meters[:5])}{', ...' if len(meters) > 5 else ''}"
    found["first, last"] = f"{first.replace('T', ' ')} UTC, {last.replace('T', ' ')} UTC"
    for channel, total in rows.groupby("channel", observed=True)["micro"].sum().items():
        if (unit := BILLED_CHANNELS.get(str(channel))) is not None:
            found[f"sum of {channel}"] = f"{total / 1e6:,.6f} {unit}"
    found["gaps"] = _gaps(rows)
    if days := _clock_days(rows, found.get("time zone", "").split(",")[0]):
        found["days on which clocks change"] = days
    return found


def _gaps(rows: pd.DataFrame) -> str:
    """Return the number of missing intervals and the first gap."""
    group = rows.groupby(["meter", "channel"], observed=True).ngroup().to_numpy()
    start, length = rows["start_ms"].to_numpy(), rows["interval_s"].to_numpy() * 1000
    order = np.lexsort((start, group))
    start, length, group = start[order], length[order], group[order]
    free = np.where(np.diff(group) == 0, start[1:] - start[:-1] - length[:-1], 0)
    at = np.flatnonzero(free > 0)
    if not len(at):
        return "none"
    missing = int((free[at] // length[at]).sum())
    since = str(np.datetime64(int(start[at[0]] + length[at[0]]), "ms"))[:16].replace("T", " ")
    return f"{len(at):,}, {missing:,} intervals missing; the first from {since} UTC"


def _clock_days(rows: pd.DataFrame, zone_name: str) -> str:
    """Return the local days of 23 or 25 hours among the readings."""
    try:
        zone = ZoneInfo(zone_name)
    except (KeyError, ValueError, OSError):
        return ""
    local = pd.to_datetime(rows["start_ms"], unit="ms", utc=True).dt.tz_convert(zone).dt.tz_localize(None)
    days = np.unique(local.to_numpy().astype("datetime64[D]").astype("datetime64[ms]").astype(np.int64))
    lengths = day_lengths(days, zone)
    shown = [
        f"{np.datetime64(int(day), 'ms').astype('datetime64[D]')} ({length // 3_600_000} h)"
        for day, length in zip(days, lengths, strict=True)
        if length != DAY_MS
    ]
    return ", ".join(shown)


def combined(results: dict[str, Imported]) -> Any:
    """Return the readings of several files. Raises FileError if two files differ on an interval of a meter."""
    frames = [result.rows.assign(file=name) for name, result in results.items()]
    rows = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    if len(frames) == 1:
        return rows
    rows = rows.drop_duplicates(["meter", "channel", "start_ms", "interval_s", "micro"])
    twice = rows.duplicated(["meter", "channel", "start_ms"])
    if twice.any():
        row = rows[twice].iloc[0]
        raise FileError(f"{row.file}:{row.line}: another file has a different value for this interval of {row.meter}")
    return rows


def said_of(result: Imported) -> Iterator[Said]:
    """Yield what was found out about an export, in parts that a frame can hold."""
    notes = list(result.notes)
    if result.duplicates:
        notes.append(f"{result.duplicates:,} repeated rows count once")
    yield Said(understood=facts(result), notes=notes)
    refused = [(row.line, row.reason, row.text) for row in result.refused]
    for first in range(0, min(len(refused), MAX_REFUSED), REFUSED):
        yield Said(refused=refused[first : first + REFUSED])
    yield Said(more_refused=max(0, len(refused) - MAX_REFUSED))
