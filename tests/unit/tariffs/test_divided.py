"""Readings over a border of TOU periods: their energy is divided by time, in stream and batch alike."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.metering.contract import Assignment, Contract
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import Intervals
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.registry import TariffRegistry
from flink_job.tariffs.resolve import ContractTimeline
from tests.harness.kinds import EVERY_DAY, KINDS, STREAMED, TWO_PRICES
from tests.unit.billing.test_explain import check_all
from tests.unit.tariffs.test_history import amounts, at, rated
from tests.unit.tariffs.test_laws import BY_TIME, EPOCH, QUARTERS, OnlyTariff, accrues, in_stream, streamed
from tests.unit.tariffs.test_laws import rated as rated_in_madrid

HOUR_MS = 3_600_000
NIGHT = [
    {"from": "00:00", "period": "off"},
    {"from": "06:30", "period": "peak"},
    {"from": "22:30", "period": "off"},
]
PEAK_OFF = {
    "calendar": {"days": [{"on": EVERY_DAY, "bands": NIGHT}]},
    "energy": {"periods": {"off": [{"price": "0.10"}], "peak": [{"price": "0.20"}]}},
}
#: Readings of an hour and 40 minutes, which begin at any full ten minutes.
LENGTH_MS = 6_000_000


def test_an_hour_over_the_border() -> None:
    # 4 kWh from 22:00 to 23:00: half an hour at 0.20, half an hour at 0.10.
    assert amounts(rated(PEAK_OFF, (at("2026-01-10", 22), 4)), "energy") == [Decimal("0.60")]


def test_a_day_as_one_reading() -> None:
    # 24 kWh: 8 hours of off-peak, 16 of peak.
    history = rated(PEAK_OFF, (at("2026-01-10", 0), 24), interval_s=86_400)
    assert amounts(history, "energy") == [Decimal("0.8") + Decimal("3.2")]


def test_each_part_of_a_reading_fills_its_own_tier() -> None:
    # 4 kWh over the border: 2 kWh of each period; the first kWh of peak at 0.20, then 0.50.
    energy = {"off": [{"price": "0.10"}], "peak": [{"price": "0.20", "max": "1"}, {"price": "0.50"}]}
    document = {**PEAK_OFF, "energy": {"periods": energy}}
    assert amounts(rated(document, (at("2026-01-10", 22), 4)), "energy") == [Decimal("0.90")]


def test_exports_are_divided_too() -> None:
    export = {"prices": {"off": "0.03", "peak": "0.07"}}
    history = rated({**PEAK_OFF, "export": export}, (at("2026-01-10", 22), -4))
    assert amounts(history, "export") == [Decimal("-0.20")]


def test_demand_is_that_of_the_whole_reading() -> None:
    demand = {"window_s": 3600, "flat": [{"price": "1"}], "periods": {"peak": [{"price": "10"}]}}
    assert amounts(rated({**PEAK_OFF, "demand": demand}, (at("2026-01-10", 22), 4)), "demand") == [44]


def test_the_rest_of_an_interval_in_a_year_without_holidays_is_in_the_last_period() -> None:
    calendar = {
        "holidays": {"2026": []},
        "days": [
            {"on": EVERY_DAY, "bands": NIGHT},
            {"on": ["holiday"], "bands": [{"from": "00:00", "period": "off"}]},
        ],
    }
    # From 22:00 on 31 December for three hours: 0.5 h of peak, the rest off-peak, the next year's hour as well.
    history = rated({**PEAK_OFF, "calendar": calendar}, (at("2026-12-31", 22), 6), interval_s=10_800)
    assert amounts(history, "energy") == [Decimal("0.20") + Decimal("0.50")]


@st.composite
def long_loads(draw: st.DrawFn) -> Intervals:
    """Readings of LENGTH_MS one after the other, some missing, with all quantities."""
    count, offset = draw(st.integers(2, 40)), draw(st.integers(0, 9)) * 600_000
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    places = QUARTERS * 900_000 // LENGTH_MS - 1
    start = EPOCH + offset + np.sort(rng.choice(places, size=count, replace=False)) * LENGTH_MS
    quantities = [rng.integers(0, top, size=count) for top in (60_000_000, 30_000_000, 90_000_000, 20_000_000)]
    return Intervals(start, np.full(count, LENGTH_MS), *quantities)


@given(data=long_loads(), order=st.randoms(use_true_random=False))
@settings(max_examples=6, deadline=None)
@pytest.mark.parametrize("kind", STREAMED)
def test_the_streams_costs_in_any_order_are_the_batch_bill(kind: str, data: Intervals, order: Any) -> None:
    tariff = streamed(kind)
    history = rated_in_madrid(tariff, data)
    costs = in_stream(tariff, data, order, LENGTH_MS)
    for number, one in enumerate(history.bills):
        rows = np.flatnonzero(history.segment == number)
        exact = set(one.lines) - BY_TIME - ({"demand"} if accrues(tariff) else set())
        assert {name: int(costs[name][rows].sum()) for name in exact} == {name: one.lines[name] for name in exact}


@pytest.fixture(scope="module", params=KINDS)
def tariff(request: pytest.FixtureRequest) -> Tariff:
    return read_tariff(KINDS[request.param])


@given(data=long_loads(), which=st.integers(0, 39))
@settings(max_examples=4, deadline=None)
def test_every_bill_and_cost_has_a_derivation(tariff: Tariff, data: Intervals, which: int) -> None:
    check_all([tariff], data, which)


def test_a_divided_reading_is_marked() -> None:
    """The night of a working day ends at 07:30 in Madrid, 06:30 UTC."""
    contract = Contract(
        meter_id="m", site_path="a/b/c", timezone="Europe/Madrid", assignments=(Assignment("t", date(2026, 1, 1)),)
    )
    registry = cast(TariffRegistry, OnlyTariff(read_tariff(TWO_PRICES)))
    timeline = ContractTimeline(contract, registry)
    starts = (at("2026-02-10", 5), at("2026-02-10", 6), at("2026-02-10", 6.5))
    assert [timeline.position(start, 3600, is_read=False).demand_estimated for start in starts] == [False, True, False]
