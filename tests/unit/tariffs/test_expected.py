"""When readings of a meter are expected, by its contract."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flink_job.io.locations import open_location
from flink_job.tariffs.expected import FOREVER_MS, ExpectedTerm, changed_terms
from flink_job.tariffs.registry import TariffRegistry

TARIFFS = Path(__file__).parents[3] / "sample_data" / "tariffs"


@pytest.fixture(scope="module")
def registry() -> TariffRegistry:
    registry = TariffRegistry(open_location(str(TARIFFS), "us-east-1", ""))
    registry.refresh()
    return registry


def contract(*assignments: tuple[str, str], **more: Any) -> str:
    assigned = [{"tariff_id": tariff, "valid_from": day} for tariff, day in assignments]
    fixed = {"meter_id": "m", "site_path": "f/p/l/m", "timezone": "Europe/Madrid", "assignments": assigned}
    return json.dumps({**fixed, **more})


def epoch_ms(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


#: Midnight of 1 January in Madrid is at 23:00 UTC of the day before.
JANUARY_MS = epoch_ms(2025, 12, 31, 23)


def test_readings_are_expected_from_the_first_assignment_on(registry: TariffRegistry) -> None:
    document = contract(("eur-tou", "2026-03-01"), ("eur-flat", "2026-01-01"))
    term = ExpectedTerm("f/p/l/m", "EUR", "Europe/Madrid", JANUARY_MS, FOREVER_MS, 0)
    assert changed_terms(document, None, registry, "default") == [term]
    assert term.encoded().split("\x1e") == [
        "f/p/l/m",
        "EUR",
        "Europe/Madrid",
        str(JANUARY_MS),
        str(FOREVER_MS),
        "0",
        "",
    ]


def test_another_currency_is_another_term(registry: TariffRegistry) -> None:
    """From 1 July, in summer time: 22:00 UTC of the day before."""
    july_ms = epoch_ms(2026, 6, 30, 22)
    document = contract(("eur-flat", "2026-01-01"), ("inr-tod-demand", "2026-07-01"))
    assert [term[1:2] + term[3:5] for term in changed_terms(document, None, registry, "default")] == [
        ("EUR", JANUARY_MS, july_ms),
        ("INR", july_ms, FOREVER_MS),
    ]


def test_a_path_that_a_meter_has_left_expects_nothing(registry: TariffRegistry) -> None:
    before, after = contract(("eur-flat", "2026-01-01")), contract(("eur-flat", "2026-01-01"), site_path="f/p/l2/m")
    assert [(term.site_path, term.until_ms) for term in changed_terms(after, before, registry, "default")] == [
        ("f/p/l2/m", FOREVER_MS),
        ("f/p/l/m", 0),
    ]


def test_a_tariff_that_is_not_in_the_registry_has_no_currency(registry: TariffRegistry) -> None:
    assert changed_terms(contract(("none", "2026-01-01")), None, registry, "default") == []


def test_paths_are_those_of_the_tenant(registry: TariffRegistry) -> None:
    """Its tariffs are its own, so the shared sample tariffs are not found."""
    document = contract(("eur-flat", "2026-01-01"), tenant="acme")
    assert changed_terms(document, None, registry, "default") == []


def test_nothing_is_expected_of_a_submeter_without_a_tariff_of_its_own(registry: TariffRegistry) -> None:
    """Its readings are not priced, so they are in no KPI."""
    place = {"meter_id": "m", "site_path": "f/p/l/m", "timezone": "Europe/Madrid"}
    document = json.dumps({**place, "supply_point": "sp", "role": "sub"})
    assert changed_terms(document, None, registry, "default") == []
