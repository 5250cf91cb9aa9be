"""Bills of URDB records against a computation from the record's own fields that shares no code with this project."""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.harness.jobs import command
from tests.oracle.urdb import DAY, FLAT, SEASONAL, SEASONAL_WEEKEND, schedule

ZONE = ZoneInfo("America/New_York")
WINTER_OR_SUMMER = schedule(lambda month, hour: int(5 <= month < 9))
HP_KW = Fraction("0.746")
Load = dict[datetime, int]
"""Energy [Wh] of the quarter hours of a month, by local time."""


def load(year: int, month: int) -> Load:
    """Quarter hours of 5 to 25 kWh; the same hours are lived through twice, or never, when clocks change."""
    chance = random.Random(month)
    at = datetime(year, month, 1, tzinfo=ZONE).astimezone(ZoneInfo("UTC"))
    found = {}
    while (local := at.astimezone(ZONE)).month == month:
        found[at] = 5_000 + chance.randrange(20_000)
        at += timedelta(minutes=15)
    assert local.day == 1
    return found


def exact(record: dict[str, Any], used: Load) -> dict[str, Fraction]:
    """The charges of a month by the fields of a record."""
    energies: dict[int, Fraction] = defaultdict(Fraction)
    peaks: dict[int, Fraction] = defaultdict(Fraction)
    for at, wh in used.items():
        local = at.astimezone(ZONE)
        kind = "weekend" if local.weekday() >= 5 else "weekday"
        energies[record[f"energy{kind}schedule"][local.month - 1][local.hour]] += Fraction(wh, 1000)
        if f"demand{kind}schedule" in record:
            period = record[f"demand{kind}schedule"][local.month - 1][local.hour]
            peaks[period] = max(peaks[period], Fraction(wh, 250))
    month = next(iter(used)).astimezone(ZONE).month
    energy = sum(filled(record["energyratestructure"][period], kwh) for period, kwh in energies.items())
    demand = Fraction(0)
    if "demandratestructure" in record:
        unit = HP_KW if record.get("demandrateunit") == "hp" else 1
        demand += sum(filled(record["demandratestructure"][period], kw / unit) for period, kw in peaks.items())
    if "flatdemandstructure" in record:
        tiers = record["flatdemandstructure"][record["flatdemandmonths"][month - 1]]
        demand += filled(tiers, Fraction(max(used.values()), 250))
    fixed = Fraction(str(record.get("fixedchargefirstmeter", 0)))
    short = max(Fraction(0), Fraction(str(record.get("mincharge", 0))) - energy - demand - fixed)
    return {"energy": Fraction(energy), "demand": demand, "fixed": fixed, "minimum": short}


def filled(tiers: list[dict[str, Any]], quantity: Fraction) -> Fraction:
    """The price of a quantity that fills tiers from below."""
    total, below = Fraction(0), Fraction(0)
    for tier in tiers:
        above = min(quantity, Fraction(str(tier["max"]))) if "max" in tier else quantity
        total += max(Fraction(0), above - below) * (
            Fraction(str(tier.get("rate", 0))) + Fraction(str(tier.get("adj", 0)))
        )
        below = max(below, above)
    return total


def rated(record: dict[str, Any], used: Load, folder: Path) -> dict[str, Fraction]:
    """The charges of the bill of `rate`."""
    (folder / "record.json").write_text(json.dumps(record))
    rows = (f"m,{at.isoformat()},900,{wh / 1000}\n" for at, wh in used.items())
    (folder / "r.csv").write_text("meter_id,ts,interval_s,kwh\n" + "".join(rows))
    options = ("--timezone", ZONE.key, "--any-date", "--out", folder / "out")
    command("rate", "--tariff", folder / "record.json", "--readings", folder / "r.csv", *options)
    (bill,) = csv.DictReader((folder / "out" / "bills.csv").open())
    names = {"energy": "energy_cost", "demand": "demand_cost", "fixed": "fixed_cost", "minimum": "minimum_cost"}
    return {line: Fraction(bill[name]) for line, name in names.items() if name in bill} | {
        "total": Fraction(bill["cost"])
    }


