"""Several readings in one record, in Python; test_hostile_records.py compares the dataflow with it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_job.metering.envelope import Enclosed, enclose
from flink_job.metering.framing import MAX_DEPTH, MAX_PARTS, parts, reading_count, readings_in
from tests.harness.framing import BROKEN, SEVERAL

DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=6) | st.sampled_from(list('{}[],"\\\n')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=3), DOCUMENTS, max_size=3), min_size=2, max_size=5)


@given(OBJECTS, st.sampled_from([None, 2]))
def test_an_array_is_its_elements(objects: list[object], indent: int | None) -> None:
    assert [json.loads(part) for part in parts(json.dumps(objects, indent=indent).encode())] == objects


@given(OBJECTS, st.sampled_from(["\n", "\r\n", "\n\n  "]), st.sampled_from([None, 2]))
def test_lines_are_their_objects(objects: list[object], between: str, indent: int | None) -> None:
    record = between.join(json.dumps(document, indent=indent) for document in objects).encode()
    assert [json.loads(part) for part in parts(record)] == objects


@given(st.dictionaries(st.text(max_size=3), DOCUMENTS), st.sampled_from([None, 2]))
def test_one_object_is_its_bytes(document: object, indent: int | None) -> None:
    record = json.dumps(document, indent=indent).encode() + b"\n"
    assert parts(record) == [record]


@pytest.mark.parametrize("record", BROKEN)
def test_broken_framing_is_not_split(record: bytes) -> None:
    assert parts(record) == [record]


@pytest.mark.parametrize("record", SEVERAL)
def test_several_are_split(record: bytes) -> None:
    assert len(parts(record)) > 1


def test_bounds_of_parts_and_depth() -> None:
    most, deepest = b"{}\n" * MAX_PARTS, b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert len(parts(most)) == MAX_PARTS
    assert parts(most + b"{}") == [most + b"{}"]
    assert parts(b"[{}," + deepest + b"]") == [b"{}", deepest]
    assert len(parts(b"[{},[" + deepest + b"]]")) == 1


@pytest.mark.parametrize("record", [b"\n" * 2**20, b"{" + b"\n" * 2**20, b"[" + b'"' * 2**20, b"{}\n" + b'{"' * 2**19])
def test_time_is_linear_in_the_bytes(record: bytes) -> None:
    started = time.process_time()
    parts(record)
    assert time.process_time() - started < 2


def test_readings_in_envelopes() -> None:
    one, two = b'{"a":1}', b'{"b":2}'
    array = b"[" + one + b"," + two + b"]"
    assert list(readings_in(enclose(array, device="acme:g"))) == [Enclosed(p, "acme", "acme:g") for p in (one, two)]
    record = enclose(array, "x") + b"\n" + one + b"\n" + enclose(two, "y")
    assert list(readings_in(record, "z")) == [
        Enclosed(one, "x"), Enclosed(two, "x"), Enclosed(one, "z"), Enclosed(two, "y"),
    ]  # fmt: skip
    assert reading_count(record) == 4


def test_no_envelope_in_an_envelope_is_opened_however_it_is_framed() -> None:
    inner = enclose(b"{}", "victim")
    for payload in (b"[" + inner + b"]", inner + b"\n" + inner):
        assert {found.tenant for found in readings_in(enclose(payload, device="acme:g"))} == {"acme"}


def test_an_envelope_is_opened_only_where_nothing_else_is_beside_it() -> None:
    """Or what lies beside it would be lost."""
    record = enclose(b"{}", "acme") + b'\n{"cut'
    assert list(readings_in(record)) == [Enclosed(record)]
