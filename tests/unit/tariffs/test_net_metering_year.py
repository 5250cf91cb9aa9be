"""Net metering over a contract year, across periods, and with a year that begins in any month: bills by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.model import TariffError
from tests.harness.kinds import EVERY_DAY, HEAD
from tests.unit.tariffs.test_history import amounts, at, rated

NET = {"rule": "net_metering", "year_end_price": "0.08"}
ONE = {"energy": {"periods": {"all": [{"price": "0.30"}]}}, "valid_from": "2020-01-01"}
LOW_NORMAL = {
    "valid_from": "2020-01-01",
    "calendar": {
        "days": [
            {"on": EVERY_DAY, "bands": [{"from": "00:00", "period": "low"}, {"from": "07:00", "period": "normal"}]}
        ]
    },
    "energy": {"periods": {"low": [{"price": "0.28"}], "normal": [{"price": "0.32"}]}},
}


def test_a_contract_year_is_balanced_as_a_whole() -> None:
    # March to March: 100 - 300 + 250 = 50 kWh at 0.30. April is charged 30, June pays it back, December charges 15.
    document = {**ONE, "export": {**NET, "balance": "year", "year_from": 3}}
    readings = ((at("2025-04-10"), 100), (at("2025-06-15"), -300), (at("2025-12-15"), 250), (at("2026-03-10"), 10))
    history = rated(document, *readings)
    energy = amounts(history, "energy")
    assert [energy[0], energy[2], energy[8]] == [30, -30, 15]
    assert sum(energy[:11]) == 15
    # March begins another year.
    assert energy[11] == 3
    assert sum(amounts(history, "export")) == 0


def test_the_surplus_of_a_balanced_year_is_paid_at_its_end() -> None:
    # 100 - 300 = -200 at the end of February: the 30 that were charged come back, and 200 x 0.08.
    document = {**ONE, "export": {**NET, "balance": "year", "year_from": 3}}
    history = rated(document, (at("2025-04-10"), 100), (at("2025-06-15"), -300), (at("2026-02-10"), 0))
    assert sum(amounts(history, "energy")) == 0
    assert amounts(history, "export")[-1] == -16


def test_a_bank_that_ends_in_april() -> None:
    # 500 banked in September cover 400 in January; 100 are paid at the end of April.
    document = {**ONE, "export": {**NET, "year_from": 5}}
    history = rated(document, (at("2025-09-15"), -500), (at("2026-01-15"), 400), (at("2026-05-10"), 1))
    assert amounts(history, "energy") == [0] * 8 + [Decimal("0.3")]
    assert amounts(history, "export") == [0] * 7 + [-8, 0]


@pytest.mark.parametrize(("across", "expected"), [(True, 0), (False, 28)])
def test_a_surplus_of_one_period_covers_another(across: bool, expected: int) -> None:
    # 100 kWh exported at noon, 100 imported at night.
    document = {**LOW_NORMAL, "export": {**NET, "across_periods": across}}
    history = rated(document, (at("2025-06-15"), -100), (at("2025-06-16", 1), 100))
    assert amounts(history, "energy") == [expected]


def test_what_is_left_of_a_surplus_is_banked_in_its_own_period() -> None:
    # June: 150 of normal exported, 100 of low imported: 50 of normal are left. July: 30 of normal and 30 of low.
    document = {**LOW_NORMAL, "export": {**NET, "across_periods": True}}
    readings = ((at("2025-06-15"), -150), (at("2025-06-16", 1), 100), (at("2025-07-15"), 30), (at("2025-07-16", 1), 30))
    history = rated(document, *readings)
    # 30 of the bank cover normal, 20 cover low; 10 of low at 0.28.
    assert amounts(history, "energy") == [0, Decimal("2.8")]


def test_a_balanced_year_across_periods() -> None:
    # Normal 100 in April: 32. May exports 60 at noon, and imports 30 by night:
    # the year is 40 x 0.32 + 30 x 0.28 = 21.20. June exports 90 more at noon: -50 of normal, which cover 30 of low.
    document = {**LOW_NORMAL, "export": {**NET, "balance": "year", "across_periods": True, "year_from": 7}}
    readings = (
        (at("2025-04-10"), 100),
        (at("2025-05-10"), -60),
        (at("2025-05-11", 1), 30),
        (at("2025-06-10"), -90),
    )
    history = rated(document, *readings)
    assert amounts(history, "energy") == [32, Decimal("21.2") - 32, -Decimal("21.2")]
    # 20 kWh are left at the end of June.
    assert amounts(history, "export") == [0, 0, Decimal("-1.6")]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"export": {"rule": "net_billing", "balance": "year"}}, "export/balance: only for net_metering"),
        ({"export": {"across_periods": True}}, "export/across_periods: only for net_metering"),
        (
            {
                "export": {"rule": "net_metering", "balance": "year"},
                "energy": {"periods": {"all": [{"price": "1", "max": "9"}, {"price": "2"}]}},
            },
            "not the year's with tiers",
        ),
    ],
)
def test_faults_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TariffError, match=message):
        read_tariff({**HEAD, **fields})
