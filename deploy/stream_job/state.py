"""What state the job keeps, as a file that is looked at in review: `python -m deploy.stream_job.state` writes it.

Flink finds the state of an operator by the operator's place in the dataflow. A line is an operator with those it reads
from; for one that keeps state also what it keeps it by. A savepoint of another such file may not fit: a deployment
compares the two and refuses, unless it is told to go on.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).with_name("state.txt")
#: Operators that keep state from one record to another; sources and sinks too.
STATEFUL = re.compile(
    r"OverAggregate|TemporalJoin|GlobalWindowAggregate|^WindowAggregate|GroupWindowAggregate|Deduplicate"
    r"|^Newest|^Version|^Running"
)
_PLAN = "== Physical Execution Plan =="


def current_state(golden: Path = GOLDEN) -> str:
    """A short hash of the state that this version of the job keeps."""
    return hashlib.sha256(golden.read_bytes()).hexdigest()[:16]


def described(explained: str, max_parallelism: int) -> str:
    """The file's text, from what Flink explains with the JSON plan."""
    nodes = json.loads(explained[explained.index(_PLAN) + len(_PLAN) :])["nodes"]
    order = {node["id"]: number for number, node in enumerate(nodes)}
    lines = [f"max_parallelism {max_parallelism}"]
    lines += [line for node in nodes for line in _operator(node, order)]
    return "\n".join(lines) + "\n"


def _operator(node: dict[str, Any], order: dict[int, int]) -> Iterator[str]:
    kind = _without_numbers(node["type"])
    inputs = (f"{order[p['id']]} {p['ship_strategy'].lower()}" for p in node.get("predecessors", ()))
    yield f"{order[node['id']]} {kind} <- {', '.join(inputs) or 'nothing'}"
    if STATEFUL.search(kind):
        yield f"    {_without_numbers(node['contents'])}"


def _without_numbers(text: str) -> str:
    """Without the numbers that the planner gives to what has no name."""
    return re.sub(r"\$\d+\*", "*", re.sub(r"^\[\d+\]:|\[\d+\]", "", text))


def plan() -> str:
    """The text for the job as it is now; starts a JVM."""
    import tempfile

    from pyflink.table import ExplainDetail

    from deploy.names import Names
    from deploy.settings import environment_named
    from deploy.stream_job.properties import property_groups
    from flink_job.config import read_settings
    from flink_job.environment import create_environment, mini_cluster
    from flink_job.main import statements

    settings = read_settings(property_groups(Names("plan"), environment_named("local"), "us-east-1", ""))
    with tempfile.TemporaryDirectory() as folder:
        environment = create_environment(settings.job, mini_cluster(settings.job, Path(folder), short=True))
        explained = statements(environment, settings).explain(ExplainDetail.JSON_EXECUTION_PLAN)
    return described(explained, settings.job.max_parallelism)


def main(check: bool) -> int:
    """Write the file, and say whether it is another than before; with `--check` only say it, with code 1."""
    before = GOLDEN.read_text(encoding="utf-8") if GOLDEN.is_file() else ""
    text = plan()
    if text == before:
        print("the state is what it was")
        return 0
    print("\n".join(difflib.unified_diff(before.splitlines(), text.splitlines(), "before", "now", lineterm="", n=1)))
    if check:
        print("the dataflow is another: `python -m deploy.stream_job.state` writes the file, CHANGELOG.md says so")
        return 1
    GOLDEN.write_text(text, encoding="utf-8")
    print(f"{GOLDEN.name} has changed: say so in CHANGELOG.md")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
