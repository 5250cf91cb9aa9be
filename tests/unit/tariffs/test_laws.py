"""Laws that hold for every kind of charge: what readings cost adds up to the bill, in any order and batches."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.billing.columns import QUANTITIES, ReadingColumns
from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.calendar import Timeline
from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, History, Intervals, rate_history, versions_in_force
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.prices import PriceSeries
from flink_job.tariffs.rating import bill, marginal
from flink_job.tariffs.state import Basis, State
from tests.harness.kinds import FIRST, KINDS, LAST, STREAMED

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
        if name == "demand" and (tariff.demand.ratchet or tariff.demand.minimum_u):
            continue  # Its floor accrues with time.
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
    tariff = read_tariff(STREAMED[kind])
    assert not list(tariff.beyond_stream())
    assert not list(tariff.left_to_batch())
    history = rated(tariff, data)
    rows = list(range(len(data.start_ms)))
    order.shuffle(rows)
    for number, one in enumerate(history.bills):
        arrived = np.array([row for row in rows if history.segment[row] == number], dtype=np.int64)
        if len(arrived):
            streamed = _streamed(tariff, data.part(arrived), one.cycle_start, one.end)
            exact = {name: one.lines[name] for name in ("energy", "demand", "export")}
            assert {name: streamed[name] for name in exact} == exact


def _streamed(tariff: Tariff, data: Intervals, start: date, end: date) -> dict[str, int]:
    """Sums of the marginal costs of one cycle's readings, in the order given."""
    days = (end - start).days
    bounds = (local_midnight_ms(start, MADRID), local_midnight_ms(end, MADRID))
    segment = Segment("t", "1", start, *bounds, days, days, *bounds)
    basis = Basis.of([segment], np.zeros(len(data.start_ms), np.int64))
    at = np.argsort(data.start_ms)
    period = np.empty(len(at), np.int64)
    period[at] = Timeline(tariff.calendar, MADRID).periods_at(data.start_ms[at])
    slot = np.array([tariff.demand_periods.get(name, 0) for name in tariff.periods])[period]

    def sums(quantity: np.ndarray) -> list[np.ndarray]:
        return [np.cumsum(np.where(period == p, quantity, 0)) for p in range(len(tariff.periods))]

    def peaks(s: int) -> np.ndarray:
        return np.maximum.accumulate(np.where((slot == s) | (s == 0), data.import_ukwh, 0))

    after = State(tuple(sums(data.import_ukwh)), tuple(sums(data.export_ukwh)), tuple(peaks(s) for s in range(4)))
    before = State(*(tuple(np.append(0, column[:-1]) for column in part) for part in after))
    charges = marginal(tariff, basis, before, after, (data.start_ms, data.end_ms), np.ones(len(at), dtype=bool))
    total = bill(tariff, basis, State(*(tuple(c[-1:].repeat(len(at)) for c in part) for part in after)), data.end_ms)
    for name in ("energy", "demand", "export"):
        assert int(getattr(charges, name).sum()) == int(getattr(total, name)[0])
    return {name: int(getattr(charges, name).sum()) for name in charges._fields}


@given(data=loads())
@settings(max_examples=5, deadline=None)
@pytest.mark.parametrize("kind", STREAMED)
def test_a_reading_alone_costs_what_it_costs_among_others(kind: str, data: Intervals) -> None:
    """The scalar form is the vector form of one element."""
    tariff = read_tariff(STREAMED[kind])
    count = len(data.start_ms)
    energy, export = np.cumsum(data.import_ukwh), np.cumsum(data.export_ukwh)
    zeros = np.zeros(count, np.int64)
    after = State((energy, energy // 2), (export, zeros), (energy // 7, energy // 9, zeros, zeros))
    before = State(*(tuple(np.append(0, column[:-1]) for column in part) for part in after))
    days = np.full(count, 31)
    basis = Basis(days - 4, days, np.full(count, EPOCH), np.full(count, EPOCH + 31 * 96 * QUARTER_MS), days + 334)
    counts = np.ones(count, dtype=bool)
    together = marginal(tariff, basis, before, after, (data.start_ms, data.end_ms), counts)

    def one(row: int) -> tuple[int, ...]:
        rows = slice(row, row + 1)
        states = (State(*(tuple(column[rows] for column in part) for part in state)) for state in (before, after))
        alone = Basis(*(getattr(basis, name)[rows] for name in basis.__dataclass_fields__))
        interval = (data.start_ms[rows], data.end_ms[rows])
        return tuple(int(amount[0]) for amount in marginal(tariff, alone, *states, interval, counts[rows]))

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
