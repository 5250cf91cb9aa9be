"""`python -m tests.chaos`: inject faults and say what held. Ends with code 1 where something did not."""

from __future__ import annotations

import platform
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.chaos.faults import FAULTS
from tests.chaos.run import Outcome, run, sample

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results" / "chaos.md"
console = Console(highlight=False)


def main(
    faults: Annotated[list[str] | None, typer.Argument(help=f"Faults: {', '.join(FAULTS)}; all without.")] = None,
    records: Annotated[int, typer.Option(help="Records of the sample.")] = 4_500,
    rate: Annotated[int, typer.Option(help="Records a second.")] = 60,
    write: Annotated[bool, typer.Option(help="Write docs/results/chaos.md.")] = False,
) -> None:
    """Run the package on a real cluster, break things, and compare every bill with an independent reckoning."""
    outcomes = []
    for name in faults or list(FAULTS):
        fault = FAULTS[name]
        with console.status(f"{name}: {fault.doc}, {fault.times} times"):
            outcomes.append(run(fault, ROOT / "build" / "chaos" / name, list(sample(records)), rate))
        found = outcomes[-1].problems()
        console.print(f"{name}: {'; '.join(found) if found else 'all holds'}; {_figures(outcomes[-1])}")
    if write:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(report(outcomes, records, rate), encoding="utf-8")
    if any(outcome.problems() for outcome in outcomes):
        raise typer.Exit(1)


def _figures(outcome: Outcome) -> str:
    return (
        f"{outcome.hits} hits, {outcome.restarts} restarts, {outcome.published:,} records, {outcome.bills} bills, "
        f"{outcome.raw_copies} copies of rows, healthy after {outcome.healthy_after_s:.0f} s"
    )


def report(outcomes: list[Outcome], records: int, rate: int) -> str:
    """The page of results."""
    when, python = f"{datetime.now(UTC):%Y-%m-%d}", platform.python_version()
    lines = [
        "# Faults injected, and what held",
        "",
        f"{when}; Flink 1.20.5, Python {python}; the package, on a standalone cluster with checkpoints every 5 s.",
        f"{records:,} records of the sample at {rate} a second. `make chaos` makes this page.",
        "",
        "Wanted each time: every record accounted for; every bill as an independent reckoning in exact fractions",
        "has it; rows written twice are alike; healthy within 60 s; no Python worker left.",
        "",
        "| fault | hits | restarts | records | bills | wrong | copies | differing | healthy after | holds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for o in outcomes:
        lines.append(
            f"| {FAULTS[o.fault].doc} | {o.hits} | {o.restarts} | {o.published:,} | {o.bills} | {o.wrong_bills} | "
            f"{o.raw_copies} | {o.differing_copies} | {o.healthy_after_s:.0f} s | {'; '.join(o.problems()) or 'all'} |"
        )
    return "\n".join(lines) + "\n"


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # Ended from outside, it stops what it started too.
    signal.signal(signal.SIGTERM, _interrupted)
    sys.exit(typer.run(main))
