"""Readings whose interval is no part of the demand interval, by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, Intervals, rate_history, versions_in_force
from tests.harness.jobs import command
from tests.harness.kinds import HEAD
from tests.unit.tariffs.test_history import UTC, amounts, at, rated

DAY = at("2026-06-01", 0)
QUARTER_HOURS = {"flat": [{"price": "10"}]}


def steady(interval_s: int, offset_s: int = 0) -> list[tuple[int, float]]:
    """A day of 6 kW from `offset_s` after midnight on."""
    kwh = 6 * interval_s / 3600
    return [(DAY + (offset_s + n * interval_s) * 1000, kwh) for n in range(86_400 // interval_s)]


@pytest.mark.parametrize(("interval_s", "offset_s"), [(600, 0), (300, 0), (3600, 0), (900, 420), (600, 60), (240, 0)])
def test_a_steady_load_of_6_kw_has_a_demand_of_6_kw(interval_s: int, offset_s: int) -> None:
    """6 kW all day is 6 kW in every quarter hour, 6 x 10 = 60, however its readings lie in the quarter hours.

    Ten minutes counted in the quarter hour of their start would be 2 x 1 kWh in every other one: 8 kW, 80.
    """
    assert amounts(
        rated({"demand": QUARTER_HOURS}, *steady(interval_s, offset_s), interval_s=interval_s), "demand"
    ) == [60]


def test_the_second_part_is_rounded_down_and_both_add_up() -> None:
    """1.000001 kWh from 00:10 to 00:20: half of it is 0.500000 kWh in the second quarter hour, 0.500001 in the first.

    0.500001 kWh in a quarter hour is 2.000004 kW, x 10.
    """
    history = rated({"demand": QUARTER_HOURS}, (DAY + 600_000, 1.000001), interval_s=600)
    assert amounts(history, "demand") == [Decimal("20.00004")]


def test_each_part_counts_in_the_period_of_its_own_demand_interval() -> None:
    """3 kWh from 07:50 to 08:05: 2 kWh until 08:00 by night (8 kW), 1 kWh from 08:00 on by day (4 kW).

    The day is 3 per kW, 12; the night 1 per kW, 8.
    """
    days = [{"on": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "bands": _BANDS}]
    document = {
        "calendar": {"days": days},
        "demand": {"periods": {"day": [{"price": "3"}], "night": [{"price": "1"}]}},
    }
    assert amounts(rated(document, (DAY + 470 * 60_000, 3), interval_s=900), "demand") == [12 + 8]


def test_the_part_beyond_the_bill_is_not_counted() -> None:
    """3 kWh from 23:55 on 30 June to 00:10: a third, 1 kWh, in June's last quarter hour: 4 kW, 40."""
    history = rated({"demand": QUARTER_HOURS}, (at("2026-06-30", 23) + 55 * 60_000, 3), interval_s=900)
    assert amounts(history, "demand") == [40]


def test_a_straddling_reading_costs_the_rise_of_the_peak_by_both_parts() -> None:
    """6 kW in ten minutes each: 1 kWh is 4 kW so far, the next makes it 6 kW, the third adds none."""
    history = rated({"demand": QUARTER_HOURS}, *steady(600)[:3], interval_s=600)
    assert history.costs["demand"].tolist() == [40_000_000, 20_000_000, 0]


def test_overlapping_readings_meet_in_their_demand_interval() -> None:
    """00:10 to 00:20 and 00:12 to 00:22 with 1 kWh each: 0.5 + 0.3 until 00:15, 0.5 + 0.7 after it: 4.8 kW."""
    readings = ((DAY + 600_000, 1), (DAY + 720_000, 1))
    assert amounts(rated({"demand": QUARTER_HOURS}, *readings, interval_s=600), "demand") == [48]


def test_daily_demand_and_excess_count_both_parts() -> None:
    """6 kW from ten-minute readings: 6 x 10 for the only day; 1 kW above 5 kW in 96 quarter hours: 2 x sqrt(96)."""
    daily = {**QUARTER_HOURS, "daily": True}
    assert amounts(rated({"demand": daily}, *steady(600), interval_s=600), "demand") == [60]
    excess: dict[str, Any] = {"rule": "root_of_squares", "prices": {"all": "2"}}
    document = {"contracted_power": {"periods": {"all": "0"}, "kw": {"all": "5"}, "excess": excess}}
    found = amounts(rated(document, *steady(600), interval_s=600), "demand")
    assert found == [Decimal("19.595918")]  # 2 x 9.79795897


