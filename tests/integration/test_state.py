"""The state that the job keeps is the one in the file, and a view that is added leaves the others' state alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.stream_job.state import GOLDEN, Operator, current_state, described, operators
from flink_job.uids import Uid


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
