"""Readings of one meter that lie within a longer one: their energy counts once."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from flink_job.billing.inputs import Readings, read_readings
from flink_job.billing.overlaps import OverlapError

Row = tuple[str, int, float, int]
"""(time of day, interval [s], kWh, revision)."""


def read(tmp_path: Path, *rows: Row) -> Readings:
    lines = [
        {
            "meter_id": "m",
            "interval_start": f"2026-07-01T{at}Z",
            "interval_s": s,
            "energy_kwh": kwh,
            "revision": revision,
        }
        for at, s, kwh, revision in rows
    ]
    path = tmp_path / "readings.ndjson"
    path.write_text("\n".join(map(json.dumps, lines)))
    return read_readings([str(path)], ZoneInfo("UTC"))


def quarters(revision: int = 0, count: int = 4) -> list[Row]:
    return [(f"10:{n * 15:02d}:00", 900, 10, revision) for n in range(count)]


def energies(found: Readings) -> list[tuple[int, int]]:
    data = found.meters["m"]
    return [
        (int(ms) // 1000, int(kwh) // 1_000_000) for ms, kwh in zip(data.interval_ms, data.import_ukwh, strict=True)
    ]


def test_an_edited_hour_replaces_its_quarter_hours(tmp_path: Path) -> None:
    """Four quarter hours of 10 kWh, later the hour of 42 kWh as revision 1: 42 kWh, not 72."""
    found = read(tmp_path, *quarters(), ("10:00:00", 3600, 42, 1), ("11:00:00", 900, 7, 0))
    assert energies(found) == [(3600, 42), (900, 7)]
    assert found.duplicates == 3


def test_edited_quarter_hours_replace_the_hour(tmp_path: Path) -> None:
    """An hour of 42 kWh, later four quarter hours of 10 kWh each, the first of which begins with it: 40 kWh."""
    assert energies(read(tmp_path, *quarters(1), ("10:00:00", 3600, 42, 0))) == [(900, 10)] * 4


def test_without_a_revision_neither_is_guessed(tmp_path: Path) -> None:
    with pytest.raises(OverlapError, match=r"meter m: 3 readings lie within longer ones.*900 s from 2026-07-01T10:15"):
        read(tmp_path, ("10:00:00", 3600, 42, 0), *quarters()[1:])


def test_a_clock_that_drifts_repeats_nothing(tmp_path: Path) -> None:
    """Quarter hours that begin 2 s early overlap by 2 s; both count."""
    found = read(tmp_path, ("10:00:03", 900, 1, 0), ("10:15:01", 900, 2, 0), ("10:30:00", 900, 3, 0))
    assert energies(found) == [(900, 1), (900, 2), (900, 3)]
