"""Every reader under random bytes and changed documents: a typed error or a good value, and nothing else.

`make fuzz` runs the same for minutes (METERING_FUZZ=10000 examples of each).
"""

from __future__ import annotations

import copy
import csv
import json
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flink_job.alerts.document import RuleError, parse_rules
from flink_job.metering.bounds import MAX_DETAIL
from flink_job.metering.contract import ContractError
from flink_job.metering.contract_document import parse_contract, parse_outline
from flink_job.metering.reading import ParsedReading, parse_reading
from flink_job.metering.record import CSV_ENVELOPE, CSV_SEPARATOR
from flink_job.tariffs.document import parse_tariff
from flink_job.tariffs.model import TariffError
from flink_job.tariffs.prices import PriceError
from flink_job.tariffs.series import series_of, slots_in
from flink_job.tariffs.urdb import from_urdb
from tests.harness.jobs import SAMPLES

EXAMPLES = int(os.environ.get("METERING_FUZZ", "150"))
fuzzed = settings(
    max_examples=EXAMPLES, deadline=5_000, derandomize="METERING_FUZZ" not in os.environ, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
ARRIVAL_MS = 1_774_700_000_000  # 2026-03-28

READING = {
    "meter_id": "m", "interval_start": "2026-03-28T10:00:00+01:00", "interval_s": 900, "revision": 1, "sequence": 7,
    "device_id": "d", "quality": "edited", "channel": "export", "energy_kwh": 1.25, "unit": "kWh",
}  # fmt: skip
WIDE = {"meter_id": "m", "interval_start": 1_774_688_400_000, "interval_s": 900, "values": {"import": 1, "torque": 2}}
DIAL = {**WIDE, "values": None, "register_kwh": "10.5", "register_id": "r", "register_rollover_kwh": 1000}
CONTRACT = {
    "meter_id": "m", "site_path": "plant/hall/line/m", "timezone": "Europe/Madrid", "billing_day": 1,
    "cycle_starts": ["2026-01-01", "2026-02-01"], "multiplier": 40, "tags": {"gateway": "g"},
    "assignments": [{"tariff_id": "t", "valid_from": "2026-01-01", "contracted_kw": {"P1": 50}}],
}  # fmt: skip
URDB = {
    "label": "x", "name": "n", "utility": "u", "energyratestructure": [[{"rate": 0.1, "max": 100}, {"rate": 0.2}]],
    "energyweekdayschedule": [[0] * 24] * 12, "energyweekendschedule": [[0] * 24] * 12, "fixedchargefirstmeter": 5,
}  # fmt: skip
TARIFFS = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((SAMPLES / "tariffs").glob("*.json"))]

#: What has broken readers of numbers, texts and times somewhere.
NASTY: list[Any] = [
    None, True, -1, 0, 1 << 31, 1 << 63, 1 << 64, -(1 << 63), 1e300, 5e-324, float("nan"), float("inf"), "", "NaN",
    "sNaN", "-Infinity", "1e5000000", "-1e-5000000", "1" * 4400, "9" * 70, "٣" * 9, "\x00", "\x1f", "\ud800", "'\"\n",
    "2026-13-01", "0001-01-01", "9999-12-31", "9999-12-31T23:59:59-23:59", "../../etc/passwd", "Europe", "a" * 600,
    [], {}, [[]], [None], {"": None}, [[[[[[]]]]]], {"import": "NaN"}, {"x" * 200: 1},
]  # fmt: skip
nasty = st.sampled_from(NASTY) | st.text(max_size=12) | st.integers() | st.floats() | st.decimals().map(str)


