"""Taxes and minimums of a bill."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, Intervals, rate_history, versions_in_force
from tests.harness.kinds import HEAD
from tests.unit.tariffs.test_history import amounts, at, rated


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
    (only,) = rate_history(versions_in_force([tariff]), BillingTerms(ZoneInfo("UTC")), data).bills
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
    time_ms = np.cumsum(data.interval_ms)
    after = State((np.cumsum(data.import_ukwh),), (np.cumsum(data.export_ukwh),), (none,), time_ms)
    earlier = [tuple(np.append(0, column[:-1]) for column in part) for part in after[:3]]
    before = State(*earlier, np.append(0, time_ms[:-1]))
    costs = marginal(tariff, basis, before, after)
    whole = bill(tariff, basis, after)
    assert int(costs.tax.sum()) == int(whole.tax[-1])
    assert int(costs.fixed.sum()) == int(whole.fixed[-1])
    return int(whole.tax[-1])


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


def test_minimums_of_the_month_and_of_the_year() -> None:
    # 12 per month: 7 missing in November, none in December. The year's bills are then 12 + 20: 68 to 100, and January
    # restarts.
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
