"""What is compared, and how: programs by name, run in turn, several times, as ratios within a turn."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from flink_job.environment import PROJECT
from tests.bench.data import Input, prepared
from tests.bench.run import Result, run_flink, run_program

PEERS_PYTHON = PROJECT / ".venv-peers" / "bin" / "python"


@dataclass(frozen=True)
class Program:
    """Something that computes the bench. `part` is the share of the readings that it is given: the slow get fewer."""

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
        Program("whole", "this job, whole path: costs, KPIs, rejected, unpriced, repeated", _flink("whole")),
        Program("alerts", "the same with ten alert rules for every meter", _flink("alerts")),
        Program("bound", "SQL alone, flat price, the job's own KPI windows", _flink("bound")),
        Program("bound-plain", "SQL alone, flat price, each KPI window from the readings", _flink("bound-plain")),
        Program("naive", "Python KeyedBroadcastProcessFunction, threads; costs alone", _flink("naive", option=THREADS),
                0.3),
        Program("naive-process", "the same in process mode, Flink's default", _flink("naive"), 0.02),
        Program("bytewax", "Bytewax 0.21.1, recovery on; KPIs of meters alone", _peer("bytewax_flow", "recovery"),
                0.5),
        Program("duckdb", "DuckDB 2.0.0, a batch that has all readings at once", _peer("duckdb_batch")),
        Program("until-decode", "stage: bytes to readings", _flink("until-decode")),
        Program("until-contract", "... and their contract", _flink("until-contract")),
        Program("until-resolve", "... tariff version, cycle, TOU period", _flink("until-resolve")),
        Program("until-revise", "... repeats and corrections", _flink("until-revise")),
        Program("until-price", "... state of the bill, price", _flink("until-price")),
        Program("whole-heap", "the whole path, state on the heap", _flink("whole", backend="hashmap")),
        Program("bound-heap", "the bound, state on the heap", _flink("bound", backend="hashmap")),
        Program("whole-2", "the whole path, parallelism 2", _flink("whole", parallelism=2)),
        Program("bound-2", "the bound, parallelism 2", _flink("bound", parallelism=2)),
    )
}  # fmt: skip
MAIN = ("whole", "alerts", "bound", "bound-plain", "naive", "naive-process", "bytewax", "duckdb")
ONCE = tuple(name for name in PROGRAMS if name not in MAIN)


@dataclass(frozen=True)
class Row:
    """A program's runs: median and spread, and its ratio to the bound within the same turns."""

    name: str
    doc: str
    runs: int
    readings_per_s: float
    low: float
    high: float
    to_bound: float | None
    cpu_us: float
    start_s: float
    python_mib: int
    jvm_mib: int


def compare(
    names: Sequence[str], work: Path, meters: int, readings: int, runs: int, told: Callable[[str], None]
) -> list[Row]:
    """Run each program `runs` times, in turns, so that a slow hour of the machine meets all of them."""
    results: dict[str, list[Result]] = {name: [] for name in names}
    for turn in range(runs):
        for name in names:
            program = PROGRAMS[name]
            data = prepared(work, meters, int(readings * program.part))
            result = program.run(data, work)
            results[name].append(result)
            told(f"{turn + 1}/{runs} {name}: {result.readings_per_s:,.0f} readings/s")
            _keep(work, name, result)
    bounds = [result.readings_per_s for result in results.get("bound", [])]
    return [_row(PROGRAMS[name], found, bounds) for name, found in results.items()]


def _row(program: Program, found: list[Result], bounds: list[float]) -> Row:
    rates = [result.readings_per_s for result in found]
    ratios = [rate / bound for rate, bound in zip(rates, bounds, strict=False)]
    return Row(
        program.name,
        program.doc,
        len(found),
        statistics.median(rates),
        min(rates),
        max(rates),
        statistics.median(ratios) if ratios else None,
        statistics.median(result.cpu_us_per_reading for result in found),
        statistics.median(result.start_s for result in found),
        _mib(found, "python"),
        _mib(found, "java"),
    )


def _mib(found: list[Result], process: str) -> int:
    return max(result.peak_bytes.get(process, 0) for result in found) >> 20


def _keep(work: Path, name: str, result: Result) -> None:
    """Every run is kept, so that one that is cut short has not run for nothing."""
    with (work / "runs.ndjson").open("a", encoding="utf-8") as out:
        out.write(json.dumps({"program": name, "python": sys.version.split()[0], **asdict(result)}) + "\n")