def test_a_sliding_demand_interval_includes_part_of_the_reading_at_its_start() -> None:
    """6 kW: the quarter hour that ends with a ten-minute reading has 1 kWh of it and half of the one before: 6 kW."""
    demand = {**QUARTER_HOURS, "slide_s": 300}
    assert amounts(rated({"demand": demand}, *steady(600), interval_s=600), "demand") == [60]


def test_a_longer_reading_counts_with_its_mean_power() -> None:
    """5 kWh in 25 minutes are 12 kW."""
    assert amounts(rated({"demand": QUARTER_HOURS}, (DAY + 300_000, 5), interval_s=1500), "demand") == [120]


def test_readings_of_several_lengths_share_a_demand_interval() -> None:
    """Ten minutes with 1 kWh from 00:00, five with 0.2 from 00:10, then ten with 1 from 00:14 (overlapping by one).

    Until 00:15: 1 + 0.2 + 0.1 = 1.3 kWh, 5.2 kW; after it 0.9 kWh.
    """
    start, lengths = np.array([0, 600, 840]) * 1000 + DAY, np.array([600, 300, 600]) * 1000
    data = Intervals.of(start, lengths, np.array([1_000_000, 200_000, 1_000_000]))
    tariff = read_tariff({**HEAD, "demand": QUARTER_HOURS})
    assert amounts(rate_history(versions_in_force([tariff]), BillingTerms(UTC), data), "demand") == [52]


_BANDS = [
    {"from": "00:00", "period": "night"},
    {"from": "08:00", "period": "day"},
    {"from": "20:00", "period": "night"},
]


def test_the_check_of_a_tariff_says_whether_demand_is_estimated(tmp_path: Path) -> None:
    """Quarter hours: ten-minute readings straddle them; 5, 15 and 60 minutes do not. Nor without a demand charge."""
    (tmp_path / "a.json").write_text(json.dumps({**HEAD, "demand": QUARTER_HOURS}))
    said = "demand is estimated: readings of 600 s straddle demand intervals of 900 s and are divided by time"
    assert said in command("tariffs", "check", tmp_path, "--interval-s", 600)
    for interval_s in (300, 900, 3600):
        assert "estimated" not in command("tariffs", "check", tmp_path, "--interval-s", interval_s)
    (tmp_path / "a.json").write_text(json.dumps(HEAD))
    assert "estimated" not in command("tariffs", "check", tmp_path, "--interval-s", 600)


def test_rating_files_says_how_many_readings_are_divided(tmp_path: Path) -> None:
    """Of six ten-minute readings of an hour, those at 00:10 and 00:40 straddle quarter hours."""
    (tmp_path / "a.json").write_text(json.dumps({**HEAD, "demand": QUARTER_HOURS}))
    rows = [f"m,2026-06-01T00:{10 * n:02d}:00,600,1" for n in range(6)]
    (tmp_path / "r.csv").write_text("\n".join(["meter_id,ts,interval_s,kwh", *rows]) + "\n")
    said = command(
        *("rate", "--tariff", tmp_path / "a.json", "--readings", tmp_path / "r.csv"),
        *("--timezone", "Europe/Madrid", "--out", tmp_path / "out"),
    )
    assert "demand is estimated: 2 readings straddle demand intervals of 900 s" in " ".join(said.split())


def test_a_demand_interval_belongs_to_the_demand_period_in_which_it_begins() -> None:
    """Demand intervals of an hour, the day begins at 07:30, within one.

    07:00 to 08:00 with 2 + 4 kWh is 6 kW of the night, 6 x 1;
    08:00 to 09:00 with 3 kWh is 3 kW of the day, 3 x 3.
    """
    bands = [{"from": "00:00", "period": "night"}, {"from": "07:30", "period": "day"}]
    days = [{"on": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "bands": bands}]
    demand = {"window_s": 3600, "periods": {"day": [{"price": "3"}], "night": [{"price": "1"}]}}
    readings = [(DAY + minutes * 60_000, kwh) for minutes, kwh in ((420, 2), (450, 4), (480, 3))]
    found = rated({"calendar": {"days": days}, "demand": demand}, *readings, interval_s=1800)
    assert amounts(found, "demand") == [6 + 9]
