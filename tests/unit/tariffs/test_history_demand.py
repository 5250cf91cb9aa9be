"""Demand of a bill: tiers, ratchets, by period and day, excess within a window, reactive energy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, History, Intervals, rate_history, versions_in_force
from tests.harness.kinds import DAY_NIGHT, HEAD, REACTIVE
from tests.unit.tariffs.test_history import UTC, amounts, at, rated
from tests.unit.tariffs.test_history_tiers import TWO_HALVES, tiers

HALF_HOUR_MS = 1_800_000


def test_demand_in_three_tiers() -> None:
    # 10 kW at 1, 20 at 2, 15 at 4; a peak within the second tier: 10 + 5 x 2.
    demand = {"window_s": 3600, "flat": tiers("1", "2", "4", bounds=("10", "30"))}
    assert amounts(rated({"demand": demand}, (at("2026-01-10"), 45), (at("2026-02-10"), 15)), "demand") == [110, 20]


@pytest.mark.parametrize(
    ("applies_to", "february"), [(["flat"], 80 + 60), (["flat", "night"], 80 + 240), ([], 20 + 60)]
)
def test_ratchet_applies_to_what_it_names(applies_to: list[str], february: int) -> None:
    # January's peak is 100 kW, February's 20, all by night (price 3 per kW beside 1 for the flat demand): at least 80.
    demand = {
        "window_s": 3600,
        "flat": [{"price": "1"}],
        "periods": {"night": [{"price": "3"}]},
        "ratchet": {"share": "0.8", "months_back": 1, "applies_to": applies_to},
    }
    document = {"calendar": DAY_NIGHT, "demand": demand}
    history = rated(document, (at("2026-01-10", 1), 100), (at("2026-02-10", 1), 20))
    assert amounts(history, "demand") == [100 + 300, february]


def test_daily_demand_by_period() -> None:
    # Each day's highest 1 per kW, and 2 per kW of the first half: (30 + 2 x 10) + (20 + 2 x 20), in any month.
    demand = {
        "window_s": 3600,
        "flat": [{"price": "1"}],
        "periods": {"first": [{"price": "2"}]},
        "daily": True,
    }
    document = {"calendar": TWO_HALVES, "demand": demand, "month_days": "30"}
    readings = ((at("2026-01-10", 1), 10), (at("2026-01-10", 13), 30), (at("2026-01-11", 1), 20))
    assert amounts(rated(document, *readings), "demand") == [110]


def with_reactive(document: dict[str, Any], *readings: tuple[float, float]) -> History:
    """Half hours of 10 February with imported and reactive energy [kWh, kvarh]."""
    start = at("2026-02-10", 1) + np.arange(len(readings)) * HALF_HOUR_MS
    active, reactive = (np.array([round(each[n] * 1e6) for each in readings]) for n in (0, 1))
    none = np.zeros_like(start)
    data = Intervals(start, np.full(len(start), HALF_HOUR_MS), active, none, reactive, none)
    tariff = read_tariff({**HEAD, **document})
    return rate_history(versions_in_force([tariff]), BillingTerms(UTC), data)


def test_demand_in_kva() -> None:
    # 2 x sqrt(40^2 + 30^2) = 100 kVA; 45 kWh alone are 90. At 400 per kVA.
    demand = {"window_s": 1800, "unit": "kVA", "flat": [{"price": "400"}]}
    assert amounts(with_reactive({"demand": demand}, (40, 30), (45, 0)), "demand") == [40_000]


def test_demand_in_kva_at_a_price_per_day_with_a_tax() -> None:
    # 19.29 kVAh in a half hour: 38.58 kVA x 0.1797 x 28 days; supply 28 x 0.365; GST of 10 %.
    document = {
        "month_days": "30",
        "demand": {"window_s": 1800, "unit": "kVA", "flat": [{"price": "5.391"}]},
        "fixed": [{"name": "supply", "amount": "0.365", "per": "day"}],
        "taxes": [{"name": "GST", "rate": "0.10", "base": ["demand", "fixed"]}],
    }
    history = with_reactive(document, (15.432, 11.574))
    demand = 38.58 * 0.1797 * 28
    assert [float(amounts(history, line)[0]) for line in ("demand", "fixed")] == pytest.approx(
        [demand, 10.22], abs=1e-6
    )
    assert float(amounts(history, "tax")[0]) == pytest.approx((demand + 10.22) / 10, abs=2e-6)


def test_excess_capacity_in_kva() -> None:
    # Great Britain: 500 kVA agreed. 2 x sqrt(200^2 + 120^2) = 466.5, 500, 2 x sqrt(300^2 + 30^2) = 602.992537, 233.2:
    # 102.992537 x 0.07 x 28 days = 201.865373, which is 2 x 1.05 x 28 / 30 per kVA. In kW it is 100 x 1.96.
    document = {
        "demand": {"window_s": 1800, "unit": "kVA"},
        "contracted_power": {
            "periods": {"all": "0"},
            "kw": {"all": "500"},
            "excess": {"rule": "maximeter", "prices": {"all": "1.05"}},
        },
    }
    readings = ((200, 120), (250, 0), (300, 30), (100, 60))
    (excess,) = amounts(with_reactive(document, *readings), "demand")
    assert float(excess) == pytest.approx(201.865373, abs=1e-5)
    in_kw = {**document, "demand": {"window_s": 1800}}
    assert amounts(with_reactive(in_kw, *readings), "demand") == [196]


def test_the_mean_of_the_highest_days_is_billed() -> None:
    # Days of 10, of 12 and 11, of 8 and of 9 kW: (12 + 10 + 9) / 3 = 10.3333, at 30 per kW; above 10 kW at 60.
    hours = ((5, 1, 10), (6, 1, 12), (6, 9, 11), (7, 1, 8), (8, 1, 9))
    readings = tuple((at(f"2026-01-{day:02d}", hour), kw) for day, hour, kw in hours)
    demand = {"window_s": 3600, "flat": [{"price": "30"}], "highest_days": 3}
    assert amounts(rated({"demand": demand}, *readings), "demand") == [310]
    stepped = {**demand, "flat": tiers("30", "60", bounds=("10",))}
    assert amounts(rated({"demand": stepped}, *readings), "demand") == [320]
    # A minimum of 11 kW; two days count 0 for the third.
    assert amounts(rated({"demand": {**demand, "minimum_kw": "11"}}, *readings), "demand") == [330]
    assert amounts(rated({"demand": demand}, *readings[:1]), "demand") == [100]


def test_excess_counts_a_quarter_hour_once_however_many_readings_it_has() -> None:
    # Contracted 10 kW. Quarter hours of three readings: 1 + 2 + 2 = 5 kWh (20 kW) and 5.5 kWh (22 kW); the others none.
    # sqrt(10^2 + 12^2) = 15.620499; x 2.
    document = {
        "contracted_power": {
            "periods": {"all": "0"},
            "kw": {"all": "10"},
            "excess": {"rule": "root_of_squares", "prices": {"all": "2"}},
        }
    }
    loads = (1, 2, 2, 0.5, 0.5, 0.5, 5.5, 0, 0)
    readings = [(at("2026-01-10") + n * 300_000, kwh) for n, kwh in enumerate(loads)]
    history = rated(document, *readings, interval_s=300)
    assert amounts(history, "demand") == [Decimal("31.240999")]
    # Of the first quarter hour: 4 kW, 12 kW, 20 kW so far.
    assert history.costs["demand"][:3].tolist() == [0, 4_000_000, 16_000_000]


def test_reactive_energy_by_night_is_capacitive() -> None:
    # Night: 100 kWh with 25 kvarh capacitive, cos phi 0.970: all 25 at 0.05; with 20 kvarh, cos phi 0.981: none.
    # Day: 100 kWh with 80 kvarh inductive, cos phi 0.781: (80 - 33) x 0.062332; with 34 kvarh, 0.947: 1 x 0.041554.
    tariff = read_tariff({**HEAD, "calendar": DAY_NIGHT, "reactive": REACTIVE})

    def line(inductive: int, capacitive: int) -> int:
        start = np.array([at("2026-01-12", 2), at("2026-01-12", 10)])
        kwh, zero = np.array([100_000_000, 100_000_000]), np.zeros(2, np.int64)
        kvarh = np.array([9_000_000 * inductive, inductive * 1_000_000])
        kvarc = np.array([capacitive * 1_000_000, 9_000_000 * capacitive])
        data = Intervals(start, np.full(2, 3_600_000), kwh, zero, kvarh, kvarc)
        (only,) = rate_history(versions_in_force([tariff]), BillingTerms(UTC), data).bills
        return only.lines["reactive"]

    assert (line(0, 25), line(0, 20)) == (1_250_000, 0)
    assert (line(80, 0), line(34, 0), line(33, 0)) == (2_929_604, 41_554, 0)


def test_flat_demand_of_each_month() -> None:
    demand = {"window_s": 3600, "flat_by_month": [[{"price": str(month)}] for month in range(1, 13)]}
    readings = [(at(f"2026-{month:02d}-10"), 10) for month in (1, 2, 12)]
    history = rated({"demand": demand}, *readings)
    assert [a for a in amounts(history, "demand") if a] == [10, 20, 120]


@pytest.mark.parametrize("slide_s", [0, 900])
def test_demand_of_readings_longer_than_the_demand_interval_is_their_mean(slide_s: int) -> None:
    demand = {"window_s": 900, "flat": [{"price": "1"}], **({"slide_s": slide_s} if slide_s else {})}
    assert amounts(rated({"demand": demand}, (at("2026-01-10", 1), 40), (at("2026-01-10", 2), 30)), "demand") == [40]
