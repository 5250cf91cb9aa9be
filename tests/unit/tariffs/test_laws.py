"""Laws that hold for every kind of charge: what readings cost adds up to the bill, in any order and batches."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.billing.columns import QUANTITIES, ReadingColumns
from flink_job.metering.contract import Assignment, Contract
from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, History, Intervals, rate_history, versions_in_force
from flink_job.tariffs.model import Dynamic, Tariff
from flink_job.tariffs.plan import BillPlan, Counting
from flink_job.tariffs.price_book import Price
from flink_job.tariffs.prices import PriceSeries, dynamic_price
from flink_job.tariffs.rating import marginal
from flink_job.tariffs.registry import TariffRegistry
from flink_job.tariffs.resolve import ContractTimeline
from flink_job.tariffs.state import Basis, Charges
from tests.harness.bill_state import Bill
from tests.harness.kinds import FIRST, KINDS, LAST, STREAMED, TWO_PRICES

MADRID = ZoneInfo("Europe/Madrid")
#: Cycles from the 15th: 28 days, then 31 with the night of 29 March, whose clocks change.
TERMS = BillingTerms(MADRID, billing_day=15)
QUARTER_MS = 900_000
EPOCH = local_midnight_ms(FIRST, MADRID)
QUARTERS = (local_midnight_ms(LAST, MADRID) - EPOCH) // QUARTER_MS
HALF_HOURS = np.arange(EPOCH - 48 * 1_800_000, EPOCH + QUARTERS * QUARTER_MS + 48 * 1_800_000, 1_800_000)
SPOT = {
    "spot": PriceSeries("spot", HALF_HOURS, HALF_HOURS + 1_800_000, ((HALF_HOURS // 1_800_000) % 37 - 7) * 13_000_000)
}
#: Charges that time adds up: they are not a function of the readings alone.
BY_TIME = {"fixed", "minimum", "tax"}


@st.composite
def loads(draw: st.DrawFn, least: int = 2) -> Intervals:
    """Quarter hours, some missing, with all quantities."""
    count = draw(st.integers(least, 60))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    start = EPOCH + np.sort(rng.choice(QUARTERS, size=count, replace=False)) * QUARTER_MS
    quantities = [rng.integers(0, top, size=count) * (rng.random(count) < share) for top, share in _SHARES]
    return Intervals(start, np.full(count, QUARTER_MS), *(q.astype(np.int64) for q in quantities))


_SHARES = ((6_000_000, 0.9), (3_000_000, 0.4), (9_000_000, 0.7), (2_000_000, 0.3))


def rated(tariff: Tariff, data: Intervals) -> History:
    return rate_history(versions_in_force([tariff]), TERMS, data, SPOT)


def lines(history: History) -> dict[str, int]:
    names = history.costs
    return {name: sum(one.lines[name] for one in history.bills) for name in names}


def accrues(tariff: Tariff) -> bool:
    """True if a part of the demand charge accrues with time: what is billed without a peak."""
    demand = tariff.demand
    return bool(
        tariff.cap or demand.ratchet or demand.statistic or demand.minimum_u or demand.minimum_share_e9 or demand.steps
    )


@pytest.fixture(scope="module", params=KINDS)
def tariff(request: pytest.FixtureRequest) -> Tariff:
    return read_tariff(KINDS[request.param])


@given(data=loads())
@settings(max_examples=25, deadline=None)
def test_costs_of_a_cycles_readings_are_its_bill(tariff: Tariff, data: Intervals) -> None:
    history = rated(tariff, data)
    for number, one in enumerate(history.bills):
        rows = history.segment == number
        if rows.any():
            assert {name: int(cost[rows].sum()) for name, cost in history.costs.items()} == dict(one.lines)


@given(data=loads(), order=st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_order_of_the_readings_does_not_matter(tariff: Tariff, data: Intervals, order: Any) -> None:
    rows = list(range(len(data.start_ms)))
    order.shuffle(rows)
    assert rated(tariff, data.part(np.array(rows))).bills == rated(tariff, data).bills


@given(data=loads(), cut=st.integers(1, 59))
@settings(max_examples=25, deadline=None)
def test_costs_so_far_are_the_bill_so_far(tariff: Tariff, data: Intervals, cut: int) -> None:
    """A cycle split anywhere: what the first readings cost does not depend on those that follow."""
    if tariff.depends_on_order and "kW" in tariff.tier_unit.split("/")[-1]:
        return  # The billed kW of the whole cycle say where its tiers end: known at the end only.
    cut = min(cut, len(data.start_ms) - 1)
    whole, part = rated(tariff, data), rated(tariff, data.part(slice(0, cut)))
    for name in whole.costs.keys() - BY_TIME:
        last = whole.segment[cut - 1]
        inside = (whole.segment[:cut] == last).sum()
        if name == "demand" and accrues(tariff):
            continue
        closes = name == "export" and tariff.export.rule == "net_metering"
        if whole.segment[cut] == last and not closes:
            assert int(whole.costs[name][:cut][-inside:].sum()) == part.bills[last].lines[name]


@given(data=loads())
@settings(max_examples=15, deadline=None)
def test_repeated_records_change_nothing(tariff: Tariff, data: Intervals) -> None:
    columns = ReadingColumns(
        ["m"],
        np.zeros(len(data.start_ms), np.int64),
        data.start_ms,
        data.interval_ms,
        {name: getattr(data, name) for name in QUANTITIES},
    )
    once, none = columns.by_meter()
    twice, repeats = ReadingColumns.concatenated([columns, columns]).by_meter()
    assert rated(tariff, twice["m"]).bills == rated(tariff, once["m"]).bills
    assert (none, repeats) == (0, 4 * len(data.start_ms))


@given(data=loads(), days=st.sets(st.integers(1, 60), min_size=1, max_size=3))
@settings(max_examples=10, deadline=None)
def test_a_new_version_with_the_same_prices_changes_no_line(tariff: Tariff, data: Intervals, days: set[int]) -> None:
    """Every line of every cycle is equal to the last digit, and the costs add up to the bills."""
    changes = [FIRST + timedelta(days=day) for day in sorted(days)]
    versions = [tariff, *(replace(tariff, version=f"{day}", valid_from=day) for day in changes)]
    cut = rate_history(versions_in_force(versions), TERMS, data, SPOT)
    assert _by_cycle(cut) == _by_cycle(rated(tariff, data))
    for number, one in enumerate(cut.bills):
        rows = cut.segment == number
        if rows.any():
            assert {name: int(costs[rows].sum()) for name, costs in cut.costs.items()} == one.lines


def _by_cycle(history: History) -> dict[tuple[date, str], int]:
    amounts: Counter[tuple[date, str]] = Counter()
    for one in history.bills:
        amounts.update({(one.cycle_start, name): amount for name, amount in one.lines.items()})
    return dict(amounts)


@given(data=loads(), order=st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
@pytest.mark.parametrize("kind", STREAMED)
def test_the_streams_costs_in_any_order_are_the_batch_bill(kind: str, data: Intervals, order: Any) -> None:
    tariff = streamed(kind)
    history = rated(tariff, data)
    costs = in_stream(tariff, data, order)
    for number, one in enumerate(history.bills):
        rows = np.flatnonzero(history.segment == number)
        exact = set(one.lines) - BY_TIME - ({"demand"} if accrues(tariff) else set())
        assert {name: int(costs[name][rows].sum()) for name in exact} == {name: one.lines[name] for name in exact}


#: Without earlier cycles these have nothing to take over from them.
FIRST_CYCLE = (
    "ratchet",
    "mean of the peaks of three cycles",
    "yearly demand in instalments",
    "tax by bands of the year",
    "net metering across periods, from May",
    "net metering of the year, across periods",
    "net metering",
    "net metering, adjusted by month",
    "net billing, carried over",
)


@pytest.mark.parametrize("kind", [*STREAMED, *FIRST_CYCLE])
def test_where_no_reading_is_missing_every_line_is_that_of_batch(kind: str) -> None:
    """All quarter hours of the cycle of 28 days from 15 February, in any order."""
    tariff = read_tariff(KINDS[kind]) if kind in FIRST_CYCLE else streamed(kind)
    rng = np.random.default_rng(7)
    bounds = (local_midnight_ms(day, MADRID) for day in (date(2026, 2, 15), date(2026, 3, 15)))
    start = np.arange(*bounds, QUARTER_MS)
    quantities = [rng.integers(0, top, size=len(start)) * (rng.random(len(start)) < share) for top, share in _SHARES]
    data = Intervals(start, np.full(len(start), QUARTER_MS), *(q.astype(np.int64) for q in quantities))
    (one,) = rated(tariff, data).bills
    costs = in_stream(tariff, data, random.Random(7))
    assert {name: int(cost.sum()) for name, cost in costs.items()} == one.lines


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # 17 days of a year of 365 days and 14 of one of 366, at 366 a year: 31.046575; with 3.65 kW x 100 a year.
        (date(2027, 12, 15), date(2028, 1, 15), 31_046_575 + 17_000_000 + round(14 * 365 / 366 * 1e6)),
        # 17 days of a year of 366 days and 14 of one of 365.
        (date(2028, 12, 15), date(2029, 1, 15), 17_000_000 + round(14 * 366 / 365 * 1e6) + 16_953_552 + 14_000_000),
        (date(2026, 12, 15), date(2027, 1, 15), 31_084_932 + 31_000_000),
    ],
)
def test_yearly_charges_over_the_turn_of_a_leap_year(start: date, end: date, expected: int) -> None:
    document = {
        **TWO_PRICES,
        "fixed": [{"name": "a", "amount": "366", "per": "year"}],
        "contracted_power": {"periods": {"day": "100"}, "kw": {"day": "3.65"}},
    }
    tariff = read_tariff(document)
    starts = np.arange(*(local_midnight_ms(day, MADRID) for day in (start, end)), 3_600_000)
    data = Intervals.of(starts, np.full(len(starts), 3_600_000), np.full(len(starts), 1_000_000))
    (one,) = rated(tariff, data).bills
    costs = in_stream(tariff, data, random.Random(7), 3_600_000)
    assert {name: int(cost.sum()) for name, cost in costs.items()} == one.lines
    assert abs(one.lines["fixed"] - expected) <= 2


class Spot:
    """A price book with the series of these tests."""

    def price(self, rule: Dynamic, tenant: str, start_ms: int, interval_ms: int) -> Price:
        found = dynamic_price(rule, SPOT["spot"], np.array([start_ms]), np.array([interval_ms]))
        return Price(int(found[0]), False)


class OnlyTariff(NamedTuple):
    """A registry of one version, in force without an end."""

    tariff: Tariff
    prices: Spot = Spot()

    def in_force(self, tariff_id: str, day: date) -> tuple[Tariff, date, date | None]:
        return self.tariff, self.tariff.valid_from, None


def streamed(kind: str) -> Tariff:
    tariff = read_tariff(STREAMED[kind])
    assert not list(tariff.left_to_settlement())
    return tariff


def in_stream(
    tariff: Tariff,
    data: Intervals,
    order: Any,
    interval_ms: int = QUARTER_MS,
    counting: Counting = Counting.ALONE,
) -> dict[str, np.ndarray]:
    """The costs of readings that arrive in some order, by line, as the stream computes them: by plan and updates."""
    contract = Contract(
        meter_id="m",
        site_path="a/b/c",
        timezone="Europe/Madrid",
        billing_day=15,
        assignments=(Assignment("t", tariff.valid_from),),
    )
    timeline = ContractTimeline(contract, cast(TariffRegistry, OnlyTariff(tariff)), counting)
    bills: dict[str, Bill] = {}
    columns = zip(*(getattr(data, name).tolist() for name in ("start_ms", *QUANTITIES)), strict=True)
    rows = list(enumerate(columns))
    order.shuffle(rows)
    costs = {name: np.zeros(len(rows), np.int64) for name in Charges._fields}
    for row, (start_ms, imported, exported, reactive, capacitive) in rows:
        at = timeline.position(start_ms, interval_ms // 1000, is_read=False)
        own = tariff.of_segment(at.segment.cycle_start.month, at.segment.start)
        plan, bill_so_far = BillPlan(own, at.segment.power_u, counting), bills.setdefault(at.bill_key, Bill())
        before = bill_so_far.values(plan.slots)
        amounts = (imported, exported, reactive, capacitive, interval_ms)
        bill_so_far.apply(at.updates, {number: (0, amount) for number, amount in enumerate(amounts)})
        basis = Basis.of([at.segment], np.zeros(1, np.int64), own)
        charges = marginal(own, basis, plan.state(before), plan.state(bill_so_far.values(plan.slots)))
        for name, amount in charges._asdict().items():
            costs[name][row] = amount[0]
    return costs


@given(data=loads())
@settings(max_examples=5, deadline=None)
@pytest.mark.parametrize("kind", STREAMED)
def test_a_reading_alone_costs_what_it_costs_among_others(kind: str, data: Intervals) -> None:
    """The scalar form is the vector form of one element."""
    tariff = streamed(kind).of_cycle(3)
    count = len(data.start_ms)
    plan = BillPlan(tariff)
    shares = np.arange(1, plan.slots + 1)[:, None]
    after = np.cumsum(data.import_ukwh)[None, :] // shares
    before = np.concatenate([np.zeros((plan.slots, 1), np.int64), after[:, :-1]], axis=1)
    days = np.full(count, 31)
    bounds = np.full(count, EPOCH), np.full(count, EPOCH + 31 * 96 * QUARTER_MS)
    basis = Basis(days - 4, days, *bounds, days + 334, *bounds)
    together = marginal(tariff, basis, plan.state(before), plan.state(after))

    def one(row: int) -> tuple[int, ...]:
        rows = slice(row, row + 1)
        alone = Basis(*(getattr(basis, name)[rows] for name in basis.__dataclass_fields__ if name != "turn"))
        charges = marginal(tariff, alone, plan.state(before[:, rows]), plan.state(after[:, rows]))
        return tuple(int(amount[0]) for amount in charges)

    for row in range(count):
        assert one(row) == tuple(int(amount[row]) for amount in together)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 5, 5), 24)])
def test_days_of_23_and_25_hours(day: date, hours: int) -> None:
    """Every hour of the day is charged once, and a charge per day is one day's for any length of the day."""
    begin, end = (local_midnight_ms(day + timedelta(days=n), MADRID) for n in (0, 1))
    start = np.arange(begin, end, QUARTER_MS)
    assert len(start) == hours * 4
    data = Intervals.of(start, np.full(len(start), QUARTER_MS), np.full(len(start), 250_000))
    one_day = BillingTerms(MADRID, cycle_starts=(day, day + timedelta(days=1)))
    document = {**STREAMED["fixed"], "fixed": [{"name": "a", "amount": "0.41", "per": "day"}]}
    history = rate_history(versions_in_force([read_tariff(document)]), one_day, data)
    (only,) = history.bills
    assert only.lines["fixed"] == 410_000
    night = hours if day.weekday() >= 5 else 10.5
    assert only.lines["energy"] == round(night * 71_234.5 + (hours - night) * 190_000)
