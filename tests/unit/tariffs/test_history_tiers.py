"""Tiers of a bill where rules meet: per kW of demand, in order of time, with adjustments of the month."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from flink_job.tariffs.history import BillingTerms
from tests.harness.kinds import EVERY_DAY
from tests.unit.tariffs.test_history import UTC, amounts, at, rated

HALVES = [{"from": "00:00", "period": "first"}, {"from": "12:00", "period": "second"}]
TWO_HALVES = {"days": [{"on": EVERY_DAY, "bands": HALVES}]}


def tiers(*prices: str, bounds: tuple[str, ...]) -> list[dict[str, str]]:
    found = [{"price": price} for price in prices]
    for tier, bound in zip(found, bounds, strict=False):
        tier["max"] = bound
    return found


def per_kw(rule: str, unit: str, bound: str) -> dict[str, Any]:
    return {
        "tier_rule": rule,
        "calendar": TWO_HALVES,
        "energy": {
            "tier_unit": unit,
            "periods": {
                "first": tiers("0.1", "0.2", bounds=(bound,)),
                "second": tiers("0.3", "0.5", bounds=(bound,)),
            },
        },
        "demand": {"window_s": 3600, "flat": [{"price": "0"}]},
    }


def test_each_day_fills_its_tiers_by_itself() -> None:
    # 10 kWh a day at 0.10, the rest at 0.30: 4, and 14 kWh of the next day; pooled over 31 days they are 18 x 0.10.
    energy = {"tier_unit": "kWh each day", "periods": {"all": tiers("0.10", "0.30", bounds=("10",))}}
    readings = ((at("2026-01-10"), 4), (at("2026-01-11", 1), 9), (at("2026-01-11", 23), 5))
    assert amounts(rated({"energy": energy}, *readings), "energy") == [Decimal("0.4") + 1 + 4 * Decimal("0.3")]
    pooled = {**energy, "tier_unit": "kWh daily"}
    assert amounts(rated({"energy": pooled}, *readings), "energy") == [Decimal("1.8")]


# 20 kWh from 1 to 2 and 60 kWh from 13 to 14 o'clock: the peak is 60 kW.
LOAD = ((at("2026-01-10", 1), 20), (at("2026-01-10", 13), 60))


@pytest.mark.parametrize(
    ("rule", "unit", "bound", "energy"),
    [
        # 60 kW x 0.5 kWh/kW = 30 kWh in the first tier, 50 in the second; the first half has a quarter of both:
        # 30 x (0.25 x 0.1 + 0.75 x 0.3) + 50 x (0.25 x 0.2 + 0.75 x 0.5).
        ("prorated", "kWh/kW", "0.5", "28.75"),
        # In order of time: 20 at 0.1, then 10 at 0.3 and 50 at 0.5.
        ("chronological", "kWh/kW", "0.5", "30"),
        # Each period for itself: 20 at 0.1; 30 at 0.3 and 30 at 0.5.
        ("per_period", "kWh/kW", "0.5", "26"),
        # 60 kW x 31 days x 0.01 = 18.6 kWh a month: 18.6 at 0.1, 1.4 at 0.2, 60 at 0.5.
        ("chronological", "kWh/kW daily", "0.01", "32.14"),
    ],
)
def test_tiers_per_kw_of_demand(rule: str, unit: str, bound: str, energy: str) -> None:
    assert amounts(rated(per_kw(rule, unit, bound), *LOAD), "energy") == [Decimal(energy)]


def test_tiers_in_order_of_time_within_and_across_readings() -> None:
    # 100 kWh at the first tier's price: 60 of the first half at 0.1, then of 80 in the second half 40 at 0.3 and 40 at
    # 0.5, then 10 of the next day's first half at 0.2.
    document = {
        "tier_rule": "chronological",
        "calendar": TWO_HALVES,
        "energy": {
            "periods": {
                "first": tiers("0.1", "0.2", bounds=("100",)),
                "second": tiers("0.3", "0.5", bounds=("100",)),
            }
        },
    }
    readings = ((at("2026-01-10", 1), 60), (at("2026-01-10", 13), 80), (at("2026-01-11", 1), 10))
    history = rated(document, *readings)
    assert history.costs["energy"].tolist() == [6_000_000, 32_000_000, 2_000_000]


@pytest.mark.parametrize("rule", ["per_period", "chronological", "net_metering"])
def test_monthly_adjustment_is_added_to_every_tier(rule: str) -> None:
    # 100 at 0.1, 50 at 0.2, and 0.01 on all 150 in January; less 0.02 in February.
    metering = rule == "net_metering"
    document = {
        "tier_rule": "prorated" if metering else rule,
        "energy": {
            "periods": {"all": tiers("0.1", "0.2", bounds=("100",))},
            "adjustment_by_month": ["0.01", "-0.02"] + ["0"] * 10,
        },
        **({"export": {"rule": "net_metering"}} if metering else {}),
    }
    history = rated(document, (at("2026-01-10"), 150), (at("2026-02-10"), 150))
    assert amounts(history, "energy") == [Decimal("21.5"), Decimal("17")]


def test_adjustment_is_that_of_the_month_in_which_an_interval_begins() -> None:
    document = {
        "energy": {"periods": {"all": [{"price": "0"}]}, "adjustment_by_month": ["1", "2"] + ["5"] * 10},
    }
    terms = BillingTerms(UTC, billing_day=15)
    history = rated(document, (at("2026-01-31", 23), 1), (at("2026-02-01", 0), 1), terms=terms)
    assert amounts(history, "energy") == [3]
