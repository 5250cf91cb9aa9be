"""Tenants in names, envelopes, contracts, tariffs and rules: what is one tenant's is nobody else's."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_job.alerts.monitored import monitored_entities
from flink_job.alerts.registry import open_rule_registry
from flink_job.metering.contract import ContractError, of_tenant
from flink_job.metering.contract_document import parse_contract
from flink_job.metering.envelope import MARKER, Enclosed, enclose, opened
from flink_job.metering.reading import parse_reading
from flink_job.metering.site import Entity
from flink_job.tariffs.contract_cache import ContractTerms, ResolvedContract
from flink_job.tariffs.registry import UnknownTariffError, open_registry
from flink_job.tenants import DEFAULT, is_tenant, plain, qualified, split

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"
READING = {"meter_id": "m", "interval_start": "2026-03-28T10:00:00Z", "interval_s": 900, "energy_kwh": 1.25}
CONTRACT = {
    "meter_id": "m",
    "site_path": "f/p/l/m",
    "timezone": "Europe/Madrid",
    "assignments": [{"tariff_id": "eur-flat", "valid_from": "2026-01-01"}],
}
NOW_MS = 1_774_700_000_000
TENANTS = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)


def parsed(document: object, tenant: str = DEFAULT, device: str | None = None):  # type: ignore[no-untyped-def]
    return parse_reading(json.dumps(document).encode(), NOW_MS, 10_000, 3600, tenant, device)


@given(TENANTS, st.text(alphabet=st.characters(exclude_characters="\x1f"), min_size=1))
def test_a_qualified_name_is_split_into_what_it_was_made_of(tenant: str, name: str) -> None:
    assert split(qualified(tenant, name)) == (tenant, name)
    assert plain(qualified(tenant, name)) == name


def test_the_default_tenant_keeps_its_names() -> None:
    assert qualified(DEFAULT, "m") == "m"
    assert parsed(READING).reading_id == parsed(READING, DEFAULT).reading_id


@pytest.mark.parametrize("name", ["", "A", "a_b", "a" * 33, "a\x1fb", "ä", "a b", "a\n"])
def test_what_is_no_tenant(name: str) -> None:
    assert not is_tenant(name)


def test_readings_of_two_tenants_are_apart_by_meter_and_by_id() -> None:
    rows = [parsed(READING, tenant) for tenant in ("default", "acme", "umbrella")]
    assert [row.meter_id for row in rows] == ["m", "acme\x1fm", "umbrella\x1fm"]
    assert len({row.reading_id for row in rows}) == 3


def test_a_reading_says_nothing_of_its_tenant() -> None:
    assert parsed({**READING, "tenant": "acme"}) == parsed(READING)
    row = parsed({**READING, "meter_id": "acme\x1fm"})
    assert (row.reason, row.meter_id) == ("out_of_range", None)


def test_a_thing_is_the_device_whatever_the_record_says() -> None:
    assert parsed({**READING, "device_id": "other"}, device="acme:g-1").device_id == "acme:g-1"
    assert parsed({**READING, "device_id": "other"}).device_id == "other"


@given(st.binary(max_size=200), TENANTS, st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True))
def test_an_envelope_holds_any_bytes(payload: bytes, tenant: str, name: str) -> None:
    thing = f"{tenant}:{name}"
    assert opened(enclose(payload, device=thing)) == Enclosed(payload, tenant, thing)
    assert opened(enclose(payload, "named", thing)) == Enclosed(payload, "named", thing)
    assert opened(enclose(payload, device=name), "streams") == Enclosed(payload, "streams", name)


BAD_ENVELOPES = {
    "no base64": {"payload": "!!!!"},
    "cut base64": {"payload": b64encode(b"abc").decode()[:-1]},
    "a thing of no tenant": {"payload": "", "thing": "ACME:g"},
    "no thing's name": {"payload": "", "thing": "acme:g/../x"},
    "no tenant's name": {"payload": "", "tenant": "AC ME"},
    "no payload": {"thing": "acme:g"},
    "deep": {"payload": "", "thing": "acme:g", "principal": [[[[]]]], "tenant": {}},
}


@pytest.mark.parametrize("fields", BAD_ENVELOPES.values(), ids=BAD_ENVELOPES)
def test_a_bad_envelope_stays_closed_and_is_rejected(fields: dict[str, object]) -> None:
    record = json.dumps({MARKER: "1", **fields}).encode()
    assert opened(record, "streams") == Enclosed(record, "streams")
    assert parse_reading(record, NOW_MS, 10_000, 3600).reason == "bad_envelope"


def test_an_envelope_in_an_envelope_is_not_opened() -> None:
    """Or a device would choose its tenant by sending one."""
    inner = enclose(json.dumps(READING).encode(), "victim")
    outer = opened(enclose(inner, device="acme:g"))
    assert outer == Enclosed(inner, "acme", "acme:g")
    assert parse_reading(outer.payload, NOW_MS, 10_000, 3600, outer.tenant).reason == "bad_envelope"


def test_a_contract_is_its_tenants() -> None:
    contract = of_tenant(parse_contract(json.dumps({**CONTRACT, "tenant": "acme"})))
    names = (contract.meter_id, contract.site_path, contract.assignments[0].tariff_id)
    assert names == ("acme\x1fm", "acme\x1ff/p/l/m", "acme\x1feur-flat")
    assert of_tenant(parse_contract(json.dumps(CONTRACT)), "acme") == msgspec.structs.replace(contract, tenant="")
    assert of_tenant(parse_contract(json.dumps(CONTRACT))).meter_id == "m"


@pytest.mark.parametrize(
    "faulty", [{"tenant": "AC ME"}, {"meter_id": "acme\x1fm"}, {"site_path": "acme\x1ff"}, {"tags": {"a": "b\x1e"}}]
)
def test_a_contract_cannot_take_the_names_of_another_tenant(faulty: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        parse_contract(json.dumps({**CONTRACT, **faulty}))


def test_a_meter_without_devices_listens_to_all_of_its_tenant_and_one_with_devices_to_those() -> None:
    terms = ContractTerms.__new__(ContractTerms)
    listed = ResolvedContract(Entity("m", "f"), terms, frozenset({"acme:g-1"}))
    assert [listed.accepts(device) for device in ("acme:g-1", "acme:g-2", None)] == [True, False, True]
    assert ResolvedContract(Entity("m", "f"), terms).accepts("acme:g-2")


@pytest.fixture
def tariffs(tmp_path: Path) -> Path:
    document = json.loads((SAMPLES / "tariffs" / "eur-flat.json").read_text())
    for folder, period in (("", "0.1"), ("acme", "0.2"), ("BAD", "0.3")):
        target = tmp_path / folder
        target.mkdir(exist_ok=True)
        periods = {name: [{"price": period}] for name in document["energy"]["periods"]}
        (target / "flat.json").write_text(json.dumps({**document, "energy": {"periods": periods}}))
    return tmp_path


def test_a_tenants_tariffs_are_its_own(tariffs: Path) -> None:
    registry = open_registry(str(tariffs))
    own, acmes = (registry.versions(name)[0] for name in ("eur-flat", "acme\x1feur-flat"))
    assert own.energy != acmes.energy
    assert list(registry.faults) == ["BAD/flat.json"]
    with pytest.raises(UnknownTariffError, match=r"no tariff 'eur-flat'$"):
        registry.versions("umbrella\x1feur-flat")


def test_rules_concern_the_entities_of_their_tenant(tmp_path: Path) -> None:
    rule = "rules: [{{rule_id: hot, severity: minor, signal: temperature, when: '> {limit}', scope: {{site: 'f/*'}}}}]"
    silent = "rules: [{rule_id: silent, severity: minor, no_data: 1h, per: 'tag:gateway'}]"
    (tmp_path / "rules.yaml").write_text(rule.format(limit=50))
    for tenant, text in (("acme", rule.format(limit=90)), ("umbrella", silent), ("BAD", "no rules")):
        (tmp_path / tenant).mkdir()
        (tmp_path / tenant / "rules.yaml").write_text(text)
    registry = open_rule_registry(str(tmp_path / "rules.yaml"), silence_s=600)
    rules = registry.refresh(0).rules
    assert registry.fault == ""
    limits = {}
    for tenant in ("default", "acme", "umbrella"):
        entity = Entity(qualified(tenant, "m"), qualified(tenant, "f/p/l/m"), "gateway=g")
        limits[tenant] = [found.levels[0].condition.text for found in rules.of_reading(entity)]  # type: ignore[union-attr]
    assert limits == {"default": ["> 50"], "acme": ["> 90"], "umbrella": []}
    assert len({rules.version_of(Entity("m", qualified(t, "f"))) for t in ("default", "acme", "umbrella")}) == 3
    assert rules.version_of(Entity("m", qualified("nobody", "f"))) == ""


def test_a_tag_is_watched_for_each_tenant_and_site_by_itself() -> None:
    from flink_job.alerts.document import parse_rules

    document = {"rules": [{"rule_id": "silent", "severity": "minor", "no_data": "1h", "per": "tag:gateway"}]}
    [rule] = parse_rules(msgspec.json.encode(document), silence_s=600).rules
    found = [
        entity
        for tenant, site in (("default", "f"), ("default", "g"), ("acme", "f"))
        for entity in monitored_entities(
            rule.per, Entity(qualified(tenant, "m"), qualified(tenant, f"{site}/p/l/m"), "gateway=g1")
        )
    ]
    assert len({entity.name for entity in found}) == 3
    assert {entity.shown for entity in found} == {"gateway=g1"}
    assert [rule.covers(entity) for entity in found] == [True, True, False]
