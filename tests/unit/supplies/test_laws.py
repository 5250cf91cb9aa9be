"""Laws of shares that hold for every plant and every kind of charge."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flink_job.metering.contract import Contract
from flink_job.metering.local_days import local_days
from flink_job.supplies.membership import supplies_of
from flink_job.supplies.rated import RatedSupply, SharedBill, rate_supply
from flink_job.tariffs.bill_lines import LINES
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, History, Intervals, rate_history, versions_in_force
from flink_job.tariffs.model import Tariff
from tests.harness.kinds import FIRST, KINDS, LAST
from tests.harness.plants import MADRID, SUPPLY, Plant, plants
from tests.unit.tariffs.test_laws import SPOT

TERMS = BillingTerms(MADRID, billing_day=15)


@pytest.fixture(scope="module", params=KINDS)
def tariff(request: pytest.FixtureRequest) -> Tariff:
    return read_tariff(KINDS[request.param])


def rated(plant: Plant, tariff: Tariff) -> RatedSupply:
    supplies, _ = supplies_of(plant.contracts, plant.terms)
    supply = next(one for one in supplies if one.supply_point == SUPPLY)

    def rate(data: Intervals) -> History:
        return rate_history(versions_in_force([tariff]), TERMS, data, SPOT)

    return rate_supply(supply, plant.readings, rate)


def by_meter(bills: list[SharedBill]) -> dict[tuple[int, str, str], int]:
    """Amount by bill, meter (`rest` for the rest) and line, without zeros."""
    found: dict[tuple[int, str, str], int] = defaultdict(int)
    for number, one in enumerate(bills):
        for shares in one.shares:
            for line, amounts in shares.amounts.items():
                for meter, row in zip((*shares.tree.nodes, "rest"), amounts, strict=True):
                    found[number, meter, line] += int(row.sum())
    return {key: amount for key, amount in found.items() if amount}


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_shares_and_rest_are_the_bill(tariff: Tariff, data: st.DataObject) -> None:
    """Each line of each bill, to the last digit; and the energy of the meters and the rest is that of the mains."""
    result = rated(data.draw(plants(FIRST, LAST)), tariff)
    for number, one in enumerate(result.bills()):
        shares = list(one.shares)
        for line in LINES:
            assert sum(int(s.amounts[line].sum()) for s in shares) == one.charges.bill.lines[line]
        inside = result.history.segment == number
        assert sum(int(s.net_ukwh.sum()) for s in shares) == int(result.history.intervals.import_ukwh[inside].sum())


@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_shares_of_a_day_at_a_time_are_the_same(tariff: Tariff, data: st.DataObject) -> None:
    """Large supplies are shared by some days at a time, none of which is in two parts."""
    bills = list(rated(data.draw(plants(FIRST, LAST)), tariff).bills())
    whole = by_meter(bills)
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr("flink_job.supplies.shares._CELLS", 1)
        assert by_meter(bills) == whole
        for one in bills:
            zone = one.charges.context.terms.zone
            days = [local_days(zone.key).days_at(part.slots.start_ms)[0] for part in one.shares]
            assert all(len(set(part.tolist())) == 1 for part in days)


@given(data=st.data(), order=st.randoms(use_true_random=False))
@settings(max_examples=5, deadline=None)
def test_the_order_of_meters_and_readings_does_not_matter(tariff: Tariff, data: st.DataObject, order: Any) -> None:
    plant = data.draw(plants(FIRST, LAST))
    expected = by_meter(list(rated(plant, tariff).bills()))
    shuffled = Plant(sharing=plant.sharing)
    for meter in order.sample(list(plant.contracts), len(plant.contracts)):
        shuffled.contracts[meter] = plant.contracts[meter]
        if meter in plant.readings:
            rows = list(range(len(plant.readings[meter].start_ms)))
            order.shuffle(rows)
            shuffled.readings[meter] = plant.readings[meter].part(np.array(rows)).sorted()
    assert by_meter(list(rated(shuffled, tariff).bills())) == expected


def behind(plant: Plant, meter: str) -> set[str]:
    """A meter and all meters behind it."""
    found = {meter}
    while more := {name for name, c in plant.contracts.items() if c.upstream in found} - found:
        found |= more
    return found


@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_what_is_behind_a_meter_changes_nothing_beside_or_above_it(tariff: Tariff, data: st.DataObject) -> None:
    """Without the meters behind it, a submeter has the sum of their shares and its own; the others keep theirs."""
    plant = data.draw(plants(FIRST, LAST, can_move=False))
    subs = [meter for meter, contract in plant.contracts.items() if contract.role == "sub"]
    if not subs:
        return
    gone = behind(plant, random.Random(0).choice(subs))
    top = min(gone, key=lambda meter: len(behind(plant, meter)) * -1)
    gone.discard(top)
    cut = Plant(
        {meter: c for meter, c in plant.contracts.items() if meter not in gone},
        {meter: r for meter, r in plant.readings.items() if meter not in gone},
        plant.sharing,
    )
    before, after = (by_meter(list(rated(one, tariff).bills())) for one in (plant, cut))
    merged: dict[tuple[int, str, str], int] = defaultdict(int)
    for (number, meter, line), amount in before.items():
        merged[number, top if meter in gone else meter, line] += amount
    shown = {key: amount for key, amount in merged.items() if amount}
    if all(line not in ("minimum", "tax") for _, _, line in shown):
        assert shown == after
    by_quantity = ("energy", "demand", "fixed", "export", "reactive")
    assert {k: v for k, v in shown.items() if k[2] in by_quantity} == {
        k: v for k, v in after.items() if k[2] in by_quantity
    }


@given(data=st.data())
@settings(max_examples=5, deadline=None)
def test_new_names_change_no_share_but_the_last_digit(tariff: Tariff, data: st.DataObject) -> None:
    """Of equal remainders, the first name has the unit that is left: one for each interval and level of the tree."""
    plant = data.draw(plants(FIRST, LAST, can_move=False))
    names = {meter: f"z{9 - int(meter[1:])}" if meter.startswith("m") else meter for meter in plant.contracts}
    renamed = Plant(sharing=plant.sharing)
    for meter, contract in plant.contracts.items():
        fields = msgspec.structs.asdict(contract)
        fields |= {"meter_id": names[meter], "upstream": names.get(contract.upstream, "")}
        renamed.contracts[names[meter]] = Contract(**fields)
        if meter in plant.readings:
            renamed.readings[names[meter]] = plant.readings[meter]
    before, after = (by_meter(list(rated(one, tariff).bills())) for one in (plant, renamed))
    allowed = 400
    for number, meter, line in before.keys() | {(n, m, x) for n, m, x in after if m in names}:
        new = after.get((number, names.get(meter, meter), line), 0)
        assert abs(before.get((number, meter, line), 0) - new) <= allowed
