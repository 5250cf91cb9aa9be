"""A unit or channel beside a quantity whose name has one is obeyed or refused, never ignored."""

from __future__ import annotations

import json

import pytest

from flink_job.metering.reading import ParsedReading, parse_reading


def parsed(**fields: object) -> ParsedReading:
    record = {"meter_id": "m", "interval_start": "2026-03-01T00:00:00Z", "interval_s": 900} | fields
    return parse_reading(json.dumps(record).encode(), 1_772_400_000_000, 1 << 20, 3600)


@pytest.mark.parametrize(
    "fields",
    [
        {"energy_kwh": 1, "unit": "Wh"},
        {"power_kw": 1, "unit": "W"},
        {"signed_kwh": 1, "unit": "MWh"},
        {"register_kwh": 1, "unit": "Wh"},
        {"energy_kwh": 55, "channel": "temperature"},
    ],
)
def test_another_unit_is_refused(fields: dict[str, object]) -> None:
    assert parsed(**fields).reason == "unknown_unit"


def test_a_channel_beside_a_signed_value_is_refused() -> None:
    assert parsed(signed_kwh=55, channel="temperature").reason == "unknown_channel"


@pytest.mark.parametrize("fields", [{"energy_kwh": 1, "unit": "kWh"}, {"power_kw": 4, "unit": "kW"}, {"signed_kwh": 1}])
def test_the_same_unit_is_taken(fields: dict[str, object]) -> None:
    """4 kW over 900 s are 1 kWh, 1,000,000 units of 1e-6."""
    assert parsed(**fields).import_packed == 1_000_000
