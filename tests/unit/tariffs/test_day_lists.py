"""Tariffs by named lists of days: bills derived by hand, and days that are not named yet."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from flink_job.billing.notices import notices
from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.cycle import segment_between
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, Intervals, rate_history, versions_in_force
from flink_job.tariffs.provisional import unlisted
from tests.harness.kinds import EVERY_DAY, HEAD
from tests.unit.tariffs.test_history import amounts, at, rated

PARIS = ZoneInfo("Europe/Paris")
HOUR_MS = 3_600_000
PRICES = {
    "hp_red": "0.7562",
    "hc_red": "0.1568",
    "hp_blue": "0.1609",
    "hc_blue": "0.1296",
}
TEMPO = {
    "calendar": {
        "day_begins": "06:00",
        "day_lists": {"red": ["2026-01-21"]},
        "days": [
            {"on": ["red"], "bands": [{"from": "06:00", "period": "hp_red"}, {"from": "22:00", "period": "hc_red"}]},
            {
                "on": EVERY_DAY,
                "bands": [{"from": "06:00", "period": "hp_blue"}, {"from": "22:00", "period": "hc_blue"}],
            },
        ],
    },
    "energy": {"periods": {period: [{"price": price}] for period, price in PRICES.items()}},
}


def test_a_red_day_lasts_from_six_to_six() -> None:
    # 21 and 22 January: 6 h of 5 kWh of the blue night, then 1 kWh an hour: 16 h red day, 2 + 6 h red night, 16 h blue
    # day, 2 h blue night.
    start = local_midnight_ms(date(2026, 1, 21), PARIS) + np.arange(48) * HOUR_MS
    data = Intervals.of(start, np.full(48, HOUR_MS), np.where(np.arange(48) < 6, 5_000_000, 1_000_000))
    in_force = versions_in_force([read_tariff({**HEAD, **TEMPO})])
    (bill,) = rate_history(in_force, BillingTerms(PARIS), data).bills
    # (30 + 2) x 0.1296 + 16 x 0.7562 + 8 x 0.1568 + 16 x 0.1609.
    assert bill.lines["energy"] == 20_075_200


def test_coincident_peak_hours_named_afterwards() -> None:
    """The mean demand of the hour from 17:00 of the named days alone is billed."""
    calendar = {
        "day_lists": {"coincident": ["2026-01-12", "2026-01-14"]},
        "days": [
            {
                "on": ["coincident"],
                "bands": [
                    {"from": "00:00", "period": "other"},
                    {"from": "17:00", "period": "coincident"},
                    {"from": "18:00", "period": "other"},
                ],
            },
            {"on": EVERY_DAY, "bands": [{"from": "00:00", "period": "other"}]},
        ],
    }
    demand = {
        "window_s": 3600,
        "calendar": calendar,
        "periods": {"coincident": [{"price": "7"}]},
        "highest_days": 2,
    }
    readings = (
        (at("2026-01-12", 17), 40),
        (at("2026-01-13", 17), 90),
        (at("2026-01-14", 17), 20),
        (at("2026-01-14", 18), 70),
    )
    assert amounts(rated({"demand": demand}, *readings), "demand") == [7 * (40 + 20) / 2]
    # Another list, published later, names another day: (90 + 20) / 2.
    calendar["day_lists"] = {"coincident": ["2026-01-13", "2026-01-14"]}
    assert amounts(rated({"demand": demand}, *readings), "demand") == [7 * (90 + 20) / 2]


def test_days_that_no_list_is_complete_for_are_provisional() -> None:
    """The lists are complete until 22 January, a day that begins at 06:00, 05:00 UTC."""
    calendar = {**TEMPO["calendar"], "lists_known_until": "2026-01-22"}
    document = {**HEAD, **TEMPO, "calendar": calendar}
    cycle = date(2026, 1, 1), date(2026, 2, 1)
    segment = segment_between("t", "1", cycle, *cycle, PARIS)
    starts = np.array([at("2026-01-22", 4.75), at("2026-01-22", 5)])
    for more in ({}, {"timezone": "Europe/Paris"}):
        found = unlisted(read_tariff({**document, **more}), [segment], np.zeros(2, np.int64), starts)
        assert found.tolist() == [False, True]
    assert not unlisted(read_tariff({**HEAD, **TEMPO}), [segment], np.zeros(2, np.int64), starts).any()
    data = Intervals.of(starts, np.full(2, 900_000), np.full(2, 1))
    (line,) = notices([read_tariff(document)], PARIS, {"m": data})
    assert line == "1 reading of days for which the tariff's lists of days are not complete yet"
