"""Registers in files: reads of several files, silences and exchanges, and what `rate` says of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.harness.jobs import command

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TARIFF = {
    "tariff_id": "t",
    "version": "1",
    "currency": "EUR",
    "valid_from": "2026-01-01",
    "calendar": {
        "days": [{"on": DAYS, "bands": [{"from": "00:00", "period": "low"}, {"from": "08:00", "period": "high"}]}]
    },
    "energy": {"periods": {"low": [{"price": "0.10"}], "high": [{"price": "0.20"}]}},
    "demand": {"window_s": 900, "flat": [{"price": "10"}]},
}


def read(minute: int, kwh: float, **more: Any) -> dict[str, Any]:
    """A read of meter m, in minutes after midnight of 1 May 2026, UTC."""
    start = f"2026-05-{1 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00Z"
    return {"meter_id": "m", "interval_start": start, "interval_s": 900, "register_kwh": kwh, **more}


def rate(
    tmp_path: Path, *files: Iterable[dict[str, Any]], options: Iterable[object] = ()
) -> tuple[str, dict[str, str]]:
    """Return what `rate` says, and the only bill."""
    names = [tmp_path / f"{number}.ndjson" for number in range(len(files))]
    for name, records in zip(names, files, strict=True):
        name.write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "t.json").write_text(json.dumps(TARIFF))
    given = [part for name in names for part in ("--readings", name)]
    said = command(
        *("rate", "--tariff", tmp_path / "t.json", *given, "--timezone", "UTC", "--out", tmp_path / "out", *options)
    )
    (bill,) = csv.DictReader((tmp_path / "out" / "bills.csv").open())
    return " ".join(said.split()), bill


def test_the_energy_of_a_silence_is_spread_over_its_time(tmp_path: Path) -> None:
    """3 kWh a quarter hour, unread from 00:30 to 10:15: 31 quarter hours at 0.10, 9 at 0.20, and 12 kW."""
    said, bill = rate(tmp_path, [read(0, 0), read(15, 3), read(600, 120)])
    assert (bill["energy_kwh"], bill["energy_cost"], bill["demand_cost"]) == ("120.000000", "14.700000", "120.000000")
    assert "energy is estimated: 39 intervals of silences" in said


def test_an_exchanged_register_and_a_wrong_value_are_no_energy(tmp_path: Path) -> None:
    """1 kWh before the exchange for one at 3, and 1 after it; 40,000 kWh in a quarter hour are none, and then 2."""
    reads = [read(0, 54_320), read(15, 54_321), read(30, 3), read(45, 4), read(60, 40_004), read(75, 6)]
    said, bill = rate(tmp_path, reads)
    assert bill["energy_kwh"] == "4.000000"
    assert "2 register reads without energy" in said and "10,000 kW (--max-power-kw)" in said


def test_the_highest_power_may_be_stated(tmp_path: Path) -> None:
    """5 kWh in a quarter hour are 20 kW."""
    reads = [read(0, 0), read(15, 5), read(30, 7)]
    assert rate(tmp_path, reads, options=["--max-power-kw", 20])[1]["energy_kwh"] == "7.000000"
    said, bill = rate(tmp_path, reads, options=["--max-power-kw", 19])
    assert bill["energy_kwh"] == "2.000000"
    assert "more than 19 kW" in said
    # Ten times the contracted power.
    assert rate(tmp_path, reads, options=["--contracted-kw", "low=1.9,high=1"])[1]["energy_kwh"] == "2.000000"


def test_the_reads_of_a_register_go_on_in_the_next_file(tmp_path: Path) -> None:
    assert rate(tmp_path, [read(30, 7), read(45, 9)], [read(0, 0), read(15, 5)])[1]["energy_kwh"] == "9.000000"


def test_two_registers_fall_silent_at_other_times(tmp_path: Path) -> None:
    """Register a counts 2 kWh a quarter hour and b 1 kWh; a is silent until 02:00, b until 03:00: 12 kW."""
    a = [read(minute, 2 * minute / 15, register_id="a") for minute in (0, 15, 105, 120, 135, 150, 165)]
    b = [read(minute, minute / 15, register_id="b") for minute in (0, 165)]
    _, bill = rate(tmp_path, a + b)
    assert (bill["energy_kwh"], bill["demand_cost"]) == ("33.000000", "120.000000")


def test_energy_and_a_register_of_one_meter_add_up(tmp_path: Path) -> None:
    plain = {"meter_id": "m", "interval_start": "2026-05-01T00:15:00Z", "interval_s": 900, "energy_kwh": 4}
    assert rate(tmp_path, [read(0, 0), plain, read(15, 5)])[1]["energy_kwh"] == "9.000000"
