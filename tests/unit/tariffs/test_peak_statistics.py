"""Demand billed by the peaks of several cycles, by brackets, at least a share of the contracted power, and in kvar."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, Intervals, rate_history, versions_in_force
from flink_job.tariffs.model import TariffError
from tests.harness.kinds import DAY_NIGHT, HEAD
from tests.unit.tariffs.test_history import UTC, amounts, at, rated
from tests.unit.tariffs.test_history_demand import with_reactive

MEAN_OF_YEAR = {"take": "mean", "cycles": 12}


def billed(demand: dict[str, Any], *peaks: float, first: str = "2026-01", **more: Any) -> list[Decimal]:
    """The demand charges of consecutive months with one hour of a peak each [kW]."""
    year, month = map(int, first.split("-"))
    months = [divmod(year * 12 + month - 1 + number, 12) for number in range(len(peaks))]
    readings = [(at(f"{y}-{m + 1:02}-10"), kw) for (y, m), kw in zip(months, peaks, strict=True)]
    return amounts(
        rated({"demand": {"window_s": 3600, **demand}, "valid_from": "2020-01-01", **more}, *readings), "demand"
    )


def test_the_mean_of_the_last_twelve_peaks_with_a_floor() -> None:
    """Flanders: 48 a year and kW, at least 2.5 kW each month. The first months take the mean of those known."""
    demand = {"flat": [{"price": "4"}], "minimum_kw": "2.5", "statistic": MEAN_OF_YEAR}
    found = billed(demand, *[10] * 11, 22, 1, first="2025-01")
    # December: (11 x 10 + 22) / 12 = 11 kW. January: (10 x 10 + 22 + 2.5) / 12 = 10.375 kW.
    assert found == [40] * 11 + [44, Decimal("41.5")]


def test_the_mean_of_twelve_peaks_is_not_rounded() -> None:
    """Peaks of at least 2.5 kW that add up to 53.472 kW: a mean of 4.456 kW, at 40 a year and kW."""
    peaks = (0.632, 4.6, 0, 1.028, 3.444, 4.164, 4.564, 6, 9.2, 5, 4.12, 4.88)
    assert sum(max(Decimal(str(peak)), Decimal("2.5")) for peak in peaks) == Decimal("53.472")
    demand = {"flat": [{"price": "3.333333333"}], "minimum_kw": "2.5", "statistic": MEAN_OF_YEAR}
    assert billed(demand, *peaks)[-1] == Decimal("14.853333")
    # (53.472 - 2.5 + 8.201) / 12 = 4.93108333... kW, which is not a whole number of W.
    assert billed(demand, *peaks, 8.201)[-1] == round(Decimal("59.173") / 12 * Decimal("3.333333333"), 6)


def test_means_by_demand_period_and_tier() -> None:
    # Nights of 10, 40 and 30 kW: means of two of 10, 25, 35. The first 20 kW at 1, the rest at 3; flat at 0.
    demand = {
        "periods": {"night": [{"price": "1", "max": "20"}, {"price": "3"}]},
        "statistic": {"take": "mean", "cycles": 2},
    }
    readings = [(at(f"2026-0{month}-10", 1), kw) for month, kw in ((1, 10), (2, 40), (3, 30))]
    history = rated({"calendar": DAY_NIGHT, "demand": {"window_s": 3600, **demand}}, *readings)
    assert amounts(history, "demand") == [10, 20 + 3 * 5, 20 + 3 * 15]


@pytest.mark.parametrize(
    ("arrears", "expected"),
    [
        # The year's peak so far: 60, 100, 100; 2027 begins again.
        (False, [600, 1000, 1000, 300]),
        # November's rise of 40 kW is charged for October too: three instalments of a twelfth of 120 x 100.
        (True, [600, 1000 + 400, 1000, 300]),
    ],
)
def test_yearly_demand_in_monthly_instalments(arrears: bool, expected: list[int]) -> None:
    statistic = {"take": "highest", "year_from": 1, "arrears": arrears}
    found = billed({"flat": [{"price": "10"}], "statistic": statistic}, 60, 100, 80, 30, first="2026-10")
    assert found == expected


def test_a_year_of_demand_may_begin_in_any_month() -> None:
    statistic = {"take": "highest", "year_from": 4}
    found = billed({"flat": [{"price": "10"}], "statistic": statistic}, 60, 40, 20, 50, first="2026-02")
    assert found == [600, 600, 200, 500]


def test_what_earlier_cycles_bill_accrues_with_time() -> None:
    """A mean of 100 and 0 kW: 50 kW are billed for any use, and half of that in the first half of February."""
    demand = {"window_s": 3600, "flat": [{"price": "1"}], "statistic": {"take": "mean", "cycles": 2}}
    readings = ((at("2026-01-10"), 100), (at("2026-02-14", 23), 0))
    open_until = BillingTerms(UTC, until_ms=at("2026-02-15", 0))
    assert amounts(rated({"demand": demand}, *readings, terms=open_until), "demand") == [100, 25]


def test_at_least_a_share_of_the_contracted_power() -> None:
    # 70 % of 100 kW, the higher of two contracted powers, at 2 per kW.
    more = {"calendar": DAY_NIGHT, "contracted_power": {"periods": {"day": "0"}, "kw": {"day": "100"}}}
    demand = {"flat": [{"price": "2"}], "minimum_share": "0.7"}
    assert billed(demand, 50, 80, **more) == [140, 160]
    assert billed({**demand, "minimum_kw": "75"}, 50, 80, **more) == [150, 160]


def test_steps_by_the_mean_of_three_days() -> None:
    """Norway: an amount per month by the bracket of the mean of the highest hours of three days."""
    steps = [{"amount": "125", "max": "2"}, {"amount": "206", "max": "5"}, {"amount": "350"}]
    demand = {"window_s": 3600, "steps": steps, "highest_days": 3}
    # (6 + 5 + 4) / 3 = 5 kW, at the bound; one watt more; and three days of 1 kW.
    january = [(at(f"2026-01-{day:02}", hour), kw) for day, hour, kw in ((5, 1, 6), (6, 1, 5), (6, 2, 5), (7, 1, 4))]
    february = [(at(f"2026-02-0{day}", 1), kw) for day, kw in ((1, 6), (2, 5), (3, 4.003))]
    march = [(at(f"2026-03-0{day}", 1), 1) for day in (1, 2, 3)]
    assert amounts(rated({"demand": demand}, *january, *february, *march), "demand") == [206, 350, 125]


def test_steps_beside_a_price_per_kw_and_months_of_30_days() -> None:
    # 31/30 of (20 + 3 x 12) for 12 kW.
    demand = {"flat": [{"price": "3"}], "steps": [{"amount": "10", "max": "10"}, {"amount": "20"}]}
    assert billed(demand, 12, month_days="30") == [round(Decimal(56 * 31) / 30, 6)]


def test_demand_in_kvar() -> None:
    # Half hours of 30 and 20 kvarh: 60 kvar at 2.
    demand = {"window_s": 1800, "unit": "kvar", "flat": [{"price": "2"}]}
    assert amounts(with_reactive({"demand": demand}, (10, 30), (500, 20)), "demand") == [120]


def test_cycles_without_readings_count_with_the_minimum() -> None:
    """10 kW in January, nothing in February, 10 kW in March, at least 4: (10 + 4 + 10) / 3 = 8."""
    demand = {"window_s": 3600, "flat": [{"price": "1"}], "minimum_kw": "4", "statistic": MEAN_OF_YEAR}
    found = rated({"demand": demand}, (at("2026-01-10"), 10), (at("2026-03-10"), 10))
    assert amounts(found, "demand") == [10, 7, 8]


def test_a_change_of_version_keeps_the_peaks_of_earlier_cycles() -> None:
    document = {
        **HEAD,
        "demand": {"window_s": 3600, "flat": [{"price": "4"}], "statistic": MEAN_OF_YEAR},
    }
    later = {**document, "version": "2", "valid_from": "2026-02-10"}
    start = np.array([at("2026-01-10"), at("2026-02-05"), at("2026-03-05")])
    data = Intervals.of(start, np.full(3, 3_600_000), np.array([10, 20, 30]) * 1_000_000)
    history = rate_history(versions_in_force([read_tariff(document), read_tariff(later)]), BillingTerms(UTC), data)
    by_cycle: dict[date, int] = {}
    for bill in history.bills:
        by_cycle[bill.cycle_start] = by_cycle.get(bill.cycle_start, 0) + bill.lines["demand"]
    assert list(by_cycle.values()) == [40_000_000, 60_000_000, 80_000_000]


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        ({"statistic": {"take": "mean"}}, "give either cycles or year_from"),
        ({"statistic": {"take": "mean", "year_from": 1, "arrears": True}}, "only for the highest peak of a year"),
        ({"statistic": MEAN_OF_YEAR, "daily": True}, "give statistic or daily, not both"),
        ({"statistic": MEAN_OF_YEAR, "ratchet": {"share": "1", "months_back": 2}}, "give statistic or ratchet"),
        ({"steps": [{"amount": "1"}, {"amount": "2"}]}, "demand/steps: every step except the last needs a max"),
        ({"minimum_share": "0.7"}, "the tariff has no contracted_power"),
    ],
)
def test_rules_that_exclude_each_other_are_refused(demand: dict[str, Any], message: str) -> None:
    with pytest.raises(TariffError, match=message):
        read_tariff({**HEAD, "demand": demand})
