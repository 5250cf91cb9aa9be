"""Taxes by bands of energy, of a month or a year, and caps on the price per kWh: bills derived by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, Intervals, rate_history, versions_in_force
from flink_job.tariffs.model import TariffError
from tests.harness.kinds import HEAD
from tests.unit.tariffs.test_history import ONE_PRICE, UTC, amounts, at, rated

#: Electricity tax of 0.9 for the first 4,000 kWh of the calendar year, 0.01 beyond.
BY_YEAR = {
    "name": "tax",
    "bands_of": "year",
    "bands": [{"per_kwh": "0.9", "max": "4000"}, {"per_kwh": "0.01"}],
}
VAT = {
    "name": "VAT",
    "base": ["energy", "fixed"],
    "bands": [{"rate": "0.06", "max": "200"}, {"rate": "0.23"}],
}


def by_month(*kwh: float, first: int = 1) -> list[tuple[int, float]]:
    months = [divmod(first - 1 + number, 12) for number in range(len(kwh))]
    return [(at(f"{2026 + year}-{month + 1:02}-10"), k) for (year, month), k in zip(months, kwh, strict=True)]


def test_bands_of_a_year_fill_from_month_to_month() -> None:
    found = amounts(rated({**ONE_PRICE, "taxes": [BY_YEAR]}, *by_month(*[1000] * 13)), "tax")
    assert found == [900] * 4 + [10] * 8 + [900]
    assert sum(found[:12]) == 3680


def test_a_month_over_the_bound_of_a_year() -> None:
    # 1,500 of 2,500 kWh are below 4,000. VAT of 25 % on the energy, 250, and on the tax.
    taxes = [BY_YEAR, {"name": "VAT", "rate": "0.25", "base": ["energy", "tax"]}]
    found = amounts(rated({**ONE_PRICE, "taxes": taxes}, *by_month(2500, 2500)), "tax")
    second = 1500 * Decimal("0.9") + 1000 * Decimal("0.01")
    assert found == [2250 + 625, second + (250 + second) / 4]


def test_another_tariff_continues_the_bands_of_the_year() -> None:
    document = {**HEAD, **ONE_PRICE, "taxes": [BY_YEAR]}
    other = {**document, "version": "2", "valid_from": "2026-02-05", "taxes": [{**BY_YEAR, "name": "other"}]}
    start = np.array([at("2026-01-10"), at("2026-02-02"), at("2026-02-10")])
    data = Intervals.of(start, np.full(3, 3_600_000), np.array([3000, 500, 1000]) * 1_000_000)
    history = rate_history(versions_in_force([read_tariff(document), read_tariff(other)]), BillingTerms(UTC), data)
    # 500 kWh are left of the first band after 3,500.
    assert amounts(history, "tax") == [2700, 450, 500 * Decimal("0.9") + 500 * Decimal("0.01")]


def test_vat_by_block_of_the_month() -> None:
    # 300 kWh at 0.10 and a fixed charge of 6: two thirds of 36 at 6 %, a third at 23 %.
    document = {**ONE_PRICE, "fixed": [{"name": "a", "amount": "6", "per": "month"}], "taxes": [VAT]}
    assert amounts(rated(document, *by_month(300)), "tax") == [24 * Decimal("0.06") + 12 * Decimal("0.23")]
    # All below the bound; and no energy at all.
    assert amounts(rated(document, *by_month(100, 0)), "tax") == [16 * Decimal("0.06"), 6 * Decimal("0.06")]


def test_bounds_are_for_the_days_of_a_month() -> None:
    # 200 kWh in 30 days are 206.666667 in 31: 206.666667 / 310 of 31 at 6 %, the rest at 23 %.
    document = {**ONE_PRICE, "month_days": "30", "taxes": [VAT]}
    low = Decimal("206.666667") / 310 * 31
    expected = low * Decimal("0.06") + (31 - low) * Decimal("0.23")
    assert amounts(rated(document, *by_month(310)), "tax") == [round(expected, 6)]


@pytest.mark.parametrize(
    ("charges", "energy", "demand"),
    [
        (["demand"], 10, 17),  # 50 of demand are at most 0.17 x 100 kWh
        (["demand", "energy"], 10, 7),  # 60 together are 17: the demand bears the reduction
        (["energy"], 10, 50),  # 10 are below the cap
        (["energy", "demand"], -33, 50),
    ],
)
def test_a_cap_per_kwh(charges: list[str], energy: int, demand: int) -> None:
    document = {
        **ONE_PRICE,
        "demand": {"window_s": 3600, "flat": [{"price": "0.5"}]},
        "cap": {"per_kwh": "0.17", "charges": charges},
    }
    history = rated(document, *by_month(100))
    assert (amounts(history, "energy"), amounts(history, "demand")) == ([energy], [demand])


def test_a_cap_is_of_the_whole_month() -> None:
    """The first reading is far above the cap, the second brings the month below it."""
    document = {
        **ONE_PRICE,
        "demand": {"window_s": 3600, "flat": [{"price": "1"}]},
        "cap": {"per_kwh": "0.5", "charges": ["demand"]},
    }
    start = at("2026-01-10") + np.arange(3) * 3_600_000
    history = rated(document, *zip(start.tolist(), (100, 100, 100), strict=True))
    assert history.costs["demand"].tolist() == [50_000_000, 50_000_000, 0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"taxes": [{"name": "t", "bands": [{"rate": "0.1"}]}]}, "a band with a rate needs a base"),
        ({"taxes": [{"name": "t", "bands": [{"per_kwh": "1"}, {"per_kwh": "2"}]}]}, "needs a max, in ascending order"),
        ({"taxes": [{"name": "t", "rate": "0.1", "base": ["energy"], "bands_of": "year"}]}, "the tax has no bands"),
        ({"taxes": [{"name": "t", "rate": "0.1"}]}, "taxes/0"),
        ({"tier_rule": "chronological", "cap": {"per_kwh": "1", "charges": ["energy"]}}, "cap: not with chronological"),
    ],
)
def test_faults_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TariffError, match=message):
        read_tariff({**HEAD, **fields})
