"""Writes the results page docs/results/chaos.md with the last outcome of each fault."""

from __future__ import annotations

import json
import platform
from datetime import datetime
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.outcome import Outcome
from tests.chaos.run import OUTCOME


def outcomes(work: Path) -> list[Outcome]:
    """The last outcome of each fault."""
    found = ((work / name / OUTCOME) for name in FAULTS)
    return [Outcome(**json.loads(path.read_text(encoding="utf-8"))) for path in found if path.is_file()]


def page(found: list[Outcome], when: datetime, before: str = "") -> str:
    """Markdown of outcomes; faults without a new outcome retain their row of the page `before`."""
    rows = {line.split(" | ")[0]: line for line in before.splitlines() if line.startswith("| ")}
    rows |= {row.split(" | ")[0]: row for row in map(_row, found)}
    lines = [
        "# Faults injected, and what held",
        "",
        f"{when:%Y-%m-%d}; Flink 1.20.5, Python {platform.python_version()}, ministack 1.5.33, kinesalite 3.3.3. The",
        "package, on a standalone cluster with two slots and checkpoints every 5 s. Made by `make chaos`; what is done",
        "and what must hold is in [faults injected](../why/chaos.md). Copies are rows written again, differing",
        "ones cost their reading otherwise: the views read the newest of each key, and those add up.",
        "",
        "| fault | version | dose | struck | records | copies | differing | bills | wrong | alerts delivered | twice "
        "| healthy after | memory | holds |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    return (
        "\n".join([*lines, *(rows[first] for fault in FAULTS.values() if (first := f"| {fault.doc}") in rows)]) + "\n"
    )


def _row(o: Outcome) -> str:
    fault = FAULTS[o.fault]
    struck = o.hits or sum(o.trouble.values())
    holds = "; ".join(o.problems()) or "all"
    holds += f", {o.provisional_bills} peaks left to settlement" if o.provisional_bills else ""
    return (
        f"| {fault.doc} | {o.version} | {fault.dose} | {struck} | {o.published:,} | {o.raw_copies:,} | "
        f"{o.differing_copies} | {o.bills} | {o.wrong_bills} | {o.delivered} | {o.delivered_twice} | "
        f"{o.healthy_after_s:.0f} s | {o.peak_mib:,} MiB | {holds} |"
    )
