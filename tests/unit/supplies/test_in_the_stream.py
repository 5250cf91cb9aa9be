"""Contracts of supplies in the stream: they are accepted, and a meter without a tariff of its own is not priced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flink_job.metering.reasons import Unpriced
from flink_job.tariffs.contract_cache import ContractCache
from flink_job.tariffs.registry import UnknownTariffError, open_registry

START_MS = 1_774_000_000_000
CONTRACT = {"meter_id": "m", "site_path": "p/m", "timezone": "Europe/Madrid", "supply_point": "sp"}
TARIFFS = Path(__file__).resolve().parents[3] / "sample_data" / "tariffs"


def position(**fields: Any) -> int:
    cache = ContractCache(open_registry(str(TARIFFS)), "default")
    contract = cache.get(json.dumps({**CONTRACT, **fields}), START_MS)
    return cache.position(contract.terms.timeline, START_MS, 900, False)


def test_a_main_with_terms_is_priced_as_a_meter() -> None:
    assert position(role="main", assignments=[{"tariff_id": "eur-flat", "valid_from": "2026-01-01"}]) == 0


@pytest.mark.parametrize("fields", [{"role": "sub", "upstream": "n"}, {"role": "part"}, {"role": "sensor"}])
def test_a_meter_without_a_tariff_of_its_own_is_unpriced(fields: dict[str, Any]) -> None:
    with pytest.raises(UnknownTariffError) as raised:
        position(**fields)
    assert raised.value.code == Unpriced.NO_SUPPLY


def test_a_meter_whose_role_changes_keeps_its_own_tariff() -> None:
    """The stream does not know supplies yet: a change of role alone changes no price in it."""
    fields: dict[str, Any] = {"assignments": [{"tariff_id": "eur-flat", "valid_from": "2026-01-01"}], "role": "main"}
    assert position(**fields, changes=[{"valid_from": "2026-02-01", "role": "sub"}]) == 0
