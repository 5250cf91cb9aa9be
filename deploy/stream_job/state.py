"""What state the job keeps, as a file that is looked at in review: `python -m deploy.stream_job.state` writes it.

Flink finds the state of an operator by its uid (flink_job/dataflow/uids.py). The file has a line for every source,
every sink and every operator that keeps state from one record to the next, with its state. A savepoint of a version
with another file may not fit: a deployment compares the two and refuses, unless it is told to go on. Operators without
state are not in the file and may change freely.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

GOLDEN = Path(__file__).with_name("state.txt")
#: Operators that keep state from one record to another, by their names.
STATEFUL = re.compile(
    r"OverAggregate|TemporalJoin|GlobalWindowAggregate|^WindowAggregate|GroupWindowAggregate|Deduplicate"
    r"|^JoinLatest|^JoinAsOf|^KeyedAggregate|^AlertStates|^TagLate"
)


def current_state(golden: Path = GOLDEN) -> str:
    """A short hash of the state that this version of the job keeps."""
    return hashlib.sha256(golden.read_bytes()).hexdigest()[:16]


class Operator(NamedTuple):
    """An operator of Flink's graph: uid, name, the planner's description, and whether it is a source or a sink."""

    uid: str
    name: str
    contents: str = ""
    is_end: bool = False

    @property
    def keeps_rows(self) -> bool:
        """Whether its state depends on what the planner's description says."""
        return bool(STATEFUL.search(self.name))

    @property
    def has_state(self) -> bool:
        """Whether a savepoint may hold state of it: positions of sources and buffers of sinks are state, too."""
        return self.is_end or self.keeps_rows


def described(operators: Iterable[Operator], max_parallelism: int) -> str:
    """The file's text."""
    lines = [f"max_parallelism {max_parallelism}"]
    for operator in sorted(operators):
        if operator.has_state:
            lines.append(f"{operator.uid}: {_without_numbers(operator.name)}")
        if operator.keeps_rows and operator.contents != operator.name:
            lines.append(f"    {_without_numbers(operator.contents)}")
    return "\n".join(lines) + "\n"


def _without_numbers(text: str) -> str:
    """Without the numbers that the planner gives to what has no name."""
    return re.sub(r"\$\d+\*", "*", re.sub(r"^\[\d+\]:|\[\d+\]", "", text))


def operators() -> tuple[list[Operator], int]:
    """The operators of the job as it is now, and its greatest parallelism; starts a JVM."""
    import tempfile

    from pyflink.java_gateway import get_gateway

    from deploy.kit.names import Names
    from deploy.settings import environment_named
    from deploy.stream_job.properties import property_groups
    from flink_job.config import read_settings
    from flink_job.dataflow.environment import create_environment, mini_cluster
    from flink_job.dataflow.submission import stream_graph
    from flink_job.main import statements

    settings = read_settings(property_groups(Names("plan"), environment_named("local"), "us-east-1", ""))
    with tempfile.TemporaryDirectory() as folder:
        environment = create_environment(settings.job, mini_cluster(settings.job, Path(folder), short=True))
        graph = stream_graph(environment, statements(environment, settings))
        nodes = list(get_gateway().jvm.java.util.ArrayList(graph.getStreamNodes()))
    return [_operator(node) for node in nodes], settings.job.max_parallelism


def _operator(node: Any) -> Operator:
    is_end = node.getInEdges().isEmpty() or node.getOutEdges().isEmpty()
    return Operator(node.getTransformationUID(), node.getOperatorName(), node.getOperatorDescription(), is_end)


def main(check: bool) -> int:
    """Write the file, and say whether it is another than before; with `--check` only say it, with code 1."""
    before = GOLDEN.read_text(encoding="utf-8") if GOLDEN.is_file() else ""
    text = described(*operators())
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
