"""`make bench`: this job beside plain SQL, a naive program and peers (`python -m tests.bench --help`)."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flink_job.dataflow.environment import PROJECT
from tests.bench.compare import MAIN, ONCE, PEERS_PYTHON, PROGRAMS, measure
from tests.bench.growth import capacity, grow, wait
from tests.bench.kept import Kept
from tests.bench.report import page
from tests.bench.run import BenchError

WORK = PROJECT / "build" / "bench"
RESULTS = PROJECT / "docs" / "results" / "bench.md"
PARTS = ("compare", "once", "growth", "latency")
console = Console(highlight=False)


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Programs: {', '.join(PROGRAMS)}; all without.")] = None,
    readings: Annotated[int, typer.Option(help="Readings of the input.")] = 2_000_000,
    meters: Annotated[int, typer.Option(help="Meters of the input.")] = 10_000,
    runs: Annotated[int, typer.Option(help="Runs of each of the main programs; the others run once.")] = 5,
    parts: Annotated[str, typer.Option(help="Parts to measure.")] = ",".join(PARTS),
    growth_meters: Annotated[str, typer.Option(help="Numbers of meters.")] = "1000,10000,100000,1000000",
    growth_runs: Annotated[int, typer.Option(help="Runs with each number of meters.")] = 3,
    latency_s: Annotated[int, typer.Option(help="Seconds of steady load for each latency.")] = 90,
    work: Annotated[Path, typer.Option(help="Folder for inputs and results.")] = WORK,
    write: Annotated[bool, typer.Option(help="Write docs/results/bench.md.")] = False,
) -> None:  # fmt: skip
    """Measure throughput, growth and latency, as ratios within one machine. Two million readings take hours: begin with
    `--readings 300000 --runs 2`. Every result is stored under `--work` and the page is generated from them, so parts
    can be measured one after the other; `--parts page` measures nothing.
    """
    work.mkdir(parents=True, exist_ok=True)
    kept, wanted = Kept(work), set(parts.split(","))
    chosen = names or list(PROGRAMS)
    try:
        if not PEERS_PYTHON.exists():
            raise BenchError(f"{PEERS_PYTHON} is missing: run 'make bench'")
        if "compare" in wanted:
            measure([n for n in MAIN if n in chosen], kept, meters, readings, runs, _report)
        if "once" in wanted:
            measure([n for n in ONCE if n in chosen], kept, meters, readings, 1, _report)
        if "growth" in wanted:
            grow([int(count) for count in growth_meters.split(",")], kept, readings, growth_runs, _report)
        if "latency" in wanted:
            wait(capacity(kept), kept, meters, latency_s, _report)
    except BenchError as error:
        console.print(str(error))
        raise typer.Exit(1) from None
    text = page(datetime.now(UTC), meters, kept)
    (work / "bench.md").write_text(text, encoding="utf-8")
    console.print(text, markup=False, soft_wrap=True)
    if write:
        RESULTS.write_text(text, encoding="utf-8")


def _report(text: str) -> None:
    console.print(f"{datetime.now():%H:%M:%S} {text}")


if __name__ == "__main__":
    sys.exit(typer.run(main))
