"""Plausibility of the readings of a file: registers, repeats, overlaps, gaps, spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flink_job.imports.model import Refused
from flink_job.imports.registers import energy_of_reads
from flink_job.imports.spacing import check_stated, overlaps
from flink_job.metering.bounds import EARLIEST_MS
from flink_job.metering.reading import MAX_INTERVAL_S
from flink_job.metering.units import BILLED_CHANNELS

if TYPE_CHECKING:
    from flink_job.imports.convert import Imported
    from flink_job.imports.rows import Rows

_KEY = ["meter", "channel", "start_ms"]
#: Number of values from which a column that never falls is taken for a possible register.
_RISING = 12
#: Latest year of a reading.
_LATEST = pd.Timestamp("2100-01-01").value // 1_000_000


def checked(rows: Rows, frame: pd.DataFrame, base_s: int, kinds: dict[str, str], most_kw: float) -> Imported:
    """Return readings without what is no reading. Raises UndecidedError if the file can be read in two ways."""
    from flink_job.imports.convert import Imported

    refused = rows.refused
    frame = _in_time(frame, refused)
    for name in ("meter", "channel"):
        if frame[name].dtype != "category":
            frame[name] = frame[name].astype("category")
    _ask_registers(frame, rows)
    rows.questions.require()
    registers = frame["kind"] == "register"
    parts = [frame[~registers]]
    notes: list[str] = []
    if registers.any():
        found, more = energy_of_reads(_begun(frame[registers], notes), base_s, most_kw)
        refused += more
        parts.append(found)
        rows.said["values"] = "cumulative register: the energy is the difference of two reads"
    frame = pd.concat(parts, ignore_index=True) if registers.any() else parts[0]
    frame, duplicates = _once(_signed(frame), refused)
    frame = _used(_plausible(frame, refused, most_kw), notes)
    group = frame.groupby(["meter", "channel"], observed=True).ngroup().to_numpy()
    start, interval = frame["start_ms"].to_numpy(), frame["interval_s"].to_numpy()
    if base_s != rows.ends_s:
        check_stated(start, interval, group, rows.questions)
    if len(crossed := overlaps(start, interval, group)):
        line = int(frame["line"].iloc[crossed[0]])
        rows.questions.ask(
            f"line {line}: its interval overlaps the next ({len(crossed):,} such rows)",
            "remove totals beside their parts, or state the right --interval",
        )
    rows.questions.require()
    estimated = int(frame["estimated"].eq(True).sum())
    if estimated:
        notes.append(f"{estimated:,} intervals of silences of registers are estimated, spread by time")
    frame = frame.drop(columns=["kind", "from_zero"])
    frame = frame.sort_values(["meter", "start_ms", "channel"], kind="stable", ignore_index=True)
    return Imported(frame, sorted(refused, key=lambda row: row.line), rows.said, notes, duplicates)


def _in_time(frame: pd.DataFrame, refused: list[Refused]) -> pd.DataFrame:
    """Drop rows of years that no meter has: mistakes with epoch seconds and milliseconds."""
    wrong = ((frame["start_ms"] < EARLIEST_MS) | (frame["start_ms"] > _LATEST)).to_numpy()
    for line, ms in zip(frame["line"][wrong], frame["start_ms"][wrong], strict=True):
        year = pd.Timestamp(int(ms), unit="ms").year if abs(ms) < 9e15 else "unknown"
        refused.append(Refused(int(line), "implausible_time", f"year {year}: seconds and milliseconds mixed up?"))
    long = ((frame["interval_s"] > MAX_INTERVAL_S) & (frame["kind"] != "register")).to_numpy()
    refused += [Refused(int(line), "bad_interval", "longer than 25 h") for line in frame["line"][long & ~wrong]]
    return frame[~wrong & ~long].copy()


def _ask_registers(frame: pd.DataFrame, rows: Rows) -> None:
    """Ask about energies that never fall: they are probably reads of a register."""
    unknown = frame[(frame["kind"] == "unknown") & frame["channel"].isin(list(BILLED_CHANNELS))]
    for (meter, channel), own in unknown.groupby(["meter", "channel"], observed=True):
        values = own.sort_values(["start_ms", "line"])["micro"].to_numpy()
        steps = np.diff(values)
        rises = len(values) >= _RISING and steps.min() >= 0 and (steps > 0).sum() >= _RISING // 2
        mostly = len(values) >= 4 * _RISING and (steps >= 0).mean() > 0.97 and values.max() > 0
        if rises or mostly:
            rows.questions.ask(
                f"values of meter {meter}, {channel} only rise: a cumulative register, or energy per interval",
                "--kind register or --kind interval",
            )
            return


def _begun(reads: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Add the zero before the first read of a register that began in the file (sums of statistics)."""
    begun = reads[reads["from_zero"].astype(bool)]
    added = []
    for _, own in begun.groupby(["meter", "channel"], observed=True):
        own = own.sort_values("start_ms")
        first, steps = own.iloc[:1], own["micro"].diff()
        if 0 < int(first["micro"].iloc[0]) <= int(steps.max() if len(own) > 1 else 0):
            added.append(first.assign(start_ms=first["start_ms"] - first["interval_s"] * 1000, micro=0))
            notes.append("the sum began with the first row: it is the energy of its interval")
        else:
            notes.append("the first row has no energy: the sum before it is not in the file")
    return pd.concat([*added, reads], ignore_index=True) if added else reads


def _signed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return negative energy as energy of the opposite channel."""
    pairs = {"import": "export", "export": "import", "reactive_import": "reactive_export"}
    pairs["reactive_export"] = "reactive_import"
    negative = (frame["micro"] < 0) & frame["channel"].isin(list(BILLED_CHANNELS))
    if negative.any():
        channel = frame["channel"].astype(str)
        frame = frame.assign(channel=channel.where(~negative, channel.map(pairs)).astype("category"))
        frame.loc[negative, "micro"] = -frame.loc[negative, "micro"]
    return frame


def _once(frame: pd.DataFrame, refused: list[Refused]) -> tuple[pd.DataFrame, int]:
    """Drop repeated rows; another value for a known interval is refused."""
    same = frame.duplicated([*_KEY, "interval_s", "micro"])
    frame = frame[~same]
    other = frame.duplicated(_KEY)
    refused += [
        Refused(int(line), "second_value", "another row has a different value for this interval")
        for line in frame["line"][other]
    ]
    return frame[~other], int(same.sum())


def _plausible(frame: pd.DataFrame, refused: list[Refused], most_kw: float) -> pd.DataFrame:
    """Drop energy that would need more than the highest power."""
    billed: Any = frame["channel"].isin(list(BILLED_CHANNELS))
    wild = billed & (frame["micro"] / 1e6 * 3600 > most_kw * frame["interval_s"])
    refused += [
        Refused(
            int(line), "implausible_energy", f"{micro / 1e6:,.6g} kWh, more than {most_kw:,.6g} kW (--max-power-kw)"
        )
        for line, micro in zip(frame["line"][wild], frame["micro"][wild], strict=True)
    ]
    return frame[~wild]


def _used(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Drop channels other than import that are zero throughout the file."""
    totals = frame.groupby("channel", observed=True)["micro"].max()
    unused = [str(name) for name, most in totals.items() if most == 0 and name in BILLED_CHANNELS and name != "import"]
    if not unused or len(unused) == len(totals):
        return frame
    notes.append(f"{', '.join(unused)} is 0 throughout and was left out")
    return frame[~frame["channel"].isin(unused)]
