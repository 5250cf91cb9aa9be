"""Contracts: what is refused, and why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flink_job.metering.contract import ContractError, parse_contract

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
        ({"cycle_starts": ["2026-02-03", "2026-01-03"]}, "cycle_starts must rise"),
        ({"assignments": []}, "assignments is empty"),
        ({"multiplier": -1}, "multiplier"),
        ({"tags": {"gateway": "a;b"}}, "tags"),
        ({"site_path": "/"}, "site_path"),
        ({"assignments": [{"tariff_id": "a"}]}, "valid_from"),
    ],
)
def test_contracts_that_are_none(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        parse_contract(json.dumps({**CONTRACT, **changes}))
