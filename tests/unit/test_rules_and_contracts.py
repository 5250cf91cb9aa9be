"""Alert rules and contracts: what is refused, and why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flink_job.alerts.rules import RuleError, read_rules
from flink_job.metering.contract import ContractError, parse_contract

RULE = {"rule_id": "hot", "scope": "f/*", "severity": "major", "channel": "temperature", "above": 80}
CONTRACT = {
    "meter_id": "m",
    "site_path": "f/p/l/m",
    "timezone": "Europe/Madrid",
    "assignments": [{"tariff_id": "b", "valid_from": "2026-03-01"}, {"tariff_id": "a", "valid_from": "2026-01-01"}],
}


def rules(*changed: dict[str, Any]) -> Any:
    return read_rules(json.dumps([{**RULE, **changes} for changes in changed]).encode())


def test_a_value_at_the_limit_does_not_breach() -> None:
    [rule] = rules({})
    assert [rule.check(v).split("|")[2] for v in (80, 80.5)] == ["", "above"]


def test_a_band_has_two_sides() -> None:
    [rule] = rules({"below": 10})
    assert [rule.check(v).split("|")[2:] for v in (5, 50, 90)] == [
        ["below", "5", "10"],
        ["", "50", "80"],
        ["above", "90", "80"],
    ]


def test_the_scope_is_a_part_of_the_site() -> None:
    [rule] = rules({"scope": "f/p/*"})
    assert [rule.matches(path) for path in ("f/p/l/m", "f/q/l/m")] == [True, False]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"above": None}, "can never fire"),
        ({"below": 90}, "every value breaches"),
        ({"severity": "loud"}, "severity is 'loud'"),
        ({"channel": "noise"}, "channel is 'noise'"),
        ({"abov": 3}, "abov"),
    ],
)
def test_rules_that_cannot_be_used(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(RuleError, match=problem):
        rules(changes)


def test_two_rules_with_one_name() -> None:
    with pytest.raises(RuleError, match="one rule_id"):
        rules({}, {})


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
        ({"site_path": "/"}, "site_path"),
        ({"assignments": [{"tariff_id": "a"}]}, "valid_from"),
    ],
)
def test_contracts_that_are_none(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ContractError, match=problem):
        parse_contract(json.dumps({**CONTRACT, **changes}))
