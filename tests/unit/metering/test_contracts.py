"""Contracts: what is refused, and why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flink_job.metering.contract import ContractError
from flink_job.metering.contract_document import parse_contract, parse_outline

CONTRACT = {
    "meter_id": "m",
    "site_path": "f/p/l/m",
    "timezone": "Europe/Madrid",
    "assignments": [{"tariff_id": "b", "valid_from": "2026-03-01"}, {"tariff_id": "a", "valid_from": "2026-01-01"}],
}


def test_assignments_come_in_order_of_validity() -> None:
    assert [a.tariff_id for a in parse_contract(json.dumps(CONTRACT)).assignments] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"timezone": "Europe/Atlantis"}, "Atlantis"),
        ({"billing_day": 0}, "billing_day"),
        ({"cycle_starts": ["2026-02-03", "2026-01-03"]}, "cycle_starts must be ascending"),
        ({"assignments": []}, "assignments must not be empty"),
        ({"multiplier": -1}, "multiplier"),
        ({"tags": {"gateway": "a;b"}}, "tags"),
        ({"site_path": "/"}, "site_path"),
        ({"assignments": [{"tariff_id": "a"}]}, "valid_from"),
        ({"billing_dya": 3}, "unknown field 'billing_dya'"),
        (
            {"assignments": [{"tariff_id": "a", "valid_from": "2026-01-01", "valid_to": "2026-02-01"}]},
            "unknown field 'valid_to' of an assignment; an assignment ends where the next one begins",
        ),
        (
            {"assignments": [{"tariff_id": tariff, "valid_from": "2026-01-01"} for tariff in ("a", "b")]},
            "two assignments have valid_from 2026-01-01",
        ),
    ],
)
def test_invalid_contracts_are_rejected(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        parse_contract(json.dumps({**CONTRACT, **changes}))


def test_a_contract_that_was_accepted_before_may_have_unknown_fields() -> None:
    document = json.dumps({**CONTRACT, "billing_dya": 3})
    assert parse_contract(document, accept_unknown=True) == parse_contract(json.dumps(CONTRACT))


def test_of_two_assignments_from_one_date_that_were_accepted_before_the_last_one_applies() -> None:
    """Only new records are refused: the meters of an accepted contract keep their tariff, `b` from 2026-01-01."""
    assignments = [{"tariff_id": tariff, "valid_from": "2026-01-01"} for tariff in ("a", "b")]
    document = json.dumps({**CONTRACT, "assignments": assignments})
    assert [a.tariff_id for a in parse_contract(document, accept_unknown=True).assignments] == ["a", "b"]


@pytest.mark.parametrize("path", ["/f/p/l/m", "f/p//l/m/", "//f/p/l/m"])
def test_slashes_at_the_ends_of_a_path_and_empty_parts_do_not_count(path: str) -> None:
    """The first part is the factory: a leading slash would make a factory without a name."""
    document = json.dumps({**CONTRACT, "site_path": path})
    assert parse_contract(document).site_path == parse_outline(document).site_path == "f/p/l/m"


@pytest.mark.parametrize("changes", [{"tags": {"gateway": "a;b"}}, {"site_path": "/"}, {"meter_id": ""}, {"tags": 3}])
def test_an_outline_refuses_what_is_wrong_with_the_meter_itself(changes: dict[str, Any]) -> None:
    document = json.dumps({**CONTRACT, **changes})
    with pytest.raises(ContractError) as whole:
        parse_contract(document)
    with pytest.raises(ContractError) as outline:
        parse_outline(document)
    assert str(outline.value) == str(whole.value)


def test_meters_agree_the_same_where_all_is_alike_but_what_is_their_own() -> None:
    def agreed(**changes: Any) -> tuple[bytes, ...]:
        return parse_outline(json.dumps({**CONTRACT, **changes})).terms

    assert agreed(meter_id="n", site_path="f/q/l/n", tags={"gateway": "g"}) == agreed()
    others: list[dict[str, Any]] = [
        {"timezone": "Europe/Lisbon"},
        {"assignments": CONTRACT["assignments"][:1]},
        {"billing_day": 5},
        {"cycle_starts": ["2026-01-03"]},
        {"multiplier": 40},
    ]
    assert len({agreed(), *(agreed(**changes) for changes in others)}) == 6
