"""Shares of a bill, computed by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from flink_job.metering.supply_terms import Sharing
from flink_job.metering.zones import local_midnight_ms
from flink_job.supplies.apportion import apportion, apportion_one
from flink_job.supplies.membership import supplies_of
from flink_job.supplies.rated import rate_supply
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, Intervals, rate_history, versions_in_force
from tests.harness.plants import ENERGY_AND_PEAK, MADRID, Plant

HOUR_MS = 3_600_000
#: 0.10 per kWh, 1 per kW of the highest hour, 14 a month, 10 % tax on all of it.
TARIFF: dict[str, Any] = {
    **ENERGY_AND_PEAK,
    "fixed": [{"name": "supply", "amount": "14", "per": "month"}],
    "taxes": [{"name": "tax", "rate": "0.10", "base": ["energy", "demand", "fixed"]}],
}
START = local_midnight_ms(date(2026, 3, 20), MADRID)


def hours(*kwh: float, start_ms: int = START, length_ms: int = HOUR_MS) -> Intervals:
    """Consecutive intervals of imported energy [kWh]."""
    starts = start_ms + np.arange(len(kwh)) * length_ms
    return Intervals.of(starts, np.full(len(kwh), length_ms), np.rint(np.array(kwh) * 1e6).astype(np.int64))


def plant(sharing: Sharing | None = None) -> Plant:
    """A main, m1 with m2 behind it, and m3."""
    found = Plant(sharing=sharing or Sharing())
    found.add("main", "main", hours(10, 40, 20))
    found.add("m1", "sub", hours(6, 10, 20))
    found.add("m2", "sub", hours(2, 4, 0), upstream="m1")
    found.add("m3", "sub", hours(1, 20, 0))
    return found


def shared(of: Plant, document: dict[str, Any] = TARIFF) -> dict[str, dict[str, float]]:
    """Charges above 0, and kWh, by meter."""
    (supply,), faults = supplies_of(of.contracts, of.terms)
    assert not faults
    terms = BillingTerms(MADRID, billing_day=15)
    tariff = read_tariff(document)
    rated = rate_supply(supply, of.readings, lambda data: rate_history(versions_in_force([tariff]), terms, data))
    found: dict[str, dict[str, float]] = {}
    for bill in rated.bills():
        for shares in bill.shares:
            for number, meter in enumerate((*shares.tree.nodes, "rest")):
                row = found.setdefault(meter, {})
                for line, amounts in (*shares.amounts.items(), ("kwh", shares.net_ukwh)):
                    row[line] = row.get(line, 0) + int(amounts[number].sum()) / 1e6
    return {meter: {line: value for line, value in row.items() if value} for meter, row in found.items()}


def test_the_example_of_the_documentation() -> None:
    """Energy 7 = 70 kWh x 0.10, demand 40 kW in the second hour, fixed 14 (0.20 per kWh), tax 6.10; bill 67.10.

    Net kWh: m1 6-2, 10-4, 20-0 = 30; m2 6; m3 21; rest 10-6-1, 40-10-20, 0 = 13. In the second hour m1 has 6 kW, m2 4,
    m3 20 and the rest 10. Tax is 10 % of what each bears: 15.00, 5.80, 26.30, 13.90.
    """
    assert shared(plant()) == {
        "m1": {"energy": 3.0, "demand": 6.0, "fixed": 6.0, "tax": 1.5, "kwh": 30.0},
        "m2": {"energy": 0.6, "demand": 4.0, "fixed": 1.2, "tax": 0.58, "kwh": 6.0},
        "m3": {"energy": 2.1, "demand": 20.0, "fixed": 4.2, "tax": 2.63, "kwh": 21.0},
        "rest": {"energy": 1.3, "demand": 10.0, "fixed": 2.6, "tax": 1.39, "kwh": 13.0},
    }


def test_the_rule_of_demand_and_fixed_charges_is_a_setting() -> None:
    """By energy, demand of 40 is 40/70 per kWh; by the peak, the fixed 14 is 14/40 per kW of the second hour.

    40 x 30/70 = 17.142857, and largest remainders give m3 (21/70 = 12) its whole part. 14 x 6/40 = 2.1.
    """
    found = shared(plant(Sharing(demand="energy", fixed="peak")))
    assert found["m1"]["demand"] == pytest.approx(17.142857, abs=3e-6)
    assert found["m3"]["demand"] == pytest.approx(12, abs=3e-6)
    assert [found[meter]["fixed"] for meter in ("m1", "m2", "m3", "rest")] == [2.1, 1.4, 7.0, 3.5]


def test_submeters_that_measure_more_than_the_main_share_the_bill_and_the_rest_is_negative() -> None:
    """8 + 4 kWh behind a main of 10: the rest is -2 kWh and bears nothing; the bill is shared 8 : 4."""
    of = Plant()
    of.add("main", "main", hours(10))
    of.add("m1", "sub", hours(8))
    of.add("m2", "sub", hours(4))
    found = shared(of)
    assert found["rest"] == {"kwh": -2.0}
    assert (found["m1"]["demand"], found["m2"]["demand"]) == (6.666667, 3.333333)
    assert found["m1"]["kwh"] == 8.0


def test_two_mains_have_one_peak() -> None:
    """8 and 3 kW in the first hour, 2 and 7 in the second: the supply peaked at 11 kW, not at 8 + 7 = 15.

    Without submeters the mains bear the bill: 8 and 3 kW of the first hour.
    """
    of = Plant()
    of.add("a", "main", hours(8, 2))
    of.add("b", "main", hours(3, 7))
    found = shared(of)
    assert (found["a"]["demand"], found["b"]["demand"]) == (8.0, 3.0)


def test_mains_with_other_intervals_are_added_at_the_same_time() -> None:
    """A main by the hour and one by the quarter: 10 kW + (4 x 4, 0, 0, 0) kW is 14 kW in the hour of demand.

    With quarter hours of demand, the first one has 10 + 16 = 26 kW: the hour counts with its mean power.
    """
    of = Plant()
    of.add("a", "main", hours(10))
    of.add("b", "main", hours(4, 0, 0, 0, length_ms=HOUR_MS // 4))
    assert sum(row["demand"] for row in shared(of).values() if "demand" in row) == 14.0
    by_quarter = {**TARIFF, "demand": {**TARIFF["demand"], "window_s": 900}}
    assert sum(row["demand"] for row in shared(of, by_quarter).values() if "demand" in row) == 26.0


def test_a_supply_of_parts_is_shared_to_its_parts() -> None:
    """Two parts of 10 and 30 kWh: 40 kW, 4 of energy; there is no rest."""
    of = Plant()
    of.add("a", "part", hours(10))
    of.add("b", "part", hours(30))
    found = shared(of)
    assert (found["a"]["demand"], found["b"]["demand"], found["rest"]) == (10.0, 30.0, {})


def test_a_submeter_by_the_quarter_of_an_hour_is_added_up_in_the_hour_of_the_main() -> None:
    """1 + 2 + 0 + 1 = 4 of 10 kWh."""
    of = Plant()
    of.add("main", "main", hours(10))
    of.add("m1", "sub", hours(1, 2, 0, 1, length_ms=HOUR_MS // 4))
    assert (shared(of)["m1"]["kwh"], shared(of)["rest"]["demand"]) == (4.0, 6.0)


def test_a_submeter_by_the_hour_is_divided_by_time_between_quarters_of_the_main() -> None:
    """8 kWh in an hour are 2 in each quarter; the main peaked in the second with 5 kWh = 20 kW, of which 8 kW."""
    of = Plant()
    of.add("main", "main", hours(2, 5, 3, 2, length_ms=HOUR_MS // 4))
    of.add("m1", "sub", hours(8))
    by_quarter = {**TARIFF, "demand": {**TARIFF["demand"], "window_s": 900}}
    found = shared(of, by_quarter)
    assert (found["m1"]["demand"], found["rest"]["demand"]) == (8.0, 12.0)


def test_a_submeter_without_its_main_costs_nothing_and_is_missing_in_the_energy_of_the_supply() -> None:
    """In the second hour the main is silent: the supply has 10 kWh, of which m1 4, and -5 of the rest then."""
    of = Plant()
    of.add("main", "main", hours(10))
    of.add("m1", "sub", hours(4, 5))
    found = shared(of)
    assert (found["m1"]["kwh"], found["rest"]["kwh"], found["m1"]["energy"]) == (9.0, 1.0, 0.4)


def test_largest_remainders_have_what_is_left() -> None:
    """10 by 1 : 1 : 1 is 3.33 each: the first has the unit that is left. -7 by 2 : 5 is -2 and -5. 1 by 0 : 0 stays."""
    assert apportion_one(10, [1, 1, 1]).tolist() == [4, 3, 3]
    assert apportion_one(-7, [2, 5]).tolist() == [-2, -5]
    assert apportion_one(1, [0, 0]).tolist() == [1, 0]


def test_large_amounts_are_divided_exactly() -> None:
    """A billion currency units by 1e16 and 2e16 (products beyond 64 bits): thirds, rounded."""
    parts = apportion(np.array([10**15]), np.array([[10**16], [2 * 10**16]]))
    assert parts[:, 0].tolist() == [333_333_333_333_333, 666_666_666_666_667]
