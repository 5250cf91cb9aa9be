"""Tariff documents that are refused: the message names the place, the value and the form it should have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flink_job.tariffs.document import FORMS, read_tariff, schema
from flink_job.tariffs.model import TariffError
from tests.harness.kinds import HEAD

FIXED = {"name": "standing", "per": "month"}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"currency": "euro"}, "currency: 'euro' is not a currency code of three capital letters, such as EUR"),
        ({"tariff_id": "a b"}, "tariff_id: 'a b' is not a name of letters, digits"),
        (
            {"fixed": [{**FIXED, "amount": "1e9"}]},
            "fixed/0/amount: '1e9' is not an amount below 100,000,000,000 with at most 9 decimals, such as '7.50'",
        ),
        (
            {"energy": {"periods": {"all": [{"price": "0,25"}]}}},
            "energy/periods/all/0/price: '0,25' is not an amount below 1,000,000,000",
        ),
        (
            {"taxes": [{"name": "VAT", "rate": "21 %", "base": ["energy"]}]},
            "taxes/0/rate: '21 %' is not a rate below 10 with at most 12 decimals, such as '0.21' for 21 %",
        ),
        ({"valid_to": "2026-01-01"}, "valid_to: 2026-01-01 is not after valid_from, 2026-01-01"),
        ({"valid_to": "2025-06-01"}, "valid_to: 2025-06-01 is not after valid_from, 2026-01-01"),
        (
            {
                "taxes": [
                    {
                        "name": "VAT",
                        "rate": "0.21",
                        "base": ["energy"],
                        "valid_from": "2026-07-01",
                        "valid_to": "2026-06-01",
                    }
                ]
            },
            "taxes/0/valid_to: 2026-06-01 is not after valid_from, 2026-07-01",
        ),
    ],
)
def test_the_message_says_what_is_wrong(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(TariffError) as caught:
        read_tariff({**HEAD, **fields})
    (found,) = caught.value.problems
    assert found.startswith(problem)


def test_amounts_of_large_units() -> None:
    """1,500,000,000 rupiah a month: 1.5e9 currency are 1.5e18 of 1e-9."""
    tariff = read_tariff({**HEAD, "fixed": [{**FIXED, "amount": "1500000000"}]})
    assert [charge.amount_e9 for charge in tariff.fixed] == [1_500_000_000 * 10**9]


def test_every_pattern_of_the_schema_has_a_description() -> None:
    assert set(_patterns(schema())) == set(FORMS)


def _patterns(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        for value in node.values():
            yield from _patterns(value)
    if isinstance(node, list):
        for value in node:
            yield from _patterns(value)
