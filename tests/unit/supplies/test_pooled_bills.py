"""The bill of a supply point of several meters in the stream: that of their sum, in any order of their readings."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.tariffs.history import Intervals
from flink_job.tariffs.plan import Counting
from tests.harness.kinds import STREAMED
from tests.unit.tariffs.test_laws import BY_TIME, accrues, in_stream, loads, rated, streamed

_QUANTITIES = ("import_ukwh", "export_ukwh", "reactive_uvarh", "capacitive_uvarh")


def two_meters(data: Intervals) -> Intervals:
    """The readings of two meters that add up to those of one; the first has parts of one half on the average."""
    rng = random.Random(int(data.start_ms.sum()))
    first = [
        np.array([rng.randint(0, int(value)) for value in getattr(data, name)], dtype=np.int64) for name in _QUANTITIES
    ]
    columns = [np.append(one, getattr(data, name) - one) for name, one in zip(_QUANTITIES, first, strict=True)]
    return Intervals(np.append(data.start_ms, data.start_ms), np.append(data.interval_ms, data.interval_ms), *columns)


@given(data=loads(), order=st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
@pytest.mark.parametrize("kind", STREAMED)
def test_two_meters_have_the_bill_of_their_sum(kind: str, data: Intervals, order: Any) -> None:
    """Also the time that has readings counts once. A net demand may fall when the exports of the other meter come."""
    tariff = streamed(kind)
    history = rated(tariff, data)
    costs = in_stream(tariff, two_meters(data), order, counting=Counting.POOLED)
    alone = in_stream(tariff, data, order)
    segment = np.append(history.segment, history.segment)
    for number, one in enumerate(history.bills):
        rows = np.flatnonzero(segment == number)
        falls = {"demand", "tax", "minimum"} if tariff.is_netted else set()
        exact = set(one.lines) - BY_TIME - falls - ({"demand"} if accrues(tariff) else set())
        assert {name: int(costs[name][rows].sum()) for name in exact} == {name: one.lines[name] for name in exact}
        by_time = {"fixed"} - falls
        of_one = np.flatnonzero(history.segment == number)
        assert [int(costs[name][rows].sum()) for name in by_time] == [
            int(alone[name][of_one].sum()) for name in by_time
        ]


@given(data=loads(), order=st.randoms(use_true_random=False))
@settings(max_examples=3, deadline=None)
@pytest.mark.parametrize("kind", STREAMED)
def test_a_submeter_adds_nothing(kind: str, data: Intervals, order: Any) -> None:
    costs = in_stream(streamed(kind), data, order, counting=Counting.BEHIND)
    assert not any(amounts.any() for amounts in costs.values())
