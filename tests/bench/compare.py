"""Comparison of programs: each runs several times, in turns, and ratios are computed within a turn."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flink_job.dataflow.environment import PROJECT
from tests.bench.data import Input, prepared
from tests.bench.kept import Kept
from tests.bench.run import Result, run_flink, run_program

PEERS_PYTHON = PROJECT / ".venv-peers" / "bin" / "python"


@dataclass(frozen=True)
class Program:
    """A program that computes the benchmark. `part` is its share of the readings: slow programs get fewer."""

    name: str
    doc: str
    run: Callable[[Input, Path], Result]
    part: float = 1.0


def _flink(name: str, **options: object) -> Callable[[Input, Path], Result]:
    return lambda data, work: run_flink(name, data, work, **options)


def _peer(module: str, *extra: str) -> Callable[[Input, Path], Result]:
    def run(data: Input, work: Path) -> Result:
        folders = [work / name for name in extra]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        line = [PEERS_PYTHON, "-m", f"tests.bench.peers.{module}", data.folder, *folders]
        return run_program(module, [str(part) for part in line], data, work / f"{module}.log")

    return run


THREADS = ["python.execution-mode=thread"]

PROGRAMS = {
    program.name: program
    for program in (
        Program("whole", "this job, whole path: costs, KPIs, rejected, unpriced, duplicates", _flink("whole")),
        Program("alerts", "the same with ten alert rules for every meter", _flink("alerts")),
        Program("bound", "SQL only, flat price, the job's own KPI windows", _flink("bound")),
        Program("bound-plain", "SQL only, flat price, each KPI window from the readings", _flink("bound-plain")),
        Program("naive", "Python KeyedBroadcastProcessFunction, threads; costs alone", _flink("naive", option=THREADS),
                0.3),
        Program("naive-process", "the same in process mode, Flink's default", _flink("naive"), 0.02),
        Program("bytewax", "Bytewax 0.21.1, recovery on; KPIs of meters alone", _peer("bytewax_flow", "recovery"),
                0.5),
        Program("duckdb", "DuckDB 2.0.0, a batch with all readings at once", _peer("duckdb_batch")),
        Program("until-decode", "stage: bytes to readings", _flink("until-decode")),
        Program("until-contract", "... and their contract", _flink("until-contract")),
        Program("until-resolve", "... tariff version, cycle, TOU period", _flink("until-resolve")),
        Program("until-revise", "... duplicates and corrections", _flink("until-revise")),
        Program("until-price", "... state of the bill, price", _flink("until-price")),
        Program("whole-heap", "the whole path, state on the heap", _flink("whole", backend="hashmap")),
        Program("bound-heap", "the bound, state on the heap", _flink("bound", backend="hashmap")),
        Program("whole-2", "the whole path, parallelism 2", _flink("whole", parallelism=2)),
        Program("bound-2", "the bound, parallelism 2", _flink("bound", parallelism=2)),
    )
}  # fmt: skip
MAIN = ("whole", "alerts", "bound", "bound-plain", "naive", "naive-process", "bytewax", "duckdb")
BOUND = "bound-plain"
ONCE = tuple(name for name in PROGRAMS if name not in MAIN)


def measure(
    names: Sequence[str], kept: Kept, meters: int, readings: int, runs: int, report: Callable[[str], None]
) -> None:
    """Run each program `runs` times, in turns, so that a slow hour of the machine affects all of them."""
    kept.forget("runs", lambda record: record["program"] in names)
    for turn in range(runs):
        for name in names:
            program = PROGRAMS[name]
            data = prepared(kept.work, meters, int(readings * program.part))
            result = program.run(data, kept.work)
            kept.add("runs", {"program": name, **asdict(result)})
            report(f"{turn + 1}/{runs} {name}: {result.readings_per_s:,.0f} readings/s")


@dataclass(frozen=True)
class Row:
    """A program's runs: median and spread, and its ratio to the plain bound within the same turns."""

    name: str
    doc: str
    runs: int
    readings: int
    readings_per_s: float
    low: float
    high: float
    to_bound: float | None
    cpu_us: float
    start_s: float
    python_mib: int
    jvm_mib: int


def rows(kept: Kept, names: Sequence[str]) -> list[Row]:
    """Return a row for each of these programs that has been run."""
    found = kept.grouped("runs", "program")
    return [_row(PROGRAMS[name], found[name], found[BOUND]) for name in names if found[name]]


def ratio(found: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> float | None:
    """Median of the ratios of rates within a turn; None if one of them has not been run. A program with fewer runs is
    compared in its turns only.
    """
    ratios = [one["readings_per_s"] / other["readings_per_s"] for one, other in zip(found, others, strict=False)]
    return statistics.median(ratios) if ratios else None


def _row(program: Program, found: list[dict[str, Any]], bounds: list[dict[str, Any]]) -> Row:
    rates = [record["readings_per_s"] for record in found]
    return Row(
        program.name,
        program.doc,
        len(found),
        found[0]["readings"],
        statistics.median(rates),
        min(rates),
        max(rates),
        ratio(found, bounds),
        statistics.median(record["cpu_us_per_reading"] for record in found),
        statistics.median(record["start_s"] for record in found),
        _mib(found, "python"),
        _mib(found, "java"),
    )


def _mib(found: list[dict[str, Any]], process: str) -> int:
    return max(int(record["peak_bytes"].get(process, 0)) for record in found) >> 20
