"""Readings: every rejection by its code, every form of a quantity."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flink_job.metering.packing import MAX_REVISION, pack, unpack
from flink_job.metering.reading import ParsedReading, parse_reading
from flink_job.metering.record import CSV_ENVELOPE, CSV_SEPARATOR
from sample_data.simulator.faults import MALFORMED

ARRIVAL_MS = 1_774_700_000_000  # 2026-03-28T12:13:20Z
GOOD = {"meter_id": "m", "interval_start": "2026-03-28T10:00:00+01:00", "interval_s": 900, "energy_kwh": 1.25}


def parse(record: object) -> ParsedReading:
    payload = record if isinstance(record, bytes) else json.dumps(record).encode()
    return parse_reading(payload, ARRIVAL_MS, max_bytes=10_000, max_future_s=3600)


def without(*names: str) -> dict[str, object]:
    return {k: v for k, v in GOOD.items() if k not in names}


def quantity(**fields: object) -> ParsedReading:
    return parse({**without("energy_kwh"), **fields})


def test_a_reading_begins_at_its_interval_start_in_utc() -> None:
    # 10:00 at +01:00 is 09:00 UTC: 1774688400 s.
    assert parse(GOOD).start_ms == 1_774_688_400_000


def test_energy_is_packed_below_its_revision() -> None:
    assert unpack(parse({**GOOD, "revision": 3}).import_packed or 0) == (3, 1_250_000)


@pytest.mark.parametrize("code", sorted(MALFORMED))
def test_each_malformed_kind_has_its_code(code: str) -> None:
    assert parse(MALFORMED[code](GOOD)).reason == code


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (b"", "not_json"),
        (b"null", "wrong_type"),
        (b"[" * 100_000, "oversized"),
        (b'{"x":' * 1_500, "not_json"),
        ({**GOOD, "energy_kwh": float("inf")}, "not_finite"),
        ({**GOOD, "energy_kwh": "NaN"}, "not_finite"),
        ({**GOOD, "energy_kwh": None}, "missing_field"),
        ({**GOOD, "power_kw": 3}, "ambiguous"),
        ({**GOOD, "meter_id": ""}, "missing_field"),
        ({**GOOD, "meter_id": 7}, "wrong_type"),
        ({**GOOD, "interval_s": 90_001}, "bad_interval"),
        ({**GOOD, "interval_start": "yesterday"}, "bad_timestamp"),
        ({**GOOD, "revision": MAX_REVISION + 1}, "out_of_range"),
        ({**GOOD, "quality": "guessed"}, "wrong_type"),
        ({**GOOD, "device_id": "d" * 129}, "out_of_range"),
        ({**without("energy_kwh"), "values": {}}, "missing_field"),
        ({**without("energy_kwh"), "values": {"import": 1, "plutonium": 2}}, "unknown_channel"),
        ({**without("energy_kwh"), "register_kwh": -1}, "negative_energy"),
    ],
)
def test_rejections(record: object, code: str) -> None:
    assert parse(record).reason == code


def test_a_detail_stays_short() -> None:
    assert len(parse({**GOOD, "quality": "x" * 5_000}).detail or "") == 500


def test_a_clock_may_run_ahead_by_the_limit_and_no_more() -> None:
    at_limit = ARRIVAL_MS + 3600 * 1000
    assert parse({**GOOD, "interval_start": at_limit}).reason is None
    assert parse({**GOOD, "interval_start": at_limit + 1}).reason == "in_future"


def test_power_becomes_energy_over_the_interval() -> None:
    # 6 kW for 15 minutes are 1.5 kWh.
    assert quantity(power_kw=6).import_packed == 1_500_000


def test_units_are_converted() -> None:
    assert quantity(value=2500, unit="Wh").import_packed == 2_500_000
    assert quantity(channel="reactive_import", value=0.5, unit="kvarh").reactive_import_packed == 500_000


def test_the_wide_form_carries_several_quantities() -> None:
    row = quantity(values={"import": 1, "export": 0.5, "temperature": 61.5})
    assert (row.import_packed, row.export_packed, row.measurements) == (1_000_000, 500_000, '{"temperature": 61.5}')
    assert row.reactive_import_packed is None


def test_a_number_is_read_as_its_digits_say() -> None:
    # Half of a micro-kWh goes to the even neighbour; a binary float would have gone elsewhere.
    assert quantity(energy_kwh=0.1234565).import_packed == 123_456
    assert quantity(energy_kwh=0.1234575).import_packed == 123_458


def test_a_csv_line_is_read_with_its_header() -> None:
    line = CSV_ENVELOPE + b"meter_id,ts,interval_s,kwh" + CSV_SEPARATOR + b"m,2026-03-28T09:00:00Z,900,-0.75"
    row = parse(line)
    assert (row.reason, row.export_packed, row.import_packed) == (None, 750_000, None)


def test_a_csv_line_with_a_cell_too_many_is_rejected() -> None:
    assert parse(CSV_ENVELOPE + b"meter_id,ts" + CSV_SEPARATOR + b"m,2026-03-28T09:00:00Z,900").reason == "not_csv"


def test_the_id_is_that_of_the_content() -> None:
    assert parse(GOOD).reading_id == parse({**GOOD, "sequence": 9}).reading_id
    assert parse(GOOD).reading_id != parse({**GOOD, "revision": 1}).reading_id
    assert parse(GOOD).reading_id != parse({**GOOD, "energy_kwh": 1.26}).reading_id


@given(st.binary(max_size=300))
def test_no_bytes_raise(payload: bytes) -> None:
    assert isinstance(parse(payload), ParsedReading)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_no_value_in_a_field_raises(value: object) -> None:
    for field in (
        "meter_id",
        "interval_start",
        "interval_s",
        "energy_kwh",
        "values",
        "revision",
        "unit",
        "register_kwh",
    ):
        assert isinstance(parse({**GOOD, field: value}), ParsedReading)


@given(st.integers(0, MAX_REVISION), st.integers(0, (1 << 50) - 1))
def test_packing_is_reversible(revision: int, quantity_u: int) -> None:
    assert unpack(pack(revision, quantity_u)) == (revision, quantity_u)


@given(st.tuples(st.integers(0, 9), st.integers(0, 99)), st.tuples(st.integers(0, 9), st.integers(0, 99)))
def test_packing_keeps_order(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (pack(*one) < pack(*other)) == (one < other)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 10**9)), min_size=1, max_size=8),
    st.data(),
)
def test_deltas_add_up_to_the_highest_revision_in_any_order_with_any_repeats(
    versions: list[tuple[int, int]], data: st.DataObject
) -> None:
    """The rule of the SQL (a running maximum of packed quantities), as arithmetic."""
    arrivals = data.draw(st.permutations(versions + data.draw(st.lists(st.sampled_from(versions), max_size=5))))
    top, total = 0, 0
    for revision, quantity_u in arrivals:
        after = max(top, pack(revision, quantity_u))
        total += unpack(after)[1] - unpack(top)[1]
        top = after
    assert total == max(versions)[1]
