"""Inventory of the job's state, a file for review: `python -m deploy.stream_job.state` writes it.

Flink maps the state of a savepoint to operators by uid (flink_job/dataflow/uids.py). The file has a line for each
source, sink and stateful operator, with a description of its state. A savepoint of a version with a different file may
not restore: a deployment compares the two and is refused, unless --drop-state is given. Operators without state are not
in the file and may change freely.
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
#: Names of stateful operators.
STATEFUL = re.compile(
    r"OverAggregate|TemporalJoin|GlobalWindowAggregate|^WindowAggregate|GroupWindowAggregate|Deduplicate"
    r"|^AttachGroups|^JoinLatest|^JoinAsOf|^KeyedAggregate|^KeyedUpdates|^AlertStates|^RollUp|^Presence"
    r"|^RegisterEnergy|^AlertLedger"
)


def current_state(golden: Path = GOLDEN) -> str:
    """Short hash of this version's state inventory."""
    return hashlib.sha256(golden.read_bytes()).hexdigest()[:16]


class Operator(NamedTuple):
    """An operator of the stream graph: uid, name, the planner's description, and whether it is a source or sink."""

    uid: str
    name: str
    contents: str = ""
    is_end: bool = False

    @property
    def keeps_rows(self) -> bool:
        """True if the planner's description determines the state."""
        return bool(STATEFUL.search(self.name))

    @property
    def has_state(self) -> bool:
        """True if a savepoint may have state of it; positions of sources and buffers of sinks are state too."""
        return self.is_end or self.keeps_rows


def described(operators: Iterable[Operator], max_parallelism: int) -> str:
    """The text of the file."""
    lines = [f"max_parallelism {max_parallelism}"]
    for operator in sorted(operators):
        if operator.has_state:
            lines.append(f"{operator.uid}: {_without_numbers(operator.name)}")
        if operator.keeps_rows and operator.contents != operator.name:
            lines.append(f"    {_without_numbers(operator.contents)}")
    return "\n".join(lines) + "\n"


def _without_numbers(text: str) -> str:
    """Remove the numbers that the planner assigns to unnamed operators and columns."""
    return re.sub(r"\$\d+\*", "*", re.sub(r"^\[\d+\]:|\[\d+\]", "", text))


def operators() -> tuple[list[Operator], int]:
    """The operators of the current job and its maximum parallelism; starts a JVM."""
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
    """Write the file and print the difference; with `check` only print it. Returns 1 for a difference with `check`."""
    before = GOLDEN.read_text(encoding="utf-8") if GOLDEN.is_file() else ""
    text = described(*operators())
    if text == before:
        print("The state has not changed")
        return 0
    print("\n".join(difflib.unified_diff(before.splitlines(), text.splitlines(), "before", "now", lineterm="", n=1)))
    if check:
        print(
            "Dataflow changed: savepoints will not restore. Run `python -m deploy.stream_job.state` to update "
            f"{GOLDEN.name}, and add a **State** entry to CHANGELOG.md"
        )
        return 1
    GOLDEN.write_text(text, encoding="utf-8")
    print(f"Wrote {GOLDEN.name}: older savepoints will not restore. Add a **State** entry to CHANGELOG.md")

    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
