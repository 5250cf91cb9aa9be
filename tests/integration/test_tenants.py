"""Tenants with the same names in one run: each has what it would have alone, and a device speaks for its own meters."""

from __future__ import annotations

import json
import random
from base64 import b64decode
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flink_job.lake.database import query
from flink_job.lake.redrive import stored_records
from flink_job.lake.views import VIEWS
from flink_job.metering.envelope import MARKER, enclose
from flink_job.metering.reading import parse_reading
from tests.harness.jobs import SAMPLES, command, write_records

METERS = {"m-1": "plant/hall/line/m-1", "m-2": "plant/hall/line/m-2", "m-3": "other/hall/line/m-3"}
#: Of bytes that are no text: they reach the lake as they are.
NO_TEXT = bytes(range(256))
RULE = {
    "rule_id": "hot",
    "signal": "power_kw",
    "severity": "major",
    "horizon": "9000d",
    "scope": {"site": "plant/*"},
}


def reading(meter: str, minute: int, kwh: float, **more: Any) -> bytes:
    start = f"2026-03-30T{minute // 60:02d}:{minute % 60:02d}:00Z"
    return json.dumps(
        {"meter_id": meter, "interval_start": start, "interval_s": 900, "energy_kwh": kwh, **more}
    ).encode()


def readings_of(seed: int) -> list[bytes]:
    """A day of each meter, with repeats and corrections, and a temperature in each hour."""
    rng, found = random.Random(seed), []
    for minute in range(0, 1440, 15):
        for meter in METERS:
            kwh = round(rng.uniform(0, 30), 3)
            values = {"import": kwh, "temperature": 20 + kwh}
            measured: dict[str, Any] = {} if minute % 60 else {"energy_kwh": None, "values": values}
            found.append(reading(meter, minute, kwh, sequence=minute // 15, tenant="victim", **measured))
            if rng.random() < 0.1:
                found.append(found[-1])
            if rng.random() < 0.1:
                found.append(reading(meter, minute, round(kwh + 3, 3), revision=1))
    return found


def contracts_of(tenant: str) -> list[bytes]:
    base = {"timezone": "Europe/Madrid", "assignments": [{"tariff_id": "flat", "valid_from": "2026-01-01"}]}
    named = {} if tenant == "default" else {"tenant": tenant}
    devices = {"m-2": {"devices": ["acme:g-2"]}} if tenant == "acme" else {}
    return [
        json.dumps({"meter_id": meter, "site_path": path, **base, **named, **devices.get(meter, {})}).encode()
        for meter, path in METERS.items()
    ]


def write_registry(folder: Path) -> tuple[Path, Path]:
    """Tariffs and rules of the same ids: acme pays 0.2 per kWh, and is notified above 60 kW; others 0.1 and 90 kW."""
    document = json.loads((SAMPLES / "tariffs" / "eur-flat.json").read_text()) | {"tariff_id": "flat"}
    for name in ("demand", "taxes", "fixed"):
        document.pop(name, None)
    for tenant, price, limit in (("", "0.1", 90), ("acme", "0.2", 60)):
        tariffs, rules = folder / "tariffs" / tenant, folder / "rules" / tenant
        tariffs.mkdir(parents=True, exist_ok=True)
        rules.mkdir(parents=True, exist_ok=True)
        periods = {name: [{"price": price}] for name in document["energy"]["periods"]}
        (tariffs / "flat.json").write_text(json.dumps({**document, "energy": {"periods": periods}}))
        (rules / "rules.yaml").write_text(json.dumps({"rules": [{**RULE, "when": f"> {limit}"}]}))
    return folder / "tariffs", folder / "rules" / "rules.yaml"


FOREIGN = [
    enclose(reading("m-2", 0, 999, revision=4095), device="acme:evil"),
    enclose(reading("m-2", 0, 5, energy_kwh=None, register_kwh=10**6, register_rollover_kwh=10**7), device="acme:evil"),
]
ODD = [
    enclose(NO_TEXT, device="acme:g-1"),
    enclose(enclose(reading("m-1", 0, 999, revision=9), "default"), device="acme:g-1"),
    json.dumps({MARKER: "1", "payload": "???", "thing": "acme:g-1"}).encode(),
    reading("acme\x1fm-1", 0, 999, revision=9),
]


def together() -> list[bytes]:
    """Both tenants' readings in turns: default's as they are, acme's in envelopes of devices and of a back end."""
    own = readings_of(1)
    acmes = [
        enclose(payload, **({"tenant": "acme"} if number % 3 == 0 else {"device": "acme:g-2"}))
        for number, payload in enumerate(readings_of(2))
    ]
    mixed = [record for pair in zip(own, acmes, strict=False) for record in pair]
    return [*FOREIGN, *mixed, *own[len(acmes) :], *acmes[len(own) :], *ODD, reading("m-9", 0, 1)]


def run(folder: Path, name: str, records: list[bytes], contracts: list[bytes], tenant: str) -> Path:
    tariffs, rules = write_registry(folder)
    readings = write_records(folder / f"{name}.ndjson", records)
    of = write_records(folder / f"{name}-contracts.ndjson", contracts)
    command(
        "run", "--input", readings, "--contracts", of, "--tariffs", tariffs, "--rules", rules,
        "--output", folder / name, "--tenant", tenant,
    )  # fmt: skip
    return folder / name


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Both tenants in one run, and acme's readings alone, as they are, with contracts that name no tenant."""
    folder = tmp_path_factory.mktemp("tenants")
    both = run(folder, "both", together(), [*contracts_of("default"), *contracts_of("acme")], "default")
    unnamed = [json.dumps({**json.loads(c), "tenant": ""}).encode() for c in contracts_of("acme")]
    return both, run(folder, "alone", readings_of(2), unnamed, "acme")


#: Columns that differ between runs, not tenants: position and time of a record. A device is named in the envelope only.
UNLIKE = (
    "shard",
    "record_position",
    "arrival",
    "costed_at",
    "deduplicated_at",
    "unpriced_at",
    "device_id",
    "notified_at",
)
TABLES = ("costs", "duplicates", "unpriced", "register_reads", "alerts", *VIEWS)


def rows(lake: Path, table: str, tenant: str) -> list[tuple[object, ...]]:
    columns, _ = query(lake, f"SELECT * FROM {table} LIMIT 0")
    shown = ", ".join(name for name in columns if name not in UNLIKE)
    kept = "AND meter_id <> 'm-9'" if table == "unpriced" else ""
    return query(lake, f"SELECT {shown} FROM {table} WHERE tenant = '{tenant}' {kept} ORDER BY ALL")[1]


@pytest.mark.parametrize("table", TABLES)
def test_a_tenant_has_what_it_would_have_alone(lakes: tuple[Path, Path], table: str) -> None:
    both, alone = lakes
    assert rows(both, table, "acme") == rows(alone, table, "acme")
    if table not in ("unpriced", "register_reads", "gaps", "alert_health", "unsettled_changes"):
        assert rows(both, table, "acme"), "there is something to compare"
    assert not query(alone, f"SELECT tenant FROM {table} WHERE tenant <> 'acme'")[1]


def test_the_names_are_the_same_and_the_money_is_not(lakes: tuple[Path, Path]) -> None:
    _, found = query(
        lakes[0],
        "SELECT tenant, LIST(DISTINCT meter_id ORDER BY meter_id), LIST(DISTINCT site ORDER BY site), "
        "LIST(DISTINCT tariff_id), SUM(energy_kwh), SUM(cost) FROM bills GROUP BY tenant ORDER BY tenant",
    )
    assert [row[0] for row in found] == ["acme", "default"]
    for row, price in zip(found, ("0.2", "0.1"), strict=True):
        assert row[1:4] == (sorted(METERS), ["other", "plant"], ["flat"])
        assert row[5] == pytest.approx(row[4] * Decimal(price), abs=Decimal("0.001"))
    _, told = query(lakes[0], "SELECT tenant, MIN(value), MIN(threshold) FROM alerts WHERE state = 'raised' GROUP BY 1")
    assert {tenant: threshold for tenant, _, threshold in told} == {"acme": 60, "default": 90}


def test_no_separator_reaches_the_lake(lakes: tuple[Path, Path]) -> None:
    for table in ("costs", "kpis", "alerts", "unpriced", "duplicates"):
        columns, found = query(
            lakes[0], f"SELECT * EXCLUDE (payload) FROM {table}" if table == "unpriced" else f"FROM {table}"
        )
        texts = {value for row in found for value in row if isinstance(value, str)}
        assert not [text for text in texts if any(sign in text for sign in "\x1d\x1e\x1f")], (table, columns)


def test_a_foreign_device_changes_nothing_and_is_rejected_with_its_bytes(lakes: tuple[Path, Path]) -> None:
    """Revision 4095 came first; a stranger's register read would be energy once the cycle is rated again."""
    _, found = query(
        lakes[0],
        "SELECT tenant, device, payload, strftime(dated, '%Y-%m-%d') FROM rejected "
        "WHERE reason = 'foreign_device' ORDER BY LENGTH(record_position), record_position",
    )
    assert [(*row[:2], row[3]) for row in found] == [("acme", "acme:evil", "2026-03-30")] * 2
    assert [parse_reading(b64decode(str(row[2])), 1 << 52, 10_000, 0).reason for row in found] == [None, None]
    assert query(lakes[0], "SELECT MAX(revision) FROM costs WHERE tenant = 'acme'")[1] == [(1,)]
    assert query(lakes[0], "SELECT COUNT(*) FROM register_reads")[1] == [(0,)]
    # Sent again, they say who sent them.
    assert [payload for _, payload in stored_records(lakes[0], "rejected", "foreign_device")] == [
        enclose(b64decode(str(row[2])), "acme", "acme:evil") for row in found
    ]


def test_what_no_device_may_say_is_rejected_with_its_bytes(lakes: tuple[Path, Path]) -> None:
    _, found = query(
        lakes[0],
        "SELECT tenant, reason, payload FROM rejected WHERE reason <> 'foreign_device' "
        "ORDER BY LENGTH(record_position), record_position",
    )
    assert [row[:2] for row in found] == [
        ("acme", "not_utf8"),
        ("acme", "bad_envelope"),
        ("default", "bad_envelope"),
        ("default", "out_of_range"),
    ]
    assert b64decode(str(found[0][2])) == NO_TEXT
