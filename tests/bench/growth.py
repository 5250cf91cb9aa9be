"""Throughput and state by number of meters, and latency under load."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from tests.bench.compare import rows
from tests.bench.data import prepared
from tests.bench.kept import Kept
from tests.bench.run import BenchError, run_flink, run_later

#: The beginning of a run under load, which is not counted.
WARM_SHARE = 0.4


@dataclass(frozen=True)
class Size:
    """A number of meters: throughput (median and spread of `runs`), the state at the end, and the longest
    checkpoint.
    """

    meters: int
    readings: int
    runs: int
    readings_per_s: float
    low: float
    high: float
    state_bytes: int
    checkpoint_s: float

    @property
    def bytes_per_meter(self) -> float:
        return self.state_bytes / self.meters


@dataclass(frozen=True)
class Latency:
    """Seconds from the arrival of a reading at the job until its cost, or its alert, is emitted."""

    load: float
    rate: int
    what: str
    rows: int
    p50_s: float
    p99_s: float


def grow(meters: Sequence[int], kept: Kept, readings: int, runs: int, report: Callable[[str], None]) -> None:
    """The whole path with more and more meters, at least a reading each, in turns. All contracts are read first."""
    kept.forget("growth", lambda record: record["meters"] in meters)
    for turn in range(runs):
        for count in meters:
            data = prepared(kept.work, count, max(readings, count))
            result = run_later("whole", data, kept.work)
            done = sorted(result.checkpoints, key=lambda c: c["id"])
            record = {
                "meters": count,
                "readings": data.readings,
                "readings_per_s": result.readings_per_s,
                "state_bytes": done[-1]["state_size"] if done else 0,
                "checkpoint_s": max((c["end_to_end_duration"] for c in done), default=0) / 1000,
            }
            kept.add("growth", record)
            report(f"{turn + 1}/{runs} {count:,} meters: {result.readings_per_s:,.0f} readings/s")


def capacity(kept: Kept) -> float:
    """Return the measured readings/s of the job with alert rules. Raises BenchError if it has not been measured."""
    found = rows(kept, ["alerts"])
    if not found:
        raise BenchError("latency is measured at parts of what the program 'alerts' reads: run that first")
    return found[0].readings_per_s


def wait(capacity_per_s: float, kept: Kept, meters: int, seconds: int, report: Callable[[str], None]) -> None:
    """Latency at a quarter, a half and three quarters of `capacity_per_s` readings a second, alert rules on."""
    kept.forget("latency")
    for load in (0.25, 0.5, 0.75):
        rate = int(capacity_per_s * load)
        data = prepared(kept.work, meters, rate * seconds)
        out = kept.work / "latency"
        shutil.rmtree(out, ignore_errors=True)
        run_flink("latency", data, kept.work, rate=rate)
        for what in ("costs", "alerts"):
            latency = Latency(load, rate, what, *_quantiles(out / what))
            kept.add("latency", asdict(latency))
            report(f"{load:.0%} load: p99 {latency.p99_s:.2f} s to {what}")


def sizes(kept: Kept) -> list[Size]:
    """Return the results of growth, small to large."""
    return [_size(meters, found) for meters, found in sorted(kept.grouped("growth", "meters").items())]


def latencies(kept: Kept) -> list[Latency]:
    """Return the results of latency."""
    return [Latency(**record) for record in kept.of("latency")]


def _size(meters: int, found: Sequence[dict[str, Any]]) -> Size:
    rates = [record["readings_per_s"] for record in found]
    return Size(
        meters,
        found[0]["readings"],
        len(found),
        statistics.median(rates),
        min(rates),
        max(rates),
        max(record["state_bytes"] for record in found),
        max(record["checkpoint_s"] for record in found),
    )


def _quantiles(folder: Path) -> tuple[int, float, float]:
    """(rows, p50, p99) in seconds, of the run without its beginning."""
    files = [str(path) for path in folder.rglob("*") if path.is_file()]
    if not files:
        return 0, float("nan"), float("nan")
    sql = f"""
        WITH noted AS (
          SELECT arrival, epoch_ms(done) - epoch_ms(arrival) AS ms
          FROM read_csv({files!r}, columns = {{'arrival': 'TIMESTAMP', 'done': 'TIMESTAMP'}}, header = false)
        ), span AS (SELECT MIN(arrival) AS low, MAX(arrival) AS high FROM noted)
        SELECT COUNT(*), quantile_cont(ms, 0.5) / 1000, quantile_cont(ms, 0.99) / 1000
        FROM noted, span WHERE arrival > low + (high - low) * {WARM_SHARE}
    """
    rows, p50, p99 = duckdb.sql(sql).fetchall()[0]
    return rows, float(p50 or "nan"), float(p99 or "nan")
