"""`python -m tests.chaos`: inject faults and check the invariants; exits with code 1 if one is violated."""

from __future__ import annotations

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.rehearsal.cluster import RehearsalError
from flink_job.dataflow.environment import PROJECT
from tests.chaos.faults import FAULTS
from tests.chaos.outcome import Outcome
from tests.chaos.report import outcomes, page
from tests.chaos.run import run

WORK = PROJECT / "build" / "chaos"
RESULTS = PROJECT / "docs" / "results" / "chaos.md"
console = Console(highlight=False)


def main(
    faults: Annotated[list[str] | None, typer.Argument(help=f"Faults: {', '.join(FAULTS)}. Default: all.")] = None,
    records: Annotated[int, typer.Option(help="Records of the sample; it has 93,481.")] = 93_481,
    rate: Annotated[int, typer.Option(help="Records per second.")] = 1_000,
    work: Annotated[Path, typer.Option(help="Folder of logs and outcomes, by fault.")] = WORK,
    write: Annotated[bool, typer.Option(help="Update the rows of these faults in docs/results/chaos.md.")] = False,
) -> None:
    """Run the package on a real cluster, inject faults, and compare every bill with the oracle."""
    unknown = [name for name in faults or () if name not in FAULTS]
    if unknown:
        console.print(f"unknown fault {', '.join(unknown)}; use {', '.join(FAULTS)}")
        raise typer.Exit(2)
    broken = False
    for name in faults or list(FAULTS):
        fault = FAULTS[name]
        try:
            with console.status(f"{name}: {fault.doc}, {fault.dose}"):
                outcome = run(fault, work / name, records, rate)
        except RehearsalError as error:  # continue with the other faults
            broken = True
            console.print(f"{name}: {error}")
            continue
        broken |= bool(outcome.problems())
        console.print(f"{name}: {'; '.join(outcome.problems()) or 'all holds'}; {_figures(outcome)}")
    if write:
        before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
        RESULTS.write_text(page(outcomes(work), datetime.now(UTC), before), encoding="utf-8")
    if broken:
        raise typer.Exit(1)


def _figures(outcome: Outcome) -> str:
    struck = f"{outcome.hits} strikes" if outcome.hits else f"{sum(outcome.trouble.values())} calls or records"
    return (
        f"{struck}, {outcome.published:,} records, {outcome.bills} bills ({outcome.provisional_bills} with a peak "
        f"left to settlement), {outcome.raw_copies} copies of rows, "
        f"healthy after {outcome.healthy_after_s:.0f} s, {outcome.seconds:.0f} s in all"
    )


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # On SIGTERM stop all child processes as well.
    signal.signal(signal.SIGTERM, _interrupted)
    sys.exit(typer.run(main))
