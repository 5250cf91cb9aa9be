"""The state that the job keeps is the one in the file, and a view that is added leaves the others' state alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyflink.java_gateway import get_gateway

from deploy.stream_job.state import GOLDEN, Operator, current_state, described, operators
from flink_job.dataflow import pipeline
from flink_job.dataflow.sql import read_sql
from flink_job.dataflow.uids import Uid
from flink_job.dataflow.views import Views
from tests.state.halves import KEPT, unpack


@pytest.fixture(scope="module")
def job() -> tuple[list[Operator], int]:
    return operators()


def test_the_state_is_the_one_in_the_file(job: tuple[list[Operator], int]) -> None:
    assert described(*job) == GOLDEN.read_text(encoding="utf-8"), "run python -m deploy.stream_job.state"


def test_every_operator_has_a_uid_of_its_own(job: tuple[list[Operator], int]) -> None:
    uids = [operator.uid for operator in job[0]]
    assert all(uids)
    assert len(uids) == len(set(uids))
    assert set(Uid) <= {part for uid in uids for part in (uid.split("/")[0], uid.split("/")[0].removesuffix("-rows"))}


def test_a_view_that_is_added_changes_no_uid_of_what_has_state(
    job: tuple[list[Operator], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A join without state, before the operators of every step that reads these views."""
    changed_views = {"decode/decoded", "resolve/placed", "price/changes", "price/costed"}

    def with_joins(name: str) -> str:
        query = read_sql(name)
        if name in changed_views:
            query = f"SELECT rows_of.* FROM ({query}\n) AS rows_of CROSS JOIN UNNEST(ARRAY[1]) AS extra (n)"
        return query

    monkeypatch.setattr(pipeline, "Views", lambda t_env: Views(t_env, with_joins))
    changed, _ = operators()
    assert len(changed) > len(job[0])
    kept, found = ({o.uid for o in operators if o.has_state} for operators in (job[0], changed))
    # The array of the join is a source of its own.
    assert found - kept == {f"{step}/values" for step in ("decode", "resolve", "bill-rows", "costs")}
    assert kept <= found
    steps = {o.uid.split("/")[0] for o in changed}
    touched = {uid.split("/")[0] for uid in {o.uid for o in changed} ^ {o.uid for o in job[0]}}
    assert len(touched) <= len(changed_views) < len(steps)


def test_only_operators_in_the_file_have_state_in_a_savepoint(job: tuple[list[Operator], int], tmp_path: Path) -> None:
    """The file is complete, and so is what the savepoint of the last release holds: Flink restores all or nothing."""
    savepoint = unpack(KEPT / "savepoint.tar.xz", tmp_path)
    held = operators_with_state(savepoint)
    names = {operator_id(operator.uid): operator.uid for operator in job[0]}
    listed = {operator.uid for operator in job[0] if operator.has_state}
    assert {names.get(found, f"an operator that is gone ({found})") for found in held} <= listed
    assert len(held) > 20


def operators_with_state(savepoint: Path) -> set[str]:
    jvm = get_gateway().jvm
    stream = jvm.java.io.DataInputStream(jvm.java.io.FileInputStream(str(savepoint / "_metadata")))
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    metadata = jvm.org.apache.flink.runtime.checkpoint.Checkpoints.loadCheckpointMetadata(
        stream, loader, str(savepoint)
    )
    states = list(jvm.java.util.ArrayList(metadata.getOperatorStates()))
    return {
        state.getOperatorID().toHexString()
        for state in states
        if state.getStateSize() > 0 or state.getCoordinatorState() is not None
    }


def operator_id(uid: str) -> str:
    """The id that Flink computes of a uid."""
    jvm = get_gateway().jvm
    hashing = jvm.org.apache.flink.shaded.guava31.com.google.common.hash.Hashing.murmur3_128(0)
    code = hashing.newHasher().putString(uid, jvm.java.nio.charset.StandardCharsets.UTF_8).hash()
    return str(jvm.org.apache.flink.runtime.jobgraph.OperatorID(code.asBytes()).toHexString())


def test_an_operator_is_listed_with_what_it_keeps() -> None:
    found = [
        Operator("outputs/sink-costs", "sink_costs[9]: Writer", is_end=True),
        Operator("bill", "OverAggregate[2]", "[2]:OverAggregate(partitionBy=[meter_id])"),
        Operator("decode/calc", "Calc[3]", "[3]:Calc(select=[payload])"),
    ]
    assert described(found, 128).splitlines() == [
        "max_parallelism 128",
        "bill: OverAggregate",
        "    OverAggregate(partitionBy=[meter_id])",
        "outputs/sink-costs: sink_costs: Writer",
    ]


def test_what_drops_state_is_told_from_what_does_not(tmp_path: Path) -> None:
    def state(*operators: Operator, max_parallelism: int = 128) -> str:
        (tmp_path / "state.txt").write_text(described(operators, max_parallelism))
        return current_state(tmp_path / "state.txt")

    kept = Operator("bill", "OverAggregate[2]", "[2]:OverAggregate(partitionBy=[meter_id])")
    same = state(kept)
    assert state(kept._replace(name="OverAggregate[7]", contents=kept.contents.replace("[2]", "[7]"))) == same
    assert state(kept, Operator("decode/calc", "Calc[3]", "[3]:Calc(select=[payload])")) == same
    others = {
        state(kept._replace(contents="[2]:OverAggregate(partitionBy=[meter_id, day])")),
        state(kept._replace(uid="bills")),
        state(kept, kept._replace(uid="more")),
        state(kept, max_parallelism=256),
    }
    assert len(others | {same}) == 5
    assert current_state(GOLDEN) != same
