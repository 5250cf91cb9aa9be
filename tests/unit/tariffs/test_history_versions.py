"""Bills of a cycle with several versions of a tariff, derived by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, History, Intervals, rate_history, versions_in_force
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.series import series_of
from tests.harness.kinds import DAY_NIGHT, HEAD
from tests.unit.tariffs.test_history import UTC, amounts, at


def version(number: int, valid_from: str, **fields: Any) -> Tariff:
    return read_tariff({**HEAD, **fields, "version": str(number), "valid_from": valid_from})


def rated(versions: list[Tariff], *readings: tuple[int, float]) -> History:
    start, kwh = np.array([s for s, _ in readings]), np.array([round(k * 1_000_000) for _, k in readings])
    data = Intervals.of(start, np.full(len(start), 3_600_000), kwh)
    return rate_history(versions_in_force(versions), BillingTerms(UTC), data)


def test_tiers_and_peaks_continue_over_a_change_of_prices() -> None:
    """January: 200 kWh on the 5th at 0.10; 300 kWh on the 20th under version 2, from the 16th.

    The tier of 310 kWh has 110 left: 110 x 0.20 + 190 x 0.40 = 98. The peak is 300 kW, priced by days: version 1 has
    15 of 31 days at 10 per kW, version 2 has 16 at 12: 300 x 10 x 15/31 = 1451.612903, 300 x 12 x 16/31 = 1858.064516.
    """
    one = {"energy": {"periods": {"all": [{"max": "310", "price": "0.10"}, {"price": "0.30"}]}}}
    two = {"energy": {"periods": {"all": [{"max": "310", "price": "0.20"}, {"price": "0.40"}]}}}
    window = {"window_s": 3600}
    versions = [
        version(1, "2020-01-01", **one, demand={**window, "flat": [{"price": "10"}]}),
        version(2, "2026-01-16", **two, demand={**window, "flat": [{"price": "12"}]}),
    ]
    history = rated(versions, (at("2026-01-05"), 200), (at("2026-01-20"), 300))
    assert amounts(history, "energy") == [20, 98]
    assert amounts(history, "demand") == [Decimal("1451.612903"), Decimal("1858.064516")]
    # The reading of the 5th carries version 1's part of the peak, though it was reached later.
    assert history.costs["demand"].tolist() == [1_451_612_903, 1_858_064_516]


def test_a_ratchet_remembers_the_peak_before_a_change_of_version() -> None:
    """100 kW on 5 January, 50 kW on the 20th, 40 kW in February; a version of equal content from 15 January.

    January 100 x 10 = 1000, February max(40, 80 % of 100) x 10 = 800.
    """
    demand = {"window_s": 3600, "flat": [{"price": "10"}], "ratchet": {"share": "0.8", "months_back": 11}}
    versions = [version(1, "2020-01-01", demand=demand), version(2, "2026-01-15", demand=demand)]
    readings = ((at("2026-01-05"), 100), (at("2026-01-20"), 50), (at("2026-02-10"), 40))
    january, rest, february = amounts(rated(versions, *readings), "demand")
    assert (january + rest, february) == (1000, 800)


def test_a_ratcheted_period_is_billed_at_its_own_peaks() -> None:
    """January: 100 kW by night, 50 by day. February: 10 by night, 20 by day.

    The day is billed at max(20, 80 % of its own 50) = 40 kW x 3 = 120, not at the night's 80; the night, to which the
    ratchet does not apply, at 10 kW x 1.
    """
    demand = {
        "window_s": 3600,
        "periods": {"night": [{"price": "1"}], "day": [{"price": "3"}]},
        "ratchet": {"share": "0.8", "months_back": 1, "applies_to": ["day"]},
    }
    versions = [version(1, "2020-01-01", calendar=DAY_NIGHT, demand=demand)]
    night, day = (at("2026-01-12", 1), 100), (at("2026-01-12", 10), 50)
    history = rated(versions, night, day, (at("2026-02-10", 1), 10), (at("2026-02-10", 10), 20))
    assert amounts(history, "demand") == [100 + 150, 10 + 120]


def test_a_minimum_is_that_of_the_whole_cycle() -> None:
    """A minimum of 310: 200 charged on the 5th, 300 on the 20th, so nothing is missing under either version."""
    prices = {"energy": {"periods": {"all": [{"price": "1"}]}}, "minimum": [{"amount": "310", "per": "month"}]}
    versions = [version(1, "2020-01-01", **prices), version(2, "2026-01-30", **prices)]
    assert amounts(rated(versions, (at("2026-01-05"), 200), (at("2026-01-20"), 300)), "minimum") == [0, 0]
    few = rated(versions, (at("2026-01-05"), 200), (at("2026-01-31"), 50))
    assert sum(amounts(few, "minimum")) == 60


def test_other_periods_begin_again() -> None:
    """Version 2 has other TOU periods, so its tier of 310 x 16/31 = 160 kWh is empty: 160 x 0.10 + 40 x 0.30 = 28."""
    two = [{"max": "310", "price": "0.10"}, {"price": "0.30"}]
    versions = [
        version(1, "2020-01-01", energy={"periods": {"all": two}}),
        version(2, "2026-01-16", calendar=DAY_NIGHT, energy={"periods": {"night": two, "day": two}}),
    ]
    assert amounts(rated(versions, (at("2026-01-05"), 100), (at("2026-01-20"), 200)), "energy") == [10, 28]


def test_calendars_and_prices_of_a_version_need_not_cover_the_days_of_another() -> None:
    """Holidays are listed by year, in the version of that year; version 2's prices begin with it. 10 x 1 + 20 x 2."""
    days = [*DAY_NIGHT["days"], {"on": ["holiday"], "bands": [{"from": "00:00", "period": "night"}]}]
    energy = {"periods": {"night": [{"price": "1"}], "day": [{"price": "2"}]}}

    def of_year(year: int) -> dict[str, Any]:
        return {
            "calendar": {"days": days, "holidays": {str(year): [f"{year}-01-01", f"{year}-12-31"]}},
            "energy": energy,
        }

    versions = [version(1, "2025-01-01", **of_year(2025)), version(2, "2026-01-01", **of_year(2026))]
    start = np.array([at("2025-12-31", 10), at("2026-01-02", 10)])
    data = Intervals.of(start, np.full(2, 3_600_000), np.array([10_000_000, 20_000_000]))
    terms = BillingTerms(UTC, billing_day=15)
    assert amounts(rate_history(versions_in_force(versions), terms, data), "energy") == [10, 40]

    dynamic = [version(n, f"{2024 + n}-01-01", energy={"dynamic": {"series": f"s{n}"}}) for n in (1, 2)]
    spot = {
        f"s{n}": series_of(f"s{n}", [(np.datetime64(int(s), "ms").item(), None, Decimal(n))])
        for n, s in enumerate(start, start=1)
    }
    assert amounts(rate_history(versions_in_force(dynamic), terms, data, spot), "energy") == [10, 40]


@pytest.mark.parametrize("change", [date(2026, 1, 2), date(2026, 1, 16), date(2026, 1, 31)])
def test_a_version_of_equal_content_changes_nothing(change: date) -> None:
    """100 kW and 310 kWh in January at 10 per kW and 0.10 per kWh: 1000 + 31 = 1031, with a new version or without."""
    prices = {
        "energy": {"periods": {"all": [{"max": "310", "price": "0.10"}, {"price": "0.30"}]}},
        "demand": {"window_s": 3600, "flat": [{"price": "10"}]},
    }
    versions = [version(1, "2020-01-01", **prices), version(2, change.isoformat(), **prices)]
    history = rated(
        versions, (at("2026-01-01"), 100), (at("2026-01-20"), 60), (at("2026-01-31"), 100), (at("2026-01-31", 14), 50)
    )
    assert sum(one.total for one in history.bills) == 1_031_000_000
