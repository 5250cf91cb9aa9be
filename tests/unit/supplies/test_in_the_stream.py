"""Contracts of supplies in the stream: the documents that belong to them, and how their readings are counted."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from flink_job.io.contract_snapshot import snapshot_lines, stored_record
from flink_job.metering.groups import links_of
from flink_job.metering.reasons import Unpriced
from flink_job.metering.supply_terms import parse_record
from flink_job.metering.zones import local_midnight_ms, zone_named
from flink_job.tariffs.contract_cache import ContractCache
from flink_job.tariffs.registry import UnknownTariffError, open_registry
from flink_job.tariffs.supply_places import SupplyPlace

START_MS = 1_774_000_000_000  # 20 March 2026
CONTRACT = {"meter_id": "m", "site_path": "p/m", "timezone": "Europe/Madrid", "supply_point": "sp"}
ASSIGNED = [{"tariff_id": "eur-flat", "valid_from": "2026-01-01"}]
TERMS = {"supply_point": "sp", "timezone": "Europe/Madrid", "assignments": ASSIGNED}
MAIN = {**CONTRACT, "meter_id": "main", "site_path": "p/main", "role": "main", "assignments": ASSIGNED}
TARIFFS = Path(__file__).resolve().parents[3] / "sample_data" / "tariffs"


def documents(*records: dict[str, Any], tenant: str = "default") -> dict[str, str]:
    """The documents of a snapshot by meter, with those attached that belong to each."""
    stored = (stored_record(json.dumps(each).encode(), 0, str(n), tenant) for n, each in enumerate(records, 1))
    lines = [json.loads(line) for line in snapshot_lines(stored)]
    return {line["key"]: line["value"] for line in lines if line["key"]}


def position(document: str, start_ms: int = START_MS) -> tuple[SupplyPlace | None, Any]:
    """The place of a meter in its supply, and the position of its readings."""
    cache = ContractCache(open_registry(str(TARIFFS)), "default")
    contract = cache.get(document, start_ms)
    number = cache.position(contract.terms.timeline, start_ms, 900, False)
    supply = None if contract.supply is None else SupplyPlace(*contract.supply.split("\x1e"))
    return supply, cache.positions[number]


def test_the_groups_of_records() -> None:
    """The terms `s:`, those of a main or part `t:`, the main of submeters `u:`, and each meter `m:`."""
    sub = {**CONTRACT, "role": "sub"}
    links = [links_of(parse_record(json.dumps(each))) for each in (TERMS, MAIN, sub, {**sub, "upstream": "n"})]
    assert links == [
        ("s:sp", (), ("s:sp",)),
        ("m:main", ("s:sp",), ("m:main", "t:sp", "u:sp")),
        ("m:m", ("s:sp", "t:sp", "u:sp"), ("m:m",)),
        ("m:m", ("s:sp", "t:sp", "m:n"), ("m:m",)),
    ]


def test_a_main_with_terms_is_priced_by_them() -> None:
    supply, at = position(documents(MAIN)["main"])
    assert supply == SupplyPlace("sp", "sp", "main")
    assert at.segment.tariff_id == "eur-flat"


def test_a_submeter_is_priced_by_the_terms_of_its_main_or_of_the_supply() -> None:
    """Its readings have a bill of their own, to which nothing is added, so they do not meet at the supply."""
    sub = {**CONTRACT, "role": "sub"}
    for others in ([MAIN], [TERMS, {**MAIN, "assignments": []}], [TERMS, MAIN]):
        supply, at = position(documents(sub, *others)["m"])
        assert supply == SupplyPlace("\x1dm", "sp", "sub", "main", "p/main")
        assert at.segment.tariff_id == "eur-flat"


def test_the_record_of_a_supply_is_in_force_before_the_terms_of_its_main() -> None:
    other = {**TERMS, "assignments": [{"tariff_id": "eur-tou", "valid_from": "2026-01-01"}]}
    assert position(documents(MAIN, other)["main"])[1].segment.tariff_id == "eur-tou"


def test_a_submeter_of_a_meter_that_names_no_supply() -> None:
    main = {key: value for key, value in MAIN.items() if key not in ("supply_point", "role")}
    found = documents({**CONTRACT, "supply_point": "main", "role": "sub"}, main)
    assert position(found["m"])[0] == SupplyPlace("\x1dm", "main", "sub", "main", "p/main")
    assert position(found["main"])[0] is None


@pytest.mark.parametrize("fields", [{"role": "sub", "upstream": "n"}, {"role": "part"}])
def test_a_meter_of_a_supply_without_terms_is_unpriced(fields: dict[str, Any]) -> None:
    with pytest.raises(UnknownTariffError) as raised:
        position(documents({**CONTRACT, **fields})["m"])
    assert raised.value.code == Unpriced.NO_SUPPLY


def test_a_meter_changes_its_role_and_supply_with_a_local_day() -> None:
    """Until 19 March a supply of its own; then a submeter, of which the upstream meter moves on the 25th."""
    own = {key: value for key, value in CONTRACT.items() if key != "supply_point"}
    change = {"valid_from": "2026-03-20", "supply_point": "sp", "role": "sub"}
    moved = {**MAIN, "changes": [{"valid_from": "2026-03-25", "site_path": "p/cellar/main"}]}
    document = documents({**own, "assignments": ASSIGNED, "changes": [change]}, moved)["m"]
    days = {day: local_midnight_ms(date(2026, 3, day), zone_named("Europe/Madrid")) for day in (19, 20, 25)}
    assert [position(document, start)[0] for start in days.values()] == [
        None,
        SupplyPlace("\x1dm", "sp", "sub", "main", "p/main"),
        SupplyPlace("\x1dm", "sp", "sub", "main", "p/cellar/main"),
    ]


def test_names_of_a_tenant_are_apart() -> None:
    sub = {**CONTRACT, "role": "sub", "tenant": "mill"}
    with pytest.raises(UnknownTariffError):
        position(documents(sub, MAIN)["mill\x1fm"])
    terms = {**TERMS, "tenant": "mill"}
    with pytest.raises(UnknownTariffError) as raised:  # the tenant has no such tariff, but the supply has terms
        position(documents(sub, terms)["mill\x1fm"])
    assert raised.value.code == Unpriced.UNKNOWN_TARIFF
