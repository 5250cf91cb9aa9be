"""The state that the job keeps is the one that is written down, so that a deployment can tell whether it fits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from deploy.stream_job.state import GOLDEN, current_state, described

ROOT = Path(__file__).resolve().parents[2]


def explained(contents: str = "[2]:OverAggregate(partitionBy=[meter_id])", strategy: str = "HASH") -> str:
    nodes = [
        {"id": 1, "type": "Source: readings[1]", "contents": "[1]:TableSourceScan"},
        {
            "id": 3,
            "type": "OverAggregate[2]",
            "contents": contents,
            "predecessors": [{"id": 1, "ship_strategy": strategy}],
        },
    ]
    return "== Abstract Syntax Tree ==\n...\n== Physical Execution Plan ==\n" + json.dumps({"nodes": nodes})


def test_the_dataflow_is_the_one_that_is_written_down() -> None:
    line = [sys.executable, "-m", "deploy.stream_job.state", "--check"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout


def test_an_operator_is_told_with_what_it_reads_and_keeps() -> None:
    assert described(explained(), 128).splitlines() == [
        "max_parallelism 128",
        "0 Source: readings <- nothing",
        "1 OverAggregate <- 0 hash",
        "    OverAggregate(partitionBy=[meter_id])",
    ]


def test_what_drops_state_is_told_from_what_does_not(tmp_path: Path) -> None:
    def state(text: str) -> str:
        (tmp_path / "state.txt").write_text(text)
        return current_state(tmp_path / "state.txt")

    same = state(described(explained(), 128))
    assert state(described(explained("[7]:OverAggregate(partitionBy=[meter_id])"), 128)) == same
    others = {
        state(described(explained("[2]:OverAggregate(partitionBy=[meter_id, day])"), 128)),
        state(described(explained(strategy="FORWARD"), 128)),
        state(described(explained(), 256)),
    }
    assert len(others | {same}) == 4
    assert current_state(GOLDEN) != same
