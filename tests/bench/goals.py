"""Goals of the benchmark, and whether they are met."""

from __future__ import annotations

from tests.bench.compare import BOUND, ratio
from tests.bench.growth import latencies
from tests.bench.kept import Kept

#: Goal, program, the program it is compared with, required ratio.
RATIOS = (
    ("whole path / SQL only, written plainly", "whole", BOUND, 1.0),
    ("whole path / naive program, in Flink's default mode", "whole", "naive-process", 10.0),
    ("whole path / naive program, in threads", "whole", "naive", 10.0),
    ("whole path / Bytewax", "whole", "bytewax", 1.0),
)
GROWTH_RATIO, P99_S, HALF = 0.7, 2.0, 0.5


def goals(kept: Kept) -> list[str]:
    """Return a table of goals with the required and the measured value."""
    lines = ["| goal | wanted | found | |", "| --- | ---: | ---: | --- |"]
    runs = kept.grouped("runs", "program")
    for goal, one, other, wanted in RATIOS:
        lines.append(_line(goal, f">= {wanted:g}", ratio(runs[one], runs[other]), wanted))
    grown = kept.grouped("growth", "meters")
    lines.append(
        _line("1e6 meters / 1e4 meters", f">= {GROWTH_RATIO:g}", ratio(grown[1_000_000], grown[10_000]), GROWTH_RATIO)
    )
    p99_s = next((w.p99_s for w in latencies(kept) if w.load == HALF and w.what == "costs"), None)
    shown, word = ("not measured", "") if p99_s is None else (f"{p99_s:.2f} s", _word(p99_s < P99_S))
    lines.append(f"| p99 to cost at 50 % load | < {P99_S:g} s | {shown} | {word} |")
    return lines


def _line(goal: str, wanted: str, found: float | None, least: float) -> str:
    shown, word = ("not measured", "") if found is None else (f"{found:.2f}", _word(found >= least))
    return f"| {goal} | {wanted} | {shown} | {word} |"


def _word(met: bool) -> str:
    return "met" if met else "**missed**"
