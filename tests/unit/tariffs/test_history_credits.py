"""Credits of a bill: banks of hours, netting, what is carried over."""

from __future__ import annotations

from decimal import Decimal

from tests.harness.kinds import EVERY_DAY
from tests.unit.tariffs.test_history import amounts, at, rated


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
