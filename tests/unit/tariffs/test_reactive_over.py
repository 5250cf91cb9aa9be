"""Reactive energy above a free share of the energy of each interval, each period, or several periods together."""

from __future__ import annotations

from typing import Any

import pytest

from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.model import TariffError
from tests.harness.kinds import EVERY_DAY, HEAD
from tests.unit.tariffs.test_history import amounts
from tests.unit.tariffs.test_history_demand import with_reactive

#: Half hours from 01:00 on: two of red, one of amber, one of green.
BANDS = {
    "days": [
        {
            "on": EVERY_DAY,
            "bands": [
                {"from": "00:00", "period": "red"},
                {"from": "02:00", "period": "amber"},
                {"from": "02:30", "period": "green"},
            ],
        }
    ]
}
#: (kWh, kvarh) of each half hour.
READINGS = ((200, 120), (250, 0), (300, 30), (100, 60))
PRICE = {"bands": [{"cos_phi_below": "1", "price": "0.003"}]}


def charged(over: str, **more: Any) -> float:
    reactive = {"free_share": "0.3287", **PRICE, "over": over, **more}
    energy = {"periods": {name: [{"price": "0"}] for name in ("red", "amber", "green")}}
    document = {"calendar": BANDS, "energy": energy, "reactive": reactive}
    return float(amounts(with_reactive(document, *READINGS), "reactive")[0])


def test_each_half_hour_has_a_free_share_of_its_own() -> None:
    # 120 - 0.3287 x 200 = 54.26; 0; 0; 60 - 32.87 = 27.13 kvarh: 81.39 x 0.003.
    assert charged("interval") == 0.24417
    # By the hour: red 120 - 0.3287 x 450 is below 0; green is a half hour as before.
    assert charged("interval", interval_s=3600) == 0.08139


def test_each_period_has_a_free_share_of_its_own() -> None:
    assert charged("period") == 0.08139


def test_periods_together_have_one_free_share() -> None:
    # 210 - 0.3287 x 850 is below 0; amber and green alone: 90 - 0.3287 x 400 too; red and green: 180 - 0.3287 x 550.
    assert charged("periods") == 0
    assert charged("periods", periods=["amber", "green"]) == 0
    assert charged("periods", periods=["green"]) == 0.08139
    assert charged("periods", periods=["red", "green"], free_share="0.3") == pytest.approx(15 * 0.003)


def test_a_british_bill_by_half_hours() -> None:
    """Red, amber, green; 500 kVA agreed at 0.05 a day, excess at 0.07 a day; reactive energy by the half hour."""
    prices = {"red": "0.10", "amber": "0.02", "green": "0.01"}
    document = {
        "calendar": BANDS,
        "energy": {"periods": {name: [{"price": price}] for name, price in prices.items()}},
        "fixed": [{"name": "standing", "amount": "1", "per": "day"}],
        "demand": {"window_s": 1800, "unit": "kVA"},
        "contracted_power": {
            "calendar": {"days": [{"on": EVERY_DAY, "bands": [{"from": "00:00", "period": "all"}]}]},
            # 0.05 x 365 a year; 0.07 a day is 2 x 1.05 / 30.
            "periods": {"all": "18.25"},
            "kw": {"all": "500"},
            "excess": {"rule": "maximeter", "prices": {"all": "1.05"}},
        },
        "reactive": {"free_share": "0.3287", **PRICE, "over": "interval"},
    }
    history = with_reactive(document, *READINGS)
    # 450 x 0.10 + 300 x 0.02 + 100 x 0.01; 28 days at 1 and of 500 kVA at 0.05; 102.992537 kVA x 0.07 x 28.
    assert amounts(history, "energy") == [52]
    assert amounts(history, "fixed") == [28 + 700]
    assert float(amounts(history, "demand")[0]) == pytest.approx(201.865373, abs=1e-5)
    assert float(sum(history.bills[0].lines.values())) / 1e6 == pytest.approx(982.109543, abs=1e-5)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"reactive": {**PRICE, "interval_s": 1800}}, "reactive/interval_s: only with `over` interval"),
        (
            {"reactive": {**PRICE, "over": "interval"}, "export": {"rule": "net_billing"}},
            "not by interval where exports are netted",
        ),
    ],
)
def test_faults_are_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(TariffError, match=message):
        read_tariff({**HEAD, **document})
