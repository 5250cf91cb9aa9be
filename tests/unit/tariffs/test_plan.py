"""Bill plans: the updates of readings, applied one by one, are the accumulators that bills are computed from."""

from __future__ import annotations

import numpy as np

from flink_job.tariffs.plan import BillPlan, DemandPart, EnergyPart, Placed, Quantity
from flink_job.tariffs.updates import Operation, group, program
from tests.harness.bill_state import Bill
from tests.unit.tariffs.test_rating import TWO_PERIODS, tariff

HOUR_MS, QUARTER_S = 3_600_000, 900
TOU = {
    "calendar": TWO_PERIODS,
    "energy": {"periods": {"low": [{"price": "0.1"}], "high": [{"price": "0.2"}]}},
    "demand": {"window_s": QUARTER_S, "flat": [{"price": "1"}], "periods": {"high": [{"price": "2"}]}},
}


def placed(period: int, parts: list[DemandPart], interval_s: int, is_read: bool = False) -> Placed:
    length_ms = interval_s * 1000
    return Placed([EnergyPart(period, 0, length_ms)], parts, interval_s, length_ms, is_read=is_read)


def test_values_are_encoded_in_seven_bits_a_byte() -> None:
    # 300 = 2 x 128 + 44: the low bits first, with the highest bit set as another byte follows.
    assert program(3, group(0, 300)) == bytes([3, Operation.GROUP, 0, 44 | 128, 2])


def test_energy_is_added_to_its_period_and_direction() -> None:
    plan, bill = BillPlan(tariff(**TOU)), Bill()
    for period, imported, exported in [(0, 5, 1), (1, 7, 0), (0, 2, 4)]:
        parts = [DemandPart(period, 0, 0, QUARTER_S * 1000)]
        bill.apply(plan.updates(placed(period, parts, QUARTER_S, is_read=False)), {0: (0, imported), 1: (0, exported)})
    slots = np.array([[bill.slots[slot]] for slot in range(plan.slots)])
    state = plan.state(slots)
    assert [int(e[0]) for e in state.imported_ukwh] == [7, 7]
    assert [int(e[0]) for e in state.exported_ukwh] == [5, 0]
    # Slot 0 of the peaks is that of all hours; only `high` has a demand price of its own.
    assert [int(e[0]) for e in state.peak_ukwh] == [7, 7]


def test_short_readings_add_up_to_their_demand_interval() -> None:
    plan, bill = BillPlan(tariff(**TOU)), Bill()
    shown = [
        bill.apply(plan.updates(placed(0, [DemandPart(0, window, 0, 300_000)], 300, is_read=False)), {0: (0, energy)})
        for window, energy in [(0, 4), (0, 3), (QUARTER_S * 1000, 6), (0, 2)]
    ]
    assert shown == [4, 7, 6, 9]
    assert bill.slots[plan.of["peaks"][0]] == 9


def test_a_reading_as_long_as_the_demand_interval_needs_no_group() -> None:
    plan, bill = BillPlan(tariff(**TOU)), Bill()
    parts = [DemandPart(0, 0, 0, QUARTER_S * 1000)]
    assert bill.apply(plan.updates(placed(0, parts, QUARTER_S, is_read=False)), {0: (0, 8)}) == 8
    # A correction shows the whole interval, which is lower; the peak stays.
    assert bill.apply(plan.updates(placed(0, parts, QUARTER_S, is_read=False)), {0: (8, 6)}) == 6
    assert bill.slots[plan.of["peaks"][0]] == 8
    assert not bill.groups


def test_the_energy_of_register_reads_adds_up_even_in_whole_intervals() -> None:
    plan, bill = BillPlan(tariff(**TOU)), Bill()
    updates = plan.updates(placed(0, [DemandPart(0, 0, 0, QUARTER_S * 1000)], QUARTER_S, is_read=True))
    # The second read of the interval has what it adds, 3, as its quantity.
    assert [bill.apply(updates, {Quantity.READ: (0, energy)}) for energy in (8, 3)] == [8, 11]


def test_a_longer_reading_counts_with_its_mean_power() -> None:
    """100 in an hour are 25 in a quarter hour."""
    plan, bill = BillPlan(tariff(**TOU)), Bill()
    assert bill.apply(plan.updates(placed(1, [DemandPart(1, 0, 0, HOUR_MS)], 3600, is_read=False)), {0: (0, 100)}) == 25
    assert bill.slots[plan.of["imported"][1]] == 100


def test_a_reading_that_straddles_two_demand_intervals_is_divided_by_time() -> None:
    """7 in ten minutes, of which five are in each interval: floor(3.5) in the second, the rest in the first."""
    plan, bill = BillPlan(tariff(**TOU)), Bill()
    parts = [DemandPart(0, 0, 0, 300_000), DemandPart(1, QUARTER_S * 1000, 300_000, 600_000)]
    assert bill.apply(plan.updates(placed(0, parts, 600, is_read=False)), {Quantity.IMPORT: (0, 7)}) == 4
    assert [bill.slots[slot] for slot in plan.of["peaks"]] == [4, 3]


def test_a_bill_may_have_many_periods() -> None:
    """Twelve periods of two hours, all with a demand price: 12 sums for each direction, 1 + 12 peaks."""
    bands = [{"from": f"{hour:02}:00", "period": f"from {hour}"} for hour in range(0, 24, 2)]
    prices = {band["period"]: [{"price": "0.1"}] for band in bands}
    calendar = {"days": [{"on": TWO_PERIODS["days"][0]["on"], "bands": bands}]}
    many = tariff(calendar=calendar, energy={"periods": prices}, demand={"periods": prices})
    plan, bill = BillPlan(many), Bill()
    assert plan.slots == 1 + 12 + 12 + 1 + 12
    slot, period = many.demand_periods["from 22"], many.periods.index("from 22")
    parts = [DemandPart(slot, 0, 0, QUARTER_S * 1000)]
    bill.apply(plan.updates(placed(period, parts, QUARTER_S)), {0: (0, 5)})
    of = plan.of
    assert {at for at, value in bill.slots.items() if value} == {
        of["imported"][period],
        of["peaks"][0],
        of["peaks"][slot],
    }
