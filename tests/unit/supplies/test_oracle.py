"""Bills and shares of random plants beside an independent computation in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.metering.supply_terms import Sharing
from flink_job.tariffs.document import read_tariff
from tests.harness.kinds import DEMAND, FIRST, LAST, STREAMED, TAXES, TWO_PRICES
from tests.harness.plants import Plant, plants
from tests.harness.supply_oracle import SupplyOracle
from tests.unit.supplies.test_laws import by_meter, rated

CHARGED: dict[str, Any] = {
    "demand": DEMAND,
    "fixed": [{"name": "a", "amount": "9", "per": "month"}, {"name": "b", "amount": "0.41", "per": "day"}],
    "taxes": [{**tax, "base": [b for b in tax["base"] if b not in ("export", "reactive")]} for tax in TAXES],
}
TARIFFS = {
    "two prices": {**TWO_PRICES, **CHARGED, "export": {}},
    "tiers": {**STREAMED["tiers per period"], **CHARGED},
}


def computed(plant: Plant, tariff: dict[str, Any]) -> SupplyOracle:
    contracts = [msgspec.to_builtins(contract) for contract in plant.contracts.values()]
    for contract in contracts:
        contract["changes"] = [
            {name: value for name, value in change.items() if value is not None} for change in contract["changes"]
        ]
    oracle = SupplyOracle(contracts, "Europe/Madrid", 15, tariff)
    for meter, data in plant.readings.items():
        for start_ms, ukwh in zip(data.start_ms.tolist(), data.import_ukwh.tolist(), strict=True):
            oracle.add(meter, start_ms // 1000, Fraction(ukwh, 10**6))
    return oracle


@pytest.mark.parametrize("name", TARIFFS)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_bills_and_shares_equal_an_independent_computation(name: str, data: st.DataObject) -> None:
    """Each line of a bill to the last digit; each share but for one unit of 1e-6 for each division of an amount.

    An amount is divided by interval and, in each of some 150 intervals, at each of up to seven levels; taxes are shared
    by charges that are rounded so.
    """
    plant = data.draw(plants(FIRST, LAST))
    plant.sharing = Sharing()
    bills = list(rated(plant, read_tariff(TARIFFS[name])).bills())
    shares, number = by_meter(bills), 0
    for lines, expected in computed(plant, TARIFFS[name]).rated():
        while not len(bills[number].charges.rows):
            number += 1
        of_bill = bills[number].charges.bill.lines
        assert {line: int(amount * 10**6) for line, amount in lines.items() if line != "tax"} == {
            line: of_bill[line] for line in lines if line != "tax"
        }
        assert abs(lines["tax"] * 10**6 - of_bill["tax"]) <= 2
        found = {(meter, line): amount for (n, meter, line), amount in shares.items() if n == number}
        for key in found.keys() | expected.keys():
            assert abs(found.get(key, 0) - expected.get(key, Fraction(0)) * 10**6) <= 1500, key
        number += 1
