"""Charges of a whole history, derived by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import (
    Bill,
    BillingTerms,
    CycleError,
    History,
    Intervals,
    rate_history,
    versions_in_force,
)
from flink_job.tariffs.history.power import ContractedPowerError
from flink_job.tariffs.history.rate import MissingSeriesError
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.series import series_of
from tests.harness.kinds import EVERY_DAY, HEAD

UTC, LONDON = ZoneInfo("UTC"), ZoneInfo("Europe/London")
HOUR_MS = 3_600_000
ONE_PRICE = {"energy": {"periods": {"all": [{"price": "0.10"}]}}}
SUMMER = [
    {"from": "00:00", "period": "base"},
    {"from": "14:00", "period": "peak"},
    {"from": "17:00", "period": "base"},
]
SUMMER_PEAK = {
    "seasons": {"summer": ["06-01/09-30"], "winter": ["10-01/05-31"]},
    "days": [
        {"season": "summer", "on": EVERY_DAY, "bands": SUMMER},
        {"season": "winter", "on": EVERY_DAY, "bands": [{"from": "00:00", "period": "cold"}]},
    ],
}


def at(day: str, hour: float = 12) -> int:
    return local_midnight_ms(date.fromisoformat(day), UTC) + int(hour * HOUR_MS)


def rated(
    document: dict[str, Any], *readings: tuple[int, float], interval_s: int = 3600, terms: BillingTerms | None = None
) -> History:
    """Readings are (start, kWh); below zero is export."""
    start = np.array([s for s, _ in readings])
    kwh = np.array([round(k * 1_000_000) for _, k in readings])
    data = Intervals.of(start, np.full(len(start), interval_s * 1000), np.maximum(kwh, 0), np.maximum(-kwh, 0))
    return rate_history(versions_in_force([read_tariff({**HEAD, **document})]), terms or BillingTerms(UTC), data)


def amounts(history: History, line: str) -> list[Decimal]:
    return [Decimal(b.lines[line]) / 1_000_000 for b in history.bills]


def test_ratchet_looks_back_over_the_months_it_names() -> None:
    # Peaks 100, 20, 20, 20 kW from June on; 80 % of July's or June's highest for two months: 100, 80, 80, then
    # August's window (July, June are 1 and 2 back; in September only July and August count): 20.
    demand = {
        "window_s": 3600,
        "flat": [{"price": "1"}],
        "ratchet": {"share": "0.8", "months_back": 2, "months": [6, 7]},
    }
    readings = [(at(f"2026-0{month}-10"), kw) for month, kw in ((6, 100), (7, 20), (8, 20), (9, 20))]
    assert amounts(rated({"demand": demand}, *readings), "demand") == [100, 80, 80, 20]


def test_ratcheted_demand_accrues_with_time() -> None:
    # February is billed 80 kW for any use; its first half bears half of that.
    demand = {"window_s": 3600, "flat": [{"price": "1"}], "ratchet": {"share": "0.8", "months_back": 1}}
    history = rated({"demand": demand}, (at("2026-01-10"), 100), (at("2026-02-14", 23), 1), (at("2026-02-28", 23), 1))
    assert list(history.costs["demand"][1:]) == [40_000_000, 40_000_000]


def test_least_billed_demand() -> None:
    demand = {"window_s": 3600, "flat": [{"price": "2"}], "minimum_kw": "50"}
    assert amounts(rated({"demand": demand}, (at("2026-01-10"), 30), (at("2026-02-10"), 60)), "demand") == [100, 120]


def test_sliding_window_finds_the_peak_between_two_clock_aligned_ones() -> None:
    # 2, 9, 9, 2 kWh by quarter hour from 12:00: half hours by the clock hold 11 kWh (22 kW), 12:15 to 12:45 holds 18.
    demand = {"window_s": 1800, "flat": [{"price": "1"}]}
    readings = [(at("2026-01-10", 12 + n / 4), kwh) for n, kwh in enumerate((2, 9, 9, 2))]
    assert amounts(rated({"demand": demand}, *readings, interval_s=900), "demand") == [22]
    assert amounts(rated({"demand": {**demand, "slide_s": 900}}, *readings, interval_s=900), "demand") == [36]


def test_daily_demand_adds_each_days_peak() -> None:
    demand = {"window_s": 3600, "flat": [{"price": "0.5"}], "daily": True}
    readings = [(at("2026-01-10", 9), 10), (at("2026-01-10"), 30), (at("2026-01-11"), 20)]
    history = rated({"demand": demand}, *readings)
    assert amounts(history, "demand") == [25]
    assert list(history.costs["demand"]) == [5_000_000, 10_000_000, 10_000_000]


def test_a_month_of_30_days_in_a_cycle_of_35() -> None:
    # 35 days: 35/30 of 12 per month, of the 300 kWh bound (350), and of demand at 3 per kW: 10 x 3 x 35/30 = 35.
    document = {
        "month_days": "30",
        "energy": {"periods": {"all": [{"price": "0.10", "max": "300"}, {"price": "0.20"}]}},
        "fixed": [{"name": "a", "amount": "12", "per": "month"}, {"name": "b", "amount": "365", "per": "year"}],
        "demand": {"window_s": 3600, "flat": [{"price": "3"}]},
    }
    terms = BillingTerms(UTC, cycle_starts=(date(2026, 1, 3), date(2026, 2, 7)))
    readings = [(at("2026-01-03", n), 10) for n in range(36)]
    history = rated(document, *readings, terms=terms)
    assert amounts(history, "energy") == [Decimal("37")]  # 350 x 0.10 + 10 x 0.20
    assert amounts(history, "fixed") == [Decimal("49")]  # 14 + 35 days of 365
    assert amounts(history, "demand") == [Decimal("35")]


def test_a_month_of_365_twelfths_of_days_in_a_cycle_of_31() -> None:
    # 31 days are 31 x 12 / 365 months: of an amount of 365 they are 372, of a bound of 36.5 kWh 37.2 kWh.
    document = {
        "month_days": "365/12",
        "energy": {"periods": {"all": [{"price": "1", "max": "36.5"}, {"price": "2"}]}},
        "fixed": [{"name": "a", "amount": "365", "per": "month"}, {"name": "b", "amount": "2", "per": "day"}],
        "demand": {"window_s": 3600, "flat": [{"price": "3.65"}]},
    }
    history = rated(document, (at("2026-01-10"), 40))
    assert amounts(history, "energy") == [Decimal("37.2") + Decimal("5.6")]
    assert amounts(history, "fixed") == [372 + 62]
    assert amounts(history, "demand") == [40 * Decimal("3.72")]


def test_a_day_outside_all_cycles_is_an_error() -> None:
    terms = BillingTerms(UTC, cycle_starts=(date(2026, 1, 3), date(2026, 2, 7)))
    with pytest.raises(
        CycleError, match="no billing cycle contains 2026-02-07: cycle starts cover 2026-01-03 to 2026-02-07"
    ):
        rated(ONE_PRICE, (at("2026-02-07"), 1), terms=terms)


def test_tiers_of_each_season_are_prorated_to_its_days() -> None:
    # A cycle of 31 days from 21 September: 10 days of summer (bound 310 x 10/31 = 100), 21 of winter (31 x 21/31 = 21).
    document = {
        "tier_rule": "prorated",
        "calendar": SUMMER_PEAK,
        "energy": {
            "periods": {
                "base": [{"price": "0.1", "max": "310"}, {"price": "0.2"}],
                "peak": [{"price": "0.1", "max": "310"}, {"price": "0.2"}],
                "cold": [{"price": "0.3", "max": "31"}, {"price": "0.4"}],
            }
        },
    }
    terms = BillingTerms(UTC, cycle_starts=(date(2026, 9, 21), date(2026, 10, 22)))
    readings = ((at("2026-09-22", 1), 150), (at("2026-10-05"), 30))
    history = rated(document, *readings, terms=terms)
    assert amounts(history, "energy") == [Decimal("10") + 10 + Decimal("6.3") + Decimal("3.6")]
    chronological = rated({**document, "tier_rule": "chronological"}, *readings, terms=terms)
    assert amounts(chronological, "energy") == amounts(history, "energy")


def test_bank_goes_to_the_period_of_the_same_hours_when_the_season_changes() -> None:
    # September: 50 kWh surplus in the peak (14 to 17 h, at none of PySAM's sample hours): the bank goes to `cold`,
    # which holds those hours in October. October: 80 - 50 = 30 kWh. The base's surplus of 5 kWh joins it: 25 kWh.
    prices = {"base": "0.1", "peak": "0.2", "cold": "0.4"}
    document = {
        "tier_rule": "prorated",
        "calendar": SUMMER_PEAK,
        "energy": {"periods": {name: [{"price": price}] for name, price in prices.items()}},
        "export": {"rule": "net_metering"},
    }
    readings = [(at("2026-09-08", 15), -50), (at("2026-09-08", 3), -5), (at("2026-10-05"), 80)]
    assert amounts(rated(document, *readings), "energy") == [0, Decimal("10")]


def test_bank_is_forfeited_or_paid_when_the_year_ends() -> None:
    document = {**ONE_PRICE, "export": {"rule": "net_metering"}}
    readings = [(at("2026-12-08"), -50), (at("2027-01-05"), 80)]
    assert amounts(rated(document, *readings), "energy") == [0, 8]
    paid = rated({**document, "export": {"rule": "net_metering", "year_end_price": "0.03"}}, *readings)
    assert amounts(paid, "export") == [Decimal("-1.5"), 0]


def test_credit_within_the_energy_line() -> None:
    document = {**ONE_PRICE, "export": {"rule": "net_billing", "prices": {"*": "0.04"}, "credit_in": "energy"}}
    history = rated(document, (at("2026-01-08", 1), 10), (at("2026-01-08", 2), -5))
    assert (amounts(history, "energy"), amounts(history, "export")) == ([Decimal("0.8")], [0])


def test_import_and_export_of_one_interval() -> None:
    # 3 kWh in and 1 kWh out: netted they are 2 kWh bought; else 3 bought at 0.10 and 1 sold at 0.04.
    start = np.array([at("2026-01-08")])
    one, hour = np.array([1_000_000]), np.array([HOUR_MS])

    def lines(rule: str) -> tuple[int, int]:
        document = {**HEAD, **ONE_PRICE, "export": {"rule": rule, "prices": {"*": "0.04"}}}
        data = Intervals.of(start, hour, 3 * one, one)
        (only,) = rate_history(versions_in_force([read_tariff(document)]), BillingTerms(UTC), data).bills
        return only.lines["energy"], only.lines["export"]

    assert lines("net_billing") == (200_000, 0)
    assert lines("buy_all_sell_all") == (300_000, -40_000)
    assert lines("priced") == (300_000, -40_000)


def test_yearly_minimum_is_settled_as_the_year_closes() -> None:
    # 2 in November, 3 in December: 100 - 5 on December's bill; January restarts.
    document = {**ONE_PRICE, "minimum": [{"amount": "100", "per": "year"}]}
    history = rated(document, (at("2026-11-10"), 20), (at("2026-12-10"), 30), (at("2027-01-10"), 10))
    assert amounts(history, "minimum") == [0, 95, 0]


def test_a_cycle_without_readings_has_a_bill() -> None:
    document = {**ONE_PRICE, "fixed": [{"name": "a", "amount": "5", "per": "month"}]}
    history = rated(document, (at("2026-01-10"), 10), (at("2026-03-10"), 10))
    assert [(b.start, b.lines["energy"], b.lines["fixed"]) for b in history.bills] == [
        (date(2026, 1, 1), 1_000_000, 5_000_000),
        (date(2026, 2, 1), 0, 5_000_000),
        (date(2026, 3, 1), 1_000_000, 5_000_000),
    ]


def test_an_open_cycle_is_charged_for_time_so_far() -> None:
    document = {**ONE_PRICE, "fixed": [{"name": "a", "amount": "30", "per": "month"}]}
    terms = BillingTerms(UTC, until_ms=at("2026-04-11", 0))
    assert amounts(rated(document, (at("2026-04-02"), 1), terms=terms), "fixed") == [10]


def test_dynamic_price_with_cap_floor_and_negative_hours() -> None:
    # Half hours at 0.10, 0.30, -0.50, 1.00; x 2 + 0.01, within -0.20 and 0.90: 0.21, 0.61, -0.20 (-0.99), 0.90 (2.01).
    # An hour's reading has the mean of its two: before the cap 0.20 x 2 + 0.01 = 0.41; (-0.5 + 1)/2 x 2 + 0.01 = 0.51.
    begin = at("2026-01-10", 0)
    moments = [_moment(begin + n * HOUR_MS // 2) for n in range(5)]
    prices = ("0.10", "0.30", "-0.50", "1.00")
    spot = series_of("spot", [(moments[n], moments[n + 1], Decimal(p)) for n, p in enumerate(prices)])
    dynamic = {"series": "spot", "multiplier": "2", "adder": "0.01", "cap": "0.90", "floor": "-0.20"}
    tariff = read_tariff({**HEAD, "energy": {"dynamic": dynamic}})

    def costs(step_ms: int, count: int) -> list[int]:
        start = begin + np.arange(count) * step_ms
        data = Intervals.of(start, np.full(count, step_ms), np.full(count, 1_000_000))
        return (
            rate_history(versions_in_force([tariff]), BillingTerms(UTC), data, {"spot": spot}).costs["energy"].tolist()
        )

    assert costs(HOUR_MS // 2, 4) == [210_000, 610_000, -200_000, 900_000]
    assert costs(HOUR_MS, 2) == [410_000, 510_000]
    assert costs(HOUR_MS // 4, 8)[2:6] == [610_000, 610_000, -200_000, -200_000]
    with pytest.raises(ValueError, match=r"'spot' has no price at 2026-01-10T02:00:00\+00:00"):
        costs(HOUR_MS, 3)


def _moment(instant_ms: int) -> Any:
    from datetime import datetime

    return datetime.fromtimestamp(instant_ms / 1000, UTC)


def test_energy_is_rounded_before_it_is_priced() -> None:
    # 0.125 -> 0.12, 0.135 -> 0.14 (half even, as Octopus does), at 1.00; half up gives 0.13 and 0.14.
    one = {"energy": {"periods": {"all": [{"price": "1"}]}}}
    readings = ((at("2026-01-10", 1), 0.125), (at("2026-01-10", 2), 0.135))
    rounding = {"energy_decimals": 2}
    assert amounts(rated({**one, "rounding": rounding}, *readings), "energy") == [Decimal("0.26")]
    assert amounts(rated({**one, "rounding": {**rounding, "mode": "half_up"}}, *readings), "energy") == [
        Decimal("0.27")
    ]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(MissingSeriesError, match="requires the price series 'spot': give it with --prices spot=FILE"):
        rated({"energy": {"dynamic": {"series": "spot"}}}, (at("2026-01-10"), 1))
    with pytest.raises(ContractedPowerError, match="no contracted power for all: set it in the contract"):
        rated({"contracted_power": {"periods": {"all": "10"}}}, (at("2026-01-10"), 1))
    with pytest.raises(CycleError, match="no version of tariff 't' is in force on 2025-12-31"):
        rated(ONE_PRICE, (at("2025-12-31"), 1))


def test_first_bill_begins_with_the_first_version() -> None:
    # Valid from 11 January: 21 of 31 days of a charge per month, and of the tier.
    document = {
        "valid_from": "2026-01-11",
        "energy": {"periods": {"all": [{"price": "0.1", "max": "31"}, {"price": "1"}]}},
        "fixed": [{"name": "a", "amount": "31", "per": "month"}],
    }
    (only,) = rated(document, (at("2026-01-20"), 22)).bills
    expected = {**dict.fromkeys(only.lines, 0), "energy": 3_100_000, "fixed": 21_000_000}
    assert only == Bill("t", "1", date(2026, 1, 1), date(2026, 1, 11), date(2026, 2, 1), expected)


def test_the_last_cycle_is_billed_to_its_end_though_its_tariff_changes_after_the_last_reading() -> None:
    # 31 per month; a new version from 11 January, after the only reading: 10 and 21 of 31 days. Its end ends the bill.
    old = read_tariff({**HEAD, **ONE_PRICE, "fixed": [{"name": "a", "amount": "31", "per": "month"}]})
    new = replace(old, version="2", valid_from=date(2026, 1, 11))

    def fixed(*versions: Tariff) -> list[Decimal]:
        data = Intervals.of(np.array([at("2026-01-05")]), np.array([HOUR_MS]), np.array([1]))
        return amounts(rate_history(versions_in_force(versions), BillingTerms(UTC), data), "fixed")

    assert fixed(old, new) == [10, 21]
    assert fixed(replace(old, valid_to=date(2026, 1, 11))) == [10]


@pytest.mark.parametrize("change", [None, "2027-12-20", "2028-01-01", "2028-01-10"])
def test_a_yearly_charge_over_the_turn_into_a_leap_year(change: str | None) -> None:
    """366 a year from 15 December 2027 to 15 January 2028: 17 days of 365 and 14 of 366.

    17 x 366/365 + 14 x 366/366 = 31.046575; a new version of equal content changes nothing.
    """
    old = read_tariff({**HEAD, "fixed": [{"name": "meter", "amount": "366", "per": "year"}]})
    versions = [old, *([replace(old, version="2", valid_from=date.fromisoformat(change))] if change else [])]
    data = Intervals.of(np.array([at("2027-12-20"), at("2028-01-10")]), np.full(2, HOUR_MS), np.array([1, 1]))
    history = rate_history(versions_in_force(versions), BillingTerms(UTC, billing_day=15), data)
    assert sum(amounts(history, "fixed")) == Decimal("31.046575")


def test_bills_after_a_change_of_the_billing_day() -> None:
    """From the 1st until 15 February, then from the 15th: a short bill of 1 to 14 February, half of its 28 days."""
    days = ("2026-01-10", "2026-01-20", "2026-02-10", "2026-02-20", "2026-03-10")
    document = {**ONE_PRICE, "fixed": [{"name": "a", "amount": "28", "per": "month"}]}
    terms = BillingTerms(UTC, changes=((date(2026, 2, 15), 15),))
    history = rated(document, *((at(day), 10) for day in days), terms=terms)
    assert amounts(history, "energy") == [2, 1, 2]
    assert amounts(history, "fixed") == [28, 14, 28]


def test_periods_by_the_clock_of_the_tariff() -> None:
    """Night is 00:30 to 07:30 UTC, which is 01:30 to 08:30 in London in July.

    48 half hours of 1 July in London, 3 kWh each from 00:30 to 07:30 local time and 1 kWh else. By UTC those from 00:30
    to 01:30 are day: 2 x 3 x 0.30; from 01:30 to 08:30 night: (12 x 3 + 2) x 0.14; the other 32 day: 32 x 0.30.
    1.80 + 5.32 + 9.60 = 16.72; by London's clock it would be 14 x 3 x 0.14 + 34 x 0.30 = 16.08.
    """
    days = [
        {
            "on": EVERY_DAY,
            "bands": [
                {"from": "00:00", "period": "day"},
                {"from": "00:30", "period": "night"},
                {"from": "07:30", "period": "day"},
            ],
        }
    ]
    energy = {"periods": {"night": [{"price": "0.14"}], "day": [{"price": "0.30"}]}}
    midnight = local_midnight_ms(date(2026, 7, 1), LONDON)
    readings = [(midnight + n * HOUR_MS // 2, 3 if 1 <= n < 15 else 1) for n in range(48)]
    document = {"calendar": {"days": days}, "energy": energy}
    by_zone = {
        zone: rated({**document, **zone_of}, *readings, interval_s=1800, terms=BillingTerms(LONDON))
        for zone, zone_of in (("utc", {"timezone": "Etc/UTC"}), ("own", {}))
    }
    assert amounts(by_zone["utc"], "energy") == [Decimal("16.72")]
    assert amounts(by_zone["own"], "energy") == [Decimal("16.08")]
    assert by_zone["utc"].bills[0].start == date(2026, 7, 1)