@st.composite
def changed(draw: st.DrawFn, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """A good document with up to three of its values replaced, removed or repeated, anywhere in it."""
    document = json.loads(json.dumps(draw(st.sampled_from(documents))))
    for _ in range(draw(st.integers(1, 3))):
        place, key = _somewhere(document, draw(st.randoms(use_true_random=False)))
        if place is None:
            continue
        deed = draw(st.sampled_from(["replace", "remove", "repeat"]))
        if deed == "replace":
            place[key] = copy.deepcopy(draw(nasty))
        elif deed == "remove":
            del place[key]
        elif isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
    return dict(document)


def _somewhere(document: Any, choose: random.Random) -> tuple[Any, Any]:
    """(container, key) of a value in a document, or (None, None) where it has none."""
    place, key = None, None
    while isinstance(document, dict | list) and document:
        key = choose.choice(list(document) if isinstance(document, dict) else range(len(document)))
        place, document = document, document[key]
        if choose.random() < 0.4:
            break
    return place, key


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


def check_reading(payload: bytes) -> ParsedReading:
    found = parse_reading(payload, ARRIVAL_MS, 262_144, 3600)
    assert found.reason != "unreadable", f"only the last guard caught {found.detail}"
    if found.reason is None:
        assert found.meter_id and found.start_ms is not None and found.interval_s is not None
        assert 946_684_800_000 <= found.start_ms <= ARRIVAL_MS + 3_600_000
        assert 0 < found.interval_s <= 86_400 and found.revision is not None and 0 <= found.revision < 1 << 12
        packed = (found.import_packed, found.export_packed, found.reactive_import_packed, found.register_packed)
        assert all(value is None or 0 <= value < 1 << 62 for value in packed)
    json.dumps(found._asdict()).encode()
    assert found.detail is None or (len(found.detail) <= MAX_DETAIL and found.detail.encode())
    return found


@fuzzed
@given(st.binary(max_size=300) | changed([READING, WIDE, DIAL]).map(encoded))
@example(encoded({**READING, "interval_start": "1" * 4400}))
@example(encoded({**WIDE, "values": None, "signed_kwh": "NaN"}))
@example(encoded({**WIDE, "values": None, "signed_kwh": "1e5000000"}))
@example(b'{"meter_id":' + b"[" * 100_000)
def test_readings(payload: bytes) -> None:
    check_reading(payload)


def test_the_seeds_are_readings() -> None:
    assert [check_reading(encoded(seed)).reason for seed in (READING, WIDE, DIAL)] == [None, None, None]


@fuzzed
@given(st.lists(st.tuples(st.sampled_from([*READING, "ts", "kwh", "timestamp", "x"]), nasty), max_size=9))
@example([("meter_id", "m"), ("ts", "2026-03-28T10:00:00Z"), ("interval_s", 900), ("kwh", "NaN")])
def test_csv_lines(cells: list[tuple[str, Any]]) -> None:
    names, values = [name for name, _ in cells], [str(value) for _, value in cells]
    lines: list[str] = []
    for row in (names, values):
        writer = csv.writer(_Lines(lines))
        writer.writerow(row)
    header, line = (text.rstrip("\r\n").encode("utf-8", "replace") for text in lines)
    check_reading(CSV_ENVELOPE + header + CSV_SEPARATOR + line)


class _Lines:
    def __init__(self, lines: list[str]) -> None:
        self.write = lines.append


def only(error: type[Exception], read: Callable[[Any], object], given_value: Any) -> None:
    """Reading gives a value or the reader's own error, which can be written and is not endless."""
    try:
        read(given_value)
    except error as raised:
        assert str(raised).encode("utf-8", "surrogatepass")


@fuzzed
@given(st.binary(max_size=200) | changed([CONTRACT]).map(encoded))
@example(b'{"meter_id":"m","x":' + b"[" * 10_000)
def test_contracts(payload: bytes) -> None:
    only(ContractError, parse_contract, payload)
    only(ContractError, parse_outline, payload)


@fuzzed
@given(st.binary(max_size=200) | changed(TARIFFS).map(encoded))
@example(b"[" * 100_000)
def test_tariffs(content: bytes) -> None:
    only(TariffError, parse_tariff, content)


@fuzzed
@given(changed([URDB]))
def test_urdb_records(document: dict[str, Any]) -> None:
    only(TariffError, lambda given_document: from_urdb(given_document, "America/Denver", "USD"), document)


RULES = (SAMPLES / "rules.yaml").read_bytes()


@fuzzed
@given(st.binary(max_size=200), st.integers(0, len(RULES)), st.integers(0, 40))
def test_rules(insert: bytes, at: int, cut: int) -> None:
    only(RuleError, parse_rules, RULES[:at] + insert[:20] + RULES[at + cut :])
    only(RuleError, parse_rules, insert)


def test_yaml_that_multiplies_itself_is_refused() -> None:
    """Nine levels of nine aliases each are 387 million items, in 400 bytes."""
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
    )
    with pytest.raises(RuleError, match="aliases"):
        parse_rules(bomb.encode() + b"rules: []\n")
    with pytest.raises(RuleError, match=r"levels deep|nesting depth"):
        parse_rules(b"rules: " + b"[" * 100_000)
    with pytest.raises(RuleError, match="at most"):
        parse_rules(b"#" * (5 << 20))


CSV_PRICES = b"from,price\n2026-03-01T00:00:00Z,0.1\n2026-03-01T01:00:00Z,0.2\n"
OCTOPUS = {"results": [{"valid_from": "2026-03-01T00:00:00Z", "valid_to": None, "value_exc_vat": 12.5}]}


@fuzzed
@given(st.binary(max_size=100) | changed([OCTOPUS]).map(encoded), st.integers(0, len(CSV_PRICES)))
@example(b"[" * 100_000, 0)
@example(b"from,price\n2026-03-01T00:00:00Z,1e5000000\n", 0)
def test_price_series(content: bytes, at: int) -> None:
    only(PriceError, lambda given_bytes: series_of("s", slots_in(given_bytes, "Europe/Madrid")), content)
    only(PriceError, lambda b: series_of("s", slots_in(b, "UTC")), CSV_PRICES[:at] + content[:20] + CSV_PRICES[at:])
