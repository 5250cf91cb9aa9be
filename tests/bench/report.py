"""The page of results: docs/results/bench.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tests.bench.compare import Row
from tests.bench.growth import Latency, Size

GOALS = {
    "whole path / SQL-only bound": 1.0,
    "whole path / naive way": 10.0,
    "1e6 meters / 1e4 meters": 0.7,
}


def page(
    when: datetime,
    size: tuple[int, int],
    rows: Sequence[Row],
    once: Sequence[Row],
    sizes: Sequence[Size],
    waits: Sequence[Latency],
) -> str:
    """Markdown of what was measured; `size` is (meters, readings)."""
    meters, readings = size
    parts = [
        "# The benchmark's figures",
        "",
        f"{when:%Y-%m-%d}; {machine()}; Flink 1.20.5, Python {platform.python_version()}. Made by `make bench`.",
        "",
        f"{meters:,} meters, {readings:,} readings of a quarter hour, 1 % hours late, 1 % repeated; time of use, tiers",
        "and demand charges. RocksDB with incremental checkpoints every 60 s unless it says heap. A rate is what is",
        "read a second between 25 % and 98 % of the input: start and warm-up do not count. Programs ran in turns, one",
        "at a time; a ratio is the median of the ratios within a turn. How to read them: docs/performance.md.",
        "",
        "## Side by side",
        "",
        *_table(rows),
        "",
    ]
    if once:
        parts += ["## Stages, heap, parallelism", "", *_table(once), ""]
    if sizes:
        parts += ["## Growth of the whole path", "", *_sizes(sizes), ""]
    if waits:
        parts += ["## From arrival to cost and to alert", "", *_latencies(waits), ""]
    return "\n".join([*parts, "## Goals", "", *_goals(rows, sizes, waits), ""])


def machine() -> str:
    """The machine in words."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model})"


def _table(rows: Sequence[Row]) -> list[str]:
    lines = [
        "| program | what it is | readings/s | spread | runs | of the bound | CPU per reading | start | Python | JVM |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in rows:
        ratio = "" if r.to_bound is None else f"{r.to_bound:.2f}"
        lines.append(
            f"| {r.name} | {r.doc} | {r.readings_per_s:,.0f} | {r.low:,.0f}-{r.high:,.0f} | {r.runs} | {ratio} | "
            f"{r.cpu_us:,.0f} µs | {r.start_s:.0f} s | {r.python_mib:,} MiB | {r.jvm_mib:,} MiB |"
        )
    return lines


def _sizes(sizes: Sequence[Size]) -> list[str]:
    lines = [
        "| meters | readings | readings/s | state | per meter | checkpoint |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for s in sizes:
        lines.append(
            f"| {s.meters:,} | {s.readings:,} | {s.readings_per_s:,.0f} | {s.state_bytes / 1e6:,.0f} MB | "
            f"{s.bytes_per_meter:,.0f} B | {s.checkpoint_s:.1f} s |"
        )
    return lines


def _latencies(waits: Sequence[Latency]) -> list[str]:
    lines = ["| load | readings/s | to | rows | p50 | p99 |", "| ---: | ---: | --- | ---: | ---: | ---: |"]
    lines += [
        f"| {w.load:.0%} | {w.rate:,} | {w.what} | {w.rows:,} | {w.p50_s:.2f} s | {w.p99_s:.2f} s |" for w in waits
    ]
    return lines


def _goals(rows: Sequence[Row], sizes: Sequence[Size], waits: Sequence[Latency]) -> list[str]:
    rates = {row.name: row.readings_per_s for row in rows}
    by_meters = {s.meters: s.readings_per_s for s in sizes}
    found = {
        "whole path / SQL-only bound": next((r.to_bound for r in rows if r.name == "whole"), None),
        "whole path / naive way": _ratio(rates.get("whole"), rates.get("naive")),
        "1e6 meters / 1e4 meters": _ratio(by_meters.get(1_000_000), by_meters.get(10_000)),
    }
    lines = ["| goal | wanted | found | |", "| --- | ---: | ---: | --- |"]
    for goal, wanted in GOALS.items():
        value = found[goal]
        lines.append(
            f"| {goal} | >= {wanted} | {'not measured' if value is None else f'{value:.2f}'} | {_met(value, wanted)} |"
        )
    peer = _ratio(rates.get("whole"), rates.get("bytewax"))
    shown = "not measured" if peer is None else f"{peer:.2f}"
    lines.append(f"| whole path / Bytewax | > 1 | {shown} | {_met(peer, 1.0)} |")
    half = next((w.p99_s for w in waits if w.load == 0.5 and w.what == "costs"), None)
    shown = "not measured" if half is None else f"{half:.2f} s"
    lines.append(f"| p99 to cost at 50 % load | < 2 s | {shown} | {'' if half is None else _word(half < 2)} |")
    return lines


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one / other


def _met(value: float | None, wanted: float) -> str:
    return "" if value is None else _word(value >= wanted)


def _word(met: bool) -> str:
    return "met" if met else "**missed**"
