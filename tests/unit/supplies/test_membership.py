"""The meters of a supply point by time, and the faults of contracts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flink_job.metering.contract import Contract, ContractError
from flink_job.metering.contract_document import parse_contract
from flink_job.metering.supply_terms import SupplyTerms, parse_record, terms_of_tenant
from flink_job.supplies.membership import SupplyError, supplies_of
from flink_job.supplies.tree import trees

BASE = {"site_path": "plant/m", "timezone": "Europe/Madrid"}
ASSIGNED = {"assignments": [{"tariff_id": "t", "valid_from": "2026-01-01"}]}


def contract(meter: str, **fields: Any) -> Contract:
    return parse_contract(json.dumps({"meter_id": meter, **BASE, **fields}))


def member(meter: str, role: str, **fields: Any) -> Contract:
    return contract(meter, supply_point="sp", role=role, **fields)


def faults(*contracts: Contract, terms: dict[str, SupplyTerms] | None = None) -> list[str]:
    """Codes of the faults, by parsing contracts to trees."""
    supplies, found = supplies_of({c.meter_id: c for c in contracts}, terms or {})
    codes = [str(error.code) for error in found]
    for supply in supplies:
        try:
            trees(supply)
        except SupplyError as error:
            codes.append(str(error.code))
    return codes


def test_a_contract_without_a_supply_point_is_a_supply_of_its_own() -> None:
    (supply,), _ = supplies_of({"m": contract("m", **ASSIGNED)}, {})
    (tree,) = trees(supply)
    assert (supply.supply_point, tree.sources, tree.nodes) == ("m", ("m",), ("m",))


def test_submeters_form_a_tree_in_which_each_comes_after_the_one_upstream() -> None:
    meters = [
        member("a", "sub", upstream="c"),
        member("b", "sub"),
        member("c", "sub", upstream="b"),
        member("x", "main", **ASSIGNED),
    ]
    (supply,), _ = supplies_of({c.meter_id: c for c in meters}, {})
    (tree,) = trees(supply)
    assert (tree.nodes, tree.parents) == (("b", "c", "a"), (-1, 0, 1))


def test_a_meter_that_moves_is_part_of_each_supply_for_its_time() -> None:
    """Its own supply until 1 June, then behind the main of `sp`: two trees each."""
    moving = contract("m", **ASSIGNED, changes=[{"valid_from": "2026-06-01", "supply_point": "sp", "role": "sub"}])
    supplies, _ = supplies_of({"m": moving, "x": member("x", "main", **ASSIGNED)}, {})
    found = {supply.supply_point: [tree.nodes for tree in trees(supply)] for supply in supplies}
    assert found == {"m": [("m",), ()], "sp": [("x",), ("m",)]}
    first, second = trees(supplies[1])
    assert (
        first.until_ms == second.from_ms == 1_780_264_800_000
    )  # 2026-06-01 00:00 in Madrid is 22:00 UTC the day before


@pytest.mark.parametrize(
    ("meters", "code"),
    [
        ([member("s", "sub")], "no_main"),
        ([member("x", "main"), member("s", "sub")], "no_supply"),
        (
            [member("x", "main", **ASSIGNED), member("y", "main", billing_day=2, **ASSIGNED)],
            "different_terms",
        ),
        ([member("x", "main", **ASSIGNED), member("p", "part")], "main_and_part"),
        ([member("x", "main", **ASSIGNED), member("s", "sub", upstream="nobody")], "unknown_upstream"),
        ([member("p", "part", **ASSIGNED), member("s", "sub")], "unknown_upstream"),
        (
            [
                member("x", "main", **ASSIGNED),
                member("a", "sub", upstream="b"),
                member("b", "sub", upstream="c"),
                member("c", "sub", upstream="a"),
            ],
            "upstream_cycle",
        ),
    ],
)
def test_faults_have_a_code(meters: list[Contract], code: str) -> None:
    assert faults(*meters) == [code]


def test_equal_terms_of_two_mains_are_no_fault() -> None:
    assert faults(member("x", "main", **ASSIGNED), member("y", "main", **ASSIGNED)) == []


def test_a_sensor_has_no_supply() -> None:
    supplies, found = supplies_of({"t": contract("t", role="sensor")}, {})
    assert (supplies, found) == ([], [])


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "assignments must not be empty"),
        ({"supply_point": "sp"}, "supply_point requires a role"),
        ({"role": "sub"}, "requires a supply_point"),
        ({"supply_point": "sp", "role": "main", "upstream": "y"}, "only a meter with the role sub"),
        ({"supply_point": "sp", "role": "sub", "upstream": "m"}, "upstream names the meter itself"),
        ({"supply_point": "sp", "role": "top"}, "role"),
        ({**ASSIGNED, "changes": [{"valid_from": "2026-06-01", "role": "sub"}]}, "from 2026-06-01"),
    ],
)
def test_contracts_with_a_faulty_role_are_rejected(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        contract("m", **fields)


TERMS = {"supply_point": "sp", "timezone": "Europe/Madrid", **ASSIGNED}


def test_terms_of_a_supply_are_a_record_without_a_meter() -> None:
    found = parse_record(json.dumps({**TERMS, "billing_day": 5, "sharing": {"demand": "energy"}}))
    assert isinstance(found, SupplyTerms)
    assert (found.as_contract().billing_day, found.sharing.demand, found.sharing.fixed) == (5, "energy", "energy")
    assert terms_of_tenant(found, "acme").supply_point == "acme\x1fsp"
    meters = member("x", "main"), member("s", "sub")
    (supply,), faulty = supplies_of({c.meter_id: c for c in meters}, {"sp": found})
    assert (supply.contract.billing_day, faulty) == (5, [])


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"assignments": []}, "assignments must not be empty"),
        ({"timezone": "Mars"}, "terms of supply point sp: 'Mars' is not an IANA time zone"),
        ({"sharing": {"demand": "area"}}, "demand"),
        ({"site_path": "a/b"}, "unknown field 'site_path'"),
        ({"changes": [{"valid_from": "2026-06-01", "role": "main"}]}, "role of a change belongs in the contract"),
        ({"supply_point": ""}, "supply_point must have"),
    ],
)
def test_faulty_terms_are_rejected(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        parse_record(json.dumps({**TERMS, **fields}))


def test_a_record_with_a_meter_is_its_contract() -> None:
    assert isinstance(parse_record(json.dumps({"meter_id": "m", **BASE, **ASSIGNED})), Contract)
