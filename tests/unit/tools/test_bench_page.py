"""The bench's page is made from what was kept: ratios within a turn, goals met and missed, parts measured again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.bench.compare import rows
from tests.bench.goals import goals
from tests.bench.growth import capacity
from tests.bench.kept import Kept
from tests.bench.report import page
from tests.bench.run import BenchError


def run(program: str, readings_per_s: float) -> dict[str, Any]:
    return {
        "program": program,
        "readings": 1000,
        "readings_per_s": readings_per_s,
        "cpu_us_per_reading": 100.0,
        "start_s": 9.0,
        "peak_bytes": {"java": 3 << 20},
    }


def grown(meters: int, readings_per_s: float) -> dict[str, Any]:
    return {
        "meters": meters,
        "readings": 1000,
        "readings_per_s": readings_per_s,
        "state_bytes": 2_000_000,
        "checkpoint_s": 1.0,
    }


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """Three turns of two programs, the machine slower from turn to turn."""
    kept = Kept(tmp_path)
    for whole, bound in ((60, 100), (45, 50), (16, 20)):
        kept.add("runs", run("whole", whole))
        kept.add("runs", run("bound-plain", bound))
    return kept


def test_a_ratio_is_the_median_of_the_turns(kept: Kept) -> None:
    (whole,) = rows(kept, ["whole", "alerts"])
    assert (whole.runs, whole.readings_per_s, whole.low, whole.high) == (3, 45, 16, 60)
    assert whole.to_bound == 0.8  # of 0.6, 0.9 and 0.8; the ratio of the medians would be 0.9
    assert (whole.jvm_mib, whole.python_mib) == (3, 0)


def test_a_program_that_was_run_less_often_is_compared_in_its_turns(kept: Kept) -> None:
    kept.add("runs", run("alerts", 50))
    kept.add("runs", run("alerts", 40))
    (alerts,) = rows(kept, ["alerts"])
    assert alerts.to_bound == pytest.approx(0.65)  # of 50 / 100 and 40 / 50


def test_goals_are_met_missed_or_not_measured(kept: Kept) -> None:
    for _ in range(3):
        kept.add("runs", run("naive-process", 1))
    for few, many in ((100.0, 80.0), (50.0, 30.0), (80.0, 56.0)):  # 0.8, 0.6 and 0.7
        kept.add("growth", grown(10_000, few))
        kept.add("growth", grown(1_000_000, many))
    kept.add("latency", {"load": 0.5, "rate": 1, "what": "costs", "rows": 1, "p50_s": 1.0, "p99_s": 2.5})
    told = goals(kept)[2:]
    assert told == [
        "| whole path / SQL only, written plainly | >= 1 | 0.80 | **missed** |",
        "| whole path / naive program, in Flink's default mode | >= 10 | 45.00 | met |",
        "| whole path / naive program, in threads | >= 10 | not measured |  |",
        "| whole path / Bytewax | >= 1 | not measured |  |",
        "| 1e6 meters / 1e4 meters | >= 0.7 | 0.70 | met |",
        "| p99 to cost at 50 % load | < 2 s | 2.50 s | **missed** |",
    ]


def test_the_page_has_what_was_measured_and_no_empty_tables(kept: Kept) -> None:
    text = page(datetime(2026, 1, 2, tzinfo=UTC), 10_000, kept)
    assert "2026-01-02" in text
    assert "| 3 | 45 | 16 to 60 | 0.80 | 100 µs | 9 s |  | 3 MiB |" in text
    assert "## Goals" in text
    assert "Growth" not in text
    for rate in (90.0, 70.0, 100.0):
        kept.add("growth", grown(1000, rate))
    text = page(datetime(2026, 1, 2, tzinfo=UTC), 10_000, kept)
    assert "| 1,000 | 1,000 | 3 | 90 | 70 to 100 | 2 MB | 2,000 B | 1.0 s |" in text


def test_a_part_is_measured_again_without_the_others(kept: Kept) -> None:
    kept.add("latency", {"load": 0.5})
    kept.forget("runs", lambda record: record["program"] == "whole")
    assert [record["program"] for record in kept.of("runs")] == ["bound-plain"] * 3
    assert kept.of("latency") == [{"load": 0.5}]


def test_latency_needs_to_know_what_the_job_can_do(kept: Kept) -> None:
    with pytest.raises(BenchError, match="run that first"):
        capacity(kept)
    kept.add("runs", run("alerts", 40))
    assert capacity(kept) == 40
