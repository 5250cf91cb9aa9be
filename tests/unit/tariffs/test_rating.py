"""Rating: charges derived by hand, and the laws that make the costs of readings add up to the bill."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.exact import PrecisionError, round_div, scaled, times, total
from flink_job.tariffs.model import Tariff, TariffError
from flink_job.tariffs.rating import bill, marginal
from flink_job.tariffs.state import Basis, Charges, State

SAMPLES = Path(__file__).resolve().parents[3] / "sample_data" / "tariffs"
DAY_MS = 86_400_000
KWH = 1_000_000
#: TOU periods and demand slots of the states of these tests.
PERIODS, SLOTS = 6, 4
HEAD = {"tariff_id": "t", "version": "1", "currency": "EUR", "valid_from": "2026-01-01"}
TWO_PERIODS = {
    "days": [
        {
            "on": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
            "bands": [{"from": "00:00", "period": "low"}, {"from": "08:00", "period": "high"}],
        }
    ]
}


def tariff(**document: Any) -> Tariff:
    return read_tariff({**HEAD, **document})


def basis(rows: int = 1, cycle_days: int = 30, segment_days: int | None = None) -> Basis:
    segment = Segment(
        "t",
        "1",
        date(2026, 4, 1),
        0,
        cycle_days * DAY_MS,
        cycle_days,
        segment_days or cycle_days,
        0,
        cycle_days * DAY_MS,
    )
    return Basis.of([segment], np.zeros(rows, dtype=np.int64))


def state(imported: dict[int, int] | None = None, peak: dict[int, int] | None = None, exported: int = 0) -> State:
    def columns(values: dict[int, int], count: int) -> tuple[np.ndarray, ...]:
        return tuple(np.array([values.get(i, 0)], dtype=np.int64) for i in range(count))

    return State(columns(imported or {}, PERIODS), columns({0: exported}, PERIODS), columns(peak or {}, SLOTS))


def charges(of: Tariff, at: State, until_days: float = 0, **of_basis: Any) -> dict[str, int]:
    at = at._replace(time_ms=np.array([int(until_days * DAY_MS)], dtype=np.int64))
    return {k: int(v[0]) for k, v in bill(of, basis(**of_basis), at)._asdict().items()}


def test_one_price() -> None:
    # 1234.567 kWh x 0.189 = 233.333163
    one = tariff(energy={"periods": {"all": [{"price": "0.189"}]}})
    assert charges(one, state({0: 1_234_567_000}))["energy"] == 233_333_163


def test_half_a_micro_goes_to_the_even_neighbour() -> None:
    one = tariff(energy={"periods": {"all": [{"price": "0.5"}]}})
    assert [charges(one, state({0: n}))["energy"] for n in (1, 3, 5)] == [0, 2, 2]


def test_tiers_fill_within_each_period() -> None:
    # 100 x 0.10 + 50 x 0.20
    tiers = tariff(energy={"periods": {"all": [{"max": "100", "price": "0.10"}, {"price": "0.20"}]}})
    assert charges(tiers, state({0: 150 * KWH}))["energy"] == 20_000_000


def test_daily_tiers_count_the_days_of_the_segment() -> None:
    # 5 kWh a day x 30 days = 150 in the first tier: 150 x 0.10 + 50 x 0.20
    tiers = [{"max": "5", "price": "0.10"}, {"price": "0.20"}]
    daily = tariff(energy={"tier_unit": "kWh daily", "periods": {"all": tiers}})
    assert charges(daily, state({0: 200 * KWH}))["energy"] == 25_000_000


def test_bounds_are_prorated_to_a_part_of_the_cycle() -> None:
    # 12 of 30 days: the bound of 100 becomes 40. 40 x 0.10 + 10 x 0.20
    tiers = tariff(energy={"periods": {"all": [{"max": "100", "price": "0.10"}, {"price": "0.20"}]}})
    assert charges(tiers, state({0: 50 * KWH}), segment_days=12)["energy"] == 6_000_000


def test_prorated_tiers_are_shared_by_the_periods() -> None:
    # 300 kWh, 100 low and 200 high; the first tier holds 150, half of all: low 50 + 50, high 100 + 100.
    # 50 x 0.1 + 50 x 0.2 + 100 x 0.3 + 100 x 0.4 = 85
    shared = tariff(
        tier_rule="prorated",
        calendar=TWO_PERIODS,
        energy={
            "periods": {
                "low": [{"max": "150", "price": "0.1"}, {"price": "0.2"}],
                "high": [{"max": "150", "price": "0.3"}, {"price": "0.4"}],
            }
        },
    )
    assert charges(shared, state({0: 100 * KWH, 1: 200 * KWH}))["energy"] == 85_000_000


def test_chronological_tiers_fill_in_order_of_arrival() -> None:
    # 80 low, then 40 high over a bound of 100: 80 x 0.1 = 8; 20 x 0.3 + 20 x 0.4 = 14.
    # The other way round: 40 x 0.3 = 12; 60 x 0.1 + 20 x 0.2 = 10.
    ordered = tariff(
        tier_rule="chronological",
        calendar=TWO_PERIODS,
        energy={
            "periods": {
                "low": [{"max": "100", "price": "0.1"}, {"price": "0.2"}],
                "high": [{"max": "100", "price": "0.3"}, {"price": "0.4"}],
            }
        },
    )
    assert ordered.depends_on_order

    def step(before: dict[int, int], after: dict[int, int]) -> int:
        costs = marginal(ordered, basis(), state(before), state(after))
        return int(costs.energy[0])

    low, high, both = {0: 80 * KWH}, {1: 40 * KWH}, {0: 80 * KWH, 1: 40 * KWH}
    assert [step({}, low), step(low, both)] == [8_000_000, 14_000_000]
    assert [step({}, high), step(high, both)] == [12_000_000, 10_000_000]


def test_demand_is_the_mean_power_of_the_highest_interval() -> None:
    # 12.5 kWh in a quarter hour are 50 kW: 40 x 4.15 + 10 x 6.90 = 235
    demand = tariff(demand={"flat": [{"max": "40", "price": "4.15"}, {"price": "6.90"}]})
    assert charges(demand, state(peak={0: 12_500_000}))["demand"] == 235_000_000


def test_fixed_charges_accrue_with_time() -> None:
    # 30 a month, 1 a day, 36.5 a year: after 15 of 30 days 15 + 15 + half of 36.5 x 30 / 365
    fixed = [
        {"name": "a", "amount": "30", "per": "month"},
        {"name": "b", "amount": "1", "per": "day"},
        {"name": "c", "amount": "36.5", "per": "year"},
    ]
    assert charges(tariff(fixed=fixed), state(), until_days=15)["fixed"] == 31_500_000


def test_export_is_a_credit() -> None:
    feed = tariff(export={"prices": {"*": "0.06"}})
    assert charges(feed, state(exported=10 * KWH))["export"] == -600_000


def test_a_tax_may_stand_on_a_tax() -> None:
    # Energy 100; electricity tax 5 % = 5; VAT 21 % of 105 = 22.05
    taxed = tariff(
        energy={"periods": {"all": [{"price": "1"}]}},
        taxes=[
            {"name": "electricity", "rate": "0.05", "base": ["energy"]},
            {"name": "VAT", "rate": "0.21", "base": ["energy", "electricity"]},
        ],
    )
    assert charges(taxed, state({0: 100 * KWH}))["tax"] == 27_050_000


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"energy": {"periods": {"all": [{"price": 0.2}]}}}, "energy/periods/all/0/price"),
        ({"energie": {}}, "energie"),
        ({"energy": {"periods": {"peak": [{"price": "1"}]}}}, "'peak' is not in the calendar"),
        ({"calendar": TWO_PERIODS, "energy": {"periods": {"low": [{"price": "1"}]}}}, "no price for period 'high'"),
        ({"energy": {"periods": {"all": [{"price": "1"}, {"price": "2"}]}}}, "every tier except the last needs a max"),
        ({"taxes": [{"name": "VAT", "rate": "0.1", "base": ["enery"]}]}, "taxes/0/base: 'enery'"),
        ({"energy": {"periods": {"all": [{"price": "0.1234567891"}]}}}, "energy/periods/all/0/price"),
    ],
)
def test_faults_name_their_place(document: dict[str, Any], place: str) -> None:
    with pytest.raises(TariffError, match=place):
        tariff(**document)


# --- laws -----------------------------------------------------------------------------------------------------------

TARIFFS = [read_tariff(json.loads(path.read_text())) for path in sorted(SAMPLES.glob("*.json"))]

reading = st.tuples(
    st.integers(0, 2),  # TOU period
    st.integers(-3 * KWH, 40 * KWH),  # import delta
    st.integers(0, 5 * KWH),  # export delta
    st.integers(0, 20 * KWH),  # demand interval's energy
    st.integers(0, 3),  # demand slot
    st.integers(0, 2879),  # quarter hour of the cycle
)


def run_through(of: Tariff, readings: list[Any], split: bool) -> tuple[Charges, State]:
    """Marginal costs of readings in this order: in one batch, or each by itself."""
    rows = len(readings)
    periods = len(of.periods)
    imported, exported = np.zeros((PERIODS, rows + 1), np.int64), np.zeros((PERIODS, rows + 1), np.int64)
    peaks = np.zeros((SLOTS, rows + 1), np.int64)
    first = [quarter not in [r[5] for r in readings[:i]] for i, (*_, quarter) in enumerate(readings)]
    time_ms = np.cumsum([0, *(900_000 * is_first for is_first in first)])
    for i, (period, delta, export, demand, slot, _) in enumerate(readings):
        for column in (imported, exported, peaks):
            column[:, i + 1] = column[:, i]
        imported[period % periods, i + 1] += delta
        exported[period % periods, i + 1] += export
        for s in {0, slot}:
            peaks[s, i + 1] = max(peaks[s, i], demand)

    def price(low: int, high: int) -> Charges:
        def at(shift: int) -> State:
            cut = slice(low + shift, high + shift)
            return State(tuple(imported[:, cut]), tuple(exported[:, cut]), tuple(peaks[:, cut]), time_ms[cut])

        return marginal(of, basis(high - low), at(0), at(1))

    parts = [price(i, i + 1) for i in range(rows)] if split else [price(0, rows)]
    joined = Charges(*(np.concatenate([part[k].astype(object) for part in parts]) for k in range(len(Charges._fields))))
    final = State(*(tuple(row[-1:] for row in column) for column in (imported, exported, peaks)), time_ms[-1:])
    return joined, final


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(TARIFFS), st.lists(reading, min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_costs_add_up_to_the_bill_in_any_order_and_any_batches(of: Tariff, readings: list[Any], rng: Any) -> None:
    costs, final = run_through(of, readings, split=False)
    alone, _ = run_through(of, readings, split=True)
    shuffled = list(readings)
    rng.shuffle(shuffled)
    others, other_final = run_through(of, shuffled, split=False)
    final_bill = bill(of, basis(), final)
    for kind in Charges._fields:
        line = getattr(costs, kind)
        assert line.tolist() == getattr(alone, kind).tolist()
        if kind in ("energy", "tax") and of.depends_on_order:
            continue
        assert sum(line.tolist()) == int(getattr(final_bill, kind)[0])
        assert sum(line.tolist()) == sum(getattr(others, kind).tolist())
    assert [int(e[0]) for e in final.imported_ukwh] == [int(e[0]) for e in other_final.imported_ukwh]


def test_fixed_charges_of_a_whole_cycle_are_the_whole_charge() -> None:
    fixed = tariff(fixed=[{"name": "a", "amount": "100", "per": "month"}])
    starts = np.arange(2880, dtype=np.int64) * 900_000
    zero = State(*(tuple(np.zeros(2880, np.int64) for _ in range(n)) for n in (PERIODS, PERIODS, SLOTS)))
    before, after = (zero._replace(time_ms=time) for time in (starts, starts + 900_000))
    costs = marginal(fixed, basis(2880), before, after)
    assert sum(costs.fixed.tolist()) == 100_000_000


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**25))
def test_round_div_is_half_even(numerator: int, denominator: int) -> None:
    got = round_div(np.array([numerator], dtype=object), denominator)[0]
    assert got == round(Fraction(numerator, denominator))


@given(st.integers(-(1 << 62), 1 << 62), st.integers(-(1 << 62), 1 << 62))
def test_products_and_sums_never_overflow(one: int, other: int) -> None:
    left, right = np.array([one]), np.array([other])
    assert int(times(left, other)[0]) == one * other
    assert int(total([left, right])[0]) == one + other


def test_a_price_with_too_many_decimals_is_refused() -> None:
    with pytest.raises(PrecisionError):
        scaled(Decimal("0.0000000001"))
