"""Generator of the page of results, docs/results/bench.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tests.bench.compare import MAIN, ONCE, Row, rows
from tests.bench.goals import goals
from tests.bench.growth import Latency, Size, latencies, sizes
from tests.bench.kept import Kept


def page(when: datetime, meters: int, kept: Kept) -> str:
    """Return the page for a number of meters as Markdown."""
    parts = [
        "# Benchmark",
        "",
        f"{when:%Y-%m-%d}; {machine()}; Flink 1.20.5, Python {platform.python_version()}. Made by `make bench`.",
        "",
        f"{meters:,} meters, readings of a quarter hour, 1 % hours late, 1 % duplicates; time of use, tiers and demand",
        "charges. RocksDB with incremental checkpoints every 60 s, except rows with heap. A rate is readings per",
        "second between 25 % and 98 % of the input: start and warm-up are excluded. Programs ran in turns; a",
        "ratio is the median of the ratios within a turn. How to read it: [performance](../why/performance.md).",
        "",
        *_section("Side by side", _table(rows(kept, MAIN))),
        *_section("Stages, heap, parallelism", _table(rows(kept, ONCE))),
        *_section("Growth of the whole path", _sizes(sizes(kept))),
        *_section("From arrival to cost and to alert", _latencies(latencies(kept))),
        *_section("Goals", goals(kept)),
    ]
    return "\n".join(parts)


def machine() -> str:
    """Return the machine as text."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores ({model})"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    """Return a heading and its lines, or nothing if the table has no rows."""
    return [f"## {title}", "", *lines, ""] if len(lines) > 2 else []


def _table(found: Sequence[Row]) -> list[str]:
    lines = [
        "| program | what it is | readings | runs | readings/s | spread | of the plain bound | CPU per reading "
        "| start | Python | JVM |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in found:
        ratio = "" if r.to_bound is None else f"{r.to_bound:.2f}"
        lines.append(
            f"| {r.name} | {r.doc} | {r.readings:,} | {r.runs} | {r.readings_per_s:,.0f} | {_spread(r)} | {ratio} | "
            f"{r.cpu_us:,.0f} µs | {r.start_s:.0f} s | {_mib(r.python_mib)} | {_mib(r.jvm_mib)} |"
        )
    return lines


def _spread(measured: Row | Size) -> str:
    return "" if measured.runs == 1 else f"{measured.low:,.0f} to {measured.high:,.0f}"


def _mib(mib: int) -> str:
    return f"{mib:,} MiB" if mib else ""


def _sizes(found: Sequence[Size]) -> list[str]:
    lines = [
        "| meters | readings | runs | readings/s | spread | state | per meter | longest checkpoint |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for s in found:
        lines.append(
            f"| {s.meters:,} | {s.readings:,} | {s.runs} | {s.readings_per_s:,.0f} | {_spread(s)} | "
            f"{s.state_bytes / 1e6:,.0f} MB | {s.bytes_per_meter:,.0f} B | {s.checkpoint_s:.1f} s |"
        )
    return lines


def _latencies(waits: Sequence[Latency]) -> list[str]:
    lines = ["| load | readings/s | to | rows | p50 | p99 |", "| ---: | ---: | --- | ---: | ---: | ---: |"]
    lines += [
        f"| {w.load:.0%} | {w.rate:,} | {w.what} | {w.rows:,} | {w.p50_s:.2f} s | {w.p99_s:.2f} s |" for w in waits
    ]
    return lines
