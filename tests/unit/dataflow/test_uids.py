"""Uids do not depend on the numbers that the planner gives out, and no two are the same."""

from __future__ import annotations

import pytest

from flink_job.dataflow.uids import Uid, kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("GlobalWindowAggregate[82]", "global-window-aggregate"),
        ("Source: source_readings[1]", "source-source-readings"),
        ("*anonymous_datastream_source$28*[78]", "anonymous-datastream-source"),
        ("sink_register_reads[207]: Writer", "sink-register-reads-writer"),
        ("_stream_key_by_map_operator", "stream-key-by-map-operator"),
    ],
)
def test_the_kind_of_an_operator_has_no_number(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_no_two_steps_share_a_name() -> None:
    names = [name for uid in Uid for name in (uid.value, uid.rows, uid.versions)]
    assert len(names) == len(set(names))
