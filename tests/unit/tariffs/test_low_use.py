"""Prices by hours of use, as German grid charges have them: bills derived by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms
from flink_job.tariffs.model import TariffError
from tests.harness.kinds import HEAD
from tests.unit.tariffs.test_history import UTC, amounts, at, rated

DEMAND = {"window_s": 3600, "flat": [{"price": "120"}]}
#: 2,500 hours: 120 per kW and 0.02 per kWh from then on, 20 per kW and 0.06 per kWh below.
GRID = {
    "valid_from": "2025-01-01",
    "energy": {"periods": {"all": [{"price": "0.02"}]}},
    "demand": DEMAND,
    "low_use": {
        "hours": 2500,
        "energy": {"all": [{"price": "0.06"}]},
        "demand": {"flat": [{"price": "20"}]},
    },
}
#: A year as one billing cycle.
YEAR = BillingTerms(UTC, cycle_starts=(date(2026, 1, 1), date(2027, 1, 1)))


def charges(document: dict[str, Any], *readings: tuple[int, float], interval_s: int = 3600) -> list[Decimal]:
    history = rated(document, *readings, interval_s=interval_s, terms=YEAR)
    return [*amounts(history, "energy"), *amounts(history, "demand")]


def test_the_prices_follow_the_hours_of_use_of_the_year() -> None:
    """A peak of 1 kW: 2,499 hours of use are below the threshold, 2,500 are not."""
    hourly = [(at("2026-01-01", hour), 1) for hour in range(2499)]
    assert charges(GRID, *hourly) == [Decimal("0.06") * 2499, 20]
    assert charges(GRID, *hourly, (at("2026-12-01"), 1)) == [Decimal("0.02") * 2500, 120]


def test_a_new_peak_brings_the_year_below_the_hours_again() -> None:
    hourly = [(at("2026-01-01", hour), 1) for hour in range(2500)]
    # 2,502 kWh and a peak of 2 kW: 1,251 hours.
    assert charges(GRID, *hourly, (at("2026-12-01"), 2)) == [Decimal("0.06") * 2502, 40]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"low_use": {"hours": 2500, "energy": {"all": [{"price": "1"}]}}},
            "low_use/demand/flat: give flat demand in both",
        ),
        (
            {"low_use": {**GRID["low_use"], "energy": {"day": [{"price": "1"}]}}},  # type: ignore[dict-item]
            "'day' must be in both energy and low_use/energy",
        ),
        ({"demand": {**DEMAND, "daily": True}}, "low_use: not with demand/daily"),
        ({"export": {"rule": "net_metering"}}, "low_use: not with net metering"),
    ],
)
def test_faults_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TariffError, match=message):
        read_tariff({**HEAD, **GRID, **changes})