def differences(record: dict[str, Any], months: Iterator[int], folder: Path, year: int = 2026) -> Iterator[str]:
    """Yield the months whose bills differ by more than the rounding of four lines to a millionth."""
    for month in months:
        used = load(year, month)
        expected, found = exact(record, used), rated(record, used, folder)
        expected["total"] = sum(expected.values(), Fraction(0))
        for line, amount in found.items():
            if abs(amount - expected[line]) > Fraction(4, 1_000_000):
                yield f"{month}: {line} {float(amount)} instead of {float(expected[line])}"


def tier(rate: float, adj: float = 0, **more: Any) -> dict[str, Any]:
    return {"rate": rate, "adj": adj, **more}


HEAD = {"utility": "u", "name": "n", "dgrules": "Net Metering", "country": "USA", "fixedchargeunits": "$/month"}
RECORDS: dict[str, dict[str, Any]] = {
    "one price": {
        "energyweekdayschedule": FLAT,
        "energyweekendschedule": FLAT,
        "energyratestructure": [[tier(0.18123, 0.0741, unit="kWh")]],
        "fixedchargefirstmeter": 9.41,
    },
    "tiers by season": {
        "energyweekdayschedule": WINTER_OR_SUMMER,
        "energyweekendschedule": WINTER_OR_SUMMER,
        "energyratestructure": [
            [tier(0.07, max=650, unit="kWh"), tier(0.06, unit="kWh")],
            [tier(0.08, max=650, unit="kWh"), tier(0.11, max=1000, unit="kWh"), tier(0.13, 0.002, unit="kWh")],
        ],
        "fixedchargefirstmeter": 5.5,
    },
    "periods of energy and demand, of which one is free": {
        "energyweekdayschedule": SEASONAL,
        "energyweekendschedule": SEASONAL_WEEKEND,
        "energyratestructure": [[tier(0.05 + number / 100, 0.031, unit="kWh")] for number in range(5)],
        "demandweekdayschedule": DAY,
        "demandweekendschedule": FLAT,
        "demandratestructure": [[tier(0)], [tier(17.74, 10.01)]],
        "flatdemandstructure": [[tier(7.51)], [tier(26.2, 1.5)]],
        "flatdemandmonths": [0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0],
        "demandrateunit": "kW",
        "flatdemandunit": "kW",
        "fixedchargefirstmeter": 71,
    },
    "a minimum charge": {
        "energyweekdayschedule": FLAT,
        "energyweekendschedule": FLAT,
        "energyratestructure": [[tier(0.00158, 0.00344, unit="kWh")]],
        "flatdemandstructure": [[tier(3.59, 2.06)]],
        "flatdemandmonths": [0] * 12,
        "flatdemandunit": "kW",
        "fixedchargefirstmeter": 88.67,
        "mincharge": 1833.67,
        "minchargeunits": "$/month",
    },
    "demand in horsepower above ten": {
        "energyweekdayschedule": FLAT,
        "energyweekendschedule": FLAT,
        "energyratestructure": [[tier(0.0416, unit="kWh")]],
        "demandweekdayschedule": FLAT,
        "demandweekendschedule": FLAT,
        "demandratestructure": [[tier(0, max=10.0), tier(9.15)]],
        "demandrateunit": "hp",
        "fixedchargefirstmeter": 22.042,
    },
}


@pytest.mark.parametrize("kind", RECORDS)
def test_bills_are_those_of_the_record(kind: str, tmp_path: Path) -> None:
    """In March and November clocks change; July is another season than they."""
    assert list(differences({**HEAD, **RECORDS[kind]}, iter((3, 7, 11)), tmp_path)) == []
