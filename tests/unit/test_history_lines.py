"""Lines of a bill where rules meet: tiers per kW, adjustments on tiers, ratchets by period, excess within a window."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import Intervals, Terms, rate_history, versions_in_force
from tests.harness.kinds import DAY_NIGHT, EVERY_DAY, HEAD, REACTIVE
from tests.unit.test_history import UTC, amounts, at, rated

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
    terms = Terms(UTC, billing_day=15)
    history = rated(document, (at("2026-01-31", 23), 1), (at("2026-02-01", 0), 1), terms=terms)
    assert amounts(history, "energy") == [3]


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
    # Each day's highest 1 per kW, and 2 per kW of the first half: (30 + 2 x 10) + (20 + 2 x 20), whatever a month is.
    demand = {
        "window_s": 3600,
        "flat": [{"price": "1"}],
        "periods": {"first": [{"price": "2"}]},
        "daily": True,
    }
    document = {"calendar": TWO_HALVES, "demand": demand, "month_days": "30"}
    readings = ((at("2026-01-10", 1), 10), (at("2026-01-10", 13), 30), (at("2026-01-11", 1), 20))
    assert amounts(rated(document, *readings), "demand") == [110]


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
        (only,) = rate_history(versions_in_force([tariff]), Terms(UTC), data).bills
        return only.lines["reactive"]

    assert (line(0, 25), line(0, 20)) == (1_250_000, 0)
    assert (line(80, 0), line(34, 0), line(33, 0)) == (2_929_604, 41_554, 0)


def test_bank_of_an_all_day_period_goes_to_the_one_listed_first() -> None:
    # September has one period; October's halves are listed as `b`, `a`: the bank of 30 kWh goes to `b`, and what
    # `b` does not need stays with it in November.
    month = {"from": "00:00", "period": "one"}
    split = [{"from": "00:00", "period": "a"}, {"from": "12:00", "period": "b"}]
    document = {
        "tier_rule": "prorated",
        "calendar": {
            "seasons": {"s": ["01-01/09-30"], "w": ["10-01/12-31"]},
            "days": [
                {"season": "s", "on": EVERY_DAY, "bands": [month]},
                {"season": "w", "on": EVERY_DAY, "bands": split},
            ],
        },
        "energy": {"periods": {name: [{"price": price}] for name, price in (("one", "9"), ("b", "0.1"), ("a", "0.2"))}},
        "export": {"rule": "net_metering"},
    }
    readings = [(at("2026-09-08"), -30)]
    readings += [(at(f"2026-{month}-08", hour), 20) for month in (10, 11) for hour in (1, 13)]
    assert amounts(rated(document, *readings), "energy") == [0, 4, Decimal("5")]


def test_taxes_of_a_whole_cycle_of_readings() -> None:
    """Streamed or in batch, with fixed charges and credits: electricity tax 10 %, VAT 20 % on it."""
    # Energy 744 h x 1 kWh x 0.10 = 74.40, fixed 31, credit 744 x 0.5 x 0.04 = 14.88.
    # Tax 10.54; VAT on 74.40 + 31 - 14.88 + 10.54 = 101.06: 20.212.
    document = {
        **HEAD,
        "energy": {"periods": {"all": [{"price": "0.10"}]}},
        "export": {"prices": {"*": "0.04"}},
        "fixed": [{"name": "a", "amount": "1", "per": "day"}],
        "taxes": [
            {"name": "electricity tax", "rate": "0.1", "base": ["energy", "fixed"]},
            {"name": "VAT", "rate": "0.2", "base": ["energy", "fixed", "export", "electricity tax"]},
        ],
    }
    start = at("2026-01-01", 0) + np.arange(744) * 3_600_000
    hour, kwh = np.full(744, 3_600_000), np.full(744, 1_000_000)
    data = Intervals.of(start, hour, kwh, kwh // 2)
    tariff = read_tariff(document)
    (only,) = rate_history(versions_in_force([tariff]), Terms(ZoneInfo("UTC")), data).bills
    assert only.lines["tax"] == 10_540_000 + 20_212_000
    assert _streamed_tax(tariff, data, date(2026, 1, 1)) == only.lines["tax"]


def _streamed_tax(tariff: Any, data: Intervals, month: date) -> int:
    from flink_job.tariffs.cycle import Segment
    from flink_job.tariffs.rating import bill, marginal
    from flink_job.tariffs.state import Basis, State

    count = len(data.start_ms)
    bounds = (int(data.start_ms[0]), int(data.end_ms[-1]))
    basis = Basis.of([Segment("t", "1", month, *bounds, 31, 31, *bounds)], np.zeros(count, np.int64))
    none = np.zeros(count, np.int64)
    after = State((np.cumsum(data.import_ukwh),), (np.cumsum(data.export_ukwh),), (none,) * 4)
    before = State(*(tuple(np.append(0, column[:-1]) for column in part) for part in after))
    costs = marginal(tariff, basis, before, after, (data.start_ms, data.end_ms), np.ones(count, dtype=bool))
    whole = bill(tariff, basis, after, data.end_ms)
    assert int(costs.tax.sum()) == int(whole.tax[-1])
    assert int(costs.fixed.sum()) == int(whole.fixed[-1])
    return int(whole.tax[-1])


def test_minimums_of_the_month_and_of_the_year() -> None:
    # 12 per month: 7 missing in November, none in December. The year's bills are then 12 + 20: 68 to 100, and January
    # begins anew.
    document = {
        "energy": {"periods": {"all": [{"price": "1"}]}},
        "minimum": [{"amount": "12", "per": "month"}, {"amount": "100", "per": "year"}],
    }
    history = rated(document, (at("2026-11-10"), 5), (at("2026-12-10"), 20), (at("2027-01-10"), 11))
    assert amounts(history, "minimum") == [7, 68, 1]


def test_a_minimum_in_december_has_both_its_parts() -> None:
    # 5 in December: 7 to the month's 12, then 88 to the year's 100.
    document = {
        "energy": {"periods": {"all": [{"price": "1"}]}},
        "minimum": [{"amount": "12", "per": "month"}, {"amount": "100", "per": "year"}],
    }
    assert amounts(rated(document, (at("2026-12-10"), 5)), "minimum") == [95]


def test_netting_within_the_hour_follows_the_hours_balance() -> None:
    # 3 in, 5 out, 4 in: the hour's balance is +3, -2, +2: 3 bought, then 2 sold instead, then 2 bought. The next hour,
    # of 1 out, has nothing to do with it.
    document = {
        "energy": {"periods": {"all": [{"price": "1"}]}},
        "export": {"rule": "net_billing", "netting": "hour", "prices": {"*": "0.5"}},
    }
    readings = [(at("2026-01-10", 12 + n / 4), kwh) for n, kwh in enumerate((3, -5, 4, 0, -1))]
    history = rated(document, *readings, interval_s=900)
    assert history.costs["energy"].tolist() == [3_000_000, -3_000_000, 2_000_000, 0, 0]
    assert history.costs["export"].tolist() == [0, -1_000_000, 1_000_000, 0, -500_000]


def test_a_tax_begins_and_ends_at_midnight() -> None:
    # 10 % from the 11th, until the 12th: only the readings of the 11th, from 00:00 to 23:00, 2 x 1.00.
    document = {
        "energy": {"periods": {"all": [{"price": "1"}]}},
        "taxes": [
            {"name": "t", "rate": "0.1", "base": ["energy"], "valid_from": "2026-01-11", "valid_to": "2026-01-12"}
        ],
    }
    readings = [
        (at("2026-01-10", 23), 1),
        (at("2026-01-11", 0), 1),
        (at("2026-01-11", 23), 1),
        (at("2026-01-12", 0), 1),
    ]
    history = rated(document, *readings)
    assert history.costs["tax"].tolist() == [0, 100_000, 100_000, 0]


def test_bank_of_hours_that_two_periods_share_goes_to_the_one_with_more_of_them() -> None:
    # The old peak, 13 to 17 h, is 13 to 14 h of `b` and 14 to 17 h of `c` in October, which begins on a Thursday; the
    # cycle of September begins on a Tuesday. At PySAM's hours there is `base` then `a`.
    old = [
        {"from": "00:00", "period": "base"},
        {"from": "13:00", "period": "peak"},
        {"from": "17:00", "period": "base"},
    ]
    new = [{"from": h, "period": p} for h, p in (("00:00", "a"), ("13:00", "b"), ("14:00", "c"), ("17:00", "a"))]
    document = {
        "tier_rule": "prorated",
        "calendar": {
            "seasons": {"s": ["01-01/09-30"], "w": ["10-01/12-31"]},
            "days": [
                {"season": "s", "on": EVERY_DAY, "bands": old},
                {"season": "w", "on": EVERY_DAY, "bands": new},
            ],
        },
        "energy": {"periods": {name: [{"price": "1"}] for name in ("base", "peak", "a", "b", "c")}},
        "export": {"rule": "net_metering"},
    }
    readings = [(at("2026-09-08", 15), -10), (at("2026-10-08", 13), 10), (at("2026-10-08", 15), 10)]
    history = rated(document, *readings)
    assert history.costs["energy"].tolist() == [0, 10_000_000, 0]


def test_credit_carried_over_pays_for_later_cycles() -> None:
    # November earns 8; December spends 5 of them and earns 2, the 5 left are paid out; January begins without.
    document = {
        "energy": {"periods": {"all": [{"price": "1"}]}},
        "export": {"rule": "net_billing", "carry_over": True, "prices": {"*": "0.5"}},
    }
    readings = [(at("2026-11-10", 1), 3), (at("2026-11-10", 2), -16), (at("2026-12-10", 1), 5)]
    readings += [(at("2026-12-10", 2), -4), (at("2027-01-10"), 1)]
    history = rated(document, *readings)
    assert amounts(history, "energy") == [3, 5, 1]
    assert amounts(history, "export") == [0, -5 - 5, 0]


def test_a_minimum_covers_energy_demand_fixed_charges_and_credits() -> None:
    # 10 of energy, 4 of demand, 3 fixed, 1 credited: 16; 4 missing to 20.
    document = {
        "energy": {"periods": {"all": [{"price": "1"}]}},
        "demand": {"window_s": 3600, "flat": [{"price": "0.4"}]},
        "fixed": [{"name": "a", "amount": "3", "per": "month"}],
        "export": {"prices": {"*": "0.5"}},
        "minimum": [{"amount": "20", "per": "month"}],
    }
    assert amounts(rated(document, (at("2026-01-10", 1), 10), (at("2026-01-10", 2), -2)), "minimum") == [4]


def test_flat_demand_of_each_month() -> None:
    demand = {"window_s": 3600, "flat_by_month": [[{"price": str(month)}] for month in range(1, 13)]}
    readings = [(at(f"2026-{month:02d}-10"), 10) for month in (1, 2, 12)]
    history = rated({"demand": demand}, *readings)
    assert [a for a in amounts(history, "demand") if a] == [10, 20, 120]


@pytest.mark.parametrize("slide_s", [0, 900])
def test_demand_of_readings_longer_than_the_demand_interval_is_their_mean(slide_s: int) -> None:
    demand = {"window_s": 900, "flat": [{"price": "1"}], **({"slide_s": slide_s} if slide_s else {})}
    assert amounts(rated({"demand": demand}, (at("2026-01-10", 1), 40), (at("2026-01-10", 2), 30)), "demand") == [40]
