"""Short form of `make chaos`: all failures at once, and runs in which the harness must report a problem."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deploy.rehearsal.fixture import ClusterFixture
from tests.chaos.faults import Fault, kill_task_manager, kill_workers
from tests.chaos.loads import Load, clean
from tests.chaos.outcome import Outcome
from tests.chaos.proxy import Dose
from tests.chaos.run import Run, run
from tests.chaos.truth import of_sample

RECORDS, RATE, SLOWLY = 4000, 250, 50
#: Start reading at the latest position: a restart without restored positions would lose readings.
LATEST = {"readings": {"initial_position": "LATEST"}}
NO_CHECKPOINTS = {"execution.checkpointing.interval": "1 d"}


def strike_both(run: Run) -> int:
    """Kill the workers, then the TaskManager, each after costs that will be written again."""
    run.wait_for_place()
    run.wait_for_output()
    kill_workers(run)
    time.sleep(3)
    run.wait_until_healthy()
    run.wait_for_output()
    kill_task_manager(run)
    return 2


def strike_once(run: Run) -> int:
    time.sleep(5)
    kill_task_manager(run)
    return 1


ALL_AT_ONCE = Fault(
    "all_at_once",
    "",
    "kills, throttling, errors, answers lost, records refused",
    "",
    strike_both,
    Dose(throttled=0.1, server_error=0.03, reset=0.03, answer_lost=0.03, failed_records=0.05),
    properties=LATEST,
)


@pytest.fixture(scope="module")
def survived(package: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """(outcome of a run with all failures, its work folder)."""
    work = tmp_path_factory.mktemp("chaos") / "run"
    return run(ALL_AT_ONCE, work, RECORDS, SLOWLY, package=package), work


def published(outcome: Outcome) -> Load:
    """The records that a run published: the sample, and duplicates of its first record."""
    load = clean(RECORDS)
    return replace(load, records=load.records + [load.records[0]] * (outcome.published - len(load.records)))


def looked_at(load: Load, lake: Path) -> Outcome:
    """Outcome of a load in a lake."""
    again = Outcome(ALL_AT_ONCE.name, published=len(load.records))
    again.look(load, of_sample(load, lake), lake)
    return again


def test_invariants_hold_with_all_failures(survived: tuple[Outcome, Path]) -> None:
    outcome, _ = survived
    assert outcome.problems() == []
    assert outcome.raw_copies > 0, "the fault had no effect"
    assert min(outcome.trouble.get(kind, 0) for kind in ("throttled", "failed_records")) > 0


def test_missing_checkpoints_are_detected(package: Path, tmp_path: Path) -> None:
    fault = replace(ALL_AT_ONCE, act=strike_once, proxied=None, flink=NO_CHECKPOINTS, notifies=False)
    problems = run(fault, tmp_path / "run", 1500, RATE, limit_s=15, package=package).problems()
    assert any("are lost" in problem or "oracle" in problem for problem in problems), problems


def test_missing_deduplication_is_detected(package: Path, tmp_path: Path) -> None:
    def sabotage(fixture: ClusterFixture) -> None:
        path = next(fixture.app.rglob("deltas.sql"))
        text = path.read_text(encoding="utf-8")
        assert "records_seen > 1" in text
        changed, undone = re.subn(r"NULLIF\((\w+_previous), -1\)", r"NULLIF(\1, \1)", text)
        assert undone == text.count("_previous, -1)") == 4
        changed = changed.replace("records_seen > 1", "FALSE")
        path.write_text(changed, encoding="utf-8")

    quiet = replace(ALL_AT_ONCE, act=lambda run: 0, proxied=None, notifies=False)
    problems = run(quiet, tmp_path / "run", 1500, RATE, sabotage, limit_s=15, package=package).problems()
    assert any("bills differ" in problem for problem in problems), problems


def test_unstable_keys_are_detected(survived: tuple[Outcome, Path], tmp_path: Path) -> None:
    """The same rows, each with a key of its own, as if it were drawn by lot: copies are then costs more."""
    outcome, work = survived
    lake = tmp_path / "lake"
    drawn = 0
    for path in (work / "lake").rglob("*.parquet"):
        rows = pq.read_table(path, partitioning=None)
        if path.is_relative_to(work / "lake" / "costs"):
            keys = [f"{drawn + number}" for number in range(len(rows))]
            drawn += len(rows)
            rows = rows.set_column(rows.schema.get_field_index("reading_id"), "reading_id", pa.array(keys))
        target = lake / path.relative_to(work / "lake")
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, target)
    again = looked_at(published(outcome), lake)
    assert again.wrong_bills > 0
    assert any("more records came out" in problem for problem in again.problems())


def test_missing_rejected_record_is_detected(survived: tuple[Outcome, Path]) -> None:
    outcome, work = survived
    load = published(outcome)
    hidden = replace(load, rejected=load.rejected + Counter([b'{"no": "such"}']))
    assert looked_at(hidden, work / "lake").wrong_rejected == 1
