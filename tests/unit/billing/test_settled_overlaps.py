"""Settlement of readings within longer ones: what the stream counted twice counts once."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from flink_job.billing.agreements import Book
from flink_job.billing.rerate import rerate
from flink_job.metering.contract import Assignment, Contract
from tests.unit.billing.test_settled_days import MIDNIGHT, Site, amounts, cost, flat, unpriced

TARIFF = flat("t", "1", "0.10") | {"demand": {"window_s": 900, "flat": [{"price": "1"}]}}


def quarter(number: int, kwh: str, **more: Any) -> dict[str, Any]:
    """A costed quarter hour of 1 o'clock; the stream counts no demand here."""
    start = MIDNIGHT + timedelta(hours=1, minutes=15 * number)
    named = {"reading_id": f"q{number}{more}", "record_position": f"q{number}{more}"}
    return cost(1, kwh, str(Decimal(kwh) / 10), interval_start=start, interval_s=900, **named, **more)


def test_an_edited_hour_replaces_its_quarter_hours(tmp_path: Path) -> None:
    """10 kWh each in four quarter hours, then the hour of 42 kWh as revision 1: the stream has 72 kWh.

    The bill is 42 kWh: 4.20, and 42 kW of demand.
    """
    rows = [quarter(number, "10") for number in range(4)] + [cost(1, "32", "3.20", revision=1, is_first=False)]
    site = Site(tmp_path, [TARIFF], costs=rows)
    site.settle()
    assert site.ask("SELECT energy_kwh, energy_cost, demand_cost FROM bills") == [amounts("42", "4.2", "42")]
    site.check()


def test_edited_quarter_hours_replace_the_hour(tmp_path: Path) -> None:
    """42 kWh, then four quarter hours of 10 kWh as revision 1: 4.00, and 40 kW; the stream has 10 - 42 at 01:00."""
    rows = [cost(1, "42", "4.20"), quarter(0, "-32", revision=1, is_first=False)]
    rows += [quarter(number, "10", revision=1) for number in range(1, 4)]
    site = Site(tmp_path, [TARIFF], costs=rows)
    site.settle()
    assert site.ask("SELECT energy_kwh, energy_cost, demand_cost FROM bills") == [amounts("40", "4", "40")]
    site.check()


def test_an_edited_hour_that_waits_for_its_price_replaces_them_too(tmp_path: Path) -> None:
    rows = [quarter(number, "10") for number in range(4)]
    site = Site(tmp_path, [TARIFF], costs=rows, unpriced=[unpriced(1, "42", "no_tariff", revision=1)])
    site.settle()
    assert site.ask("SELECT energy_kwh, energy_cost, demand_cost FROM bills") == [amounts("42", "4.2", "42")]
    site.check()


def test_without_a_revision_the_meter_is_a_problem(tmp_path: Path) -> None:
    """An hour of 42 kWh from 01:00 on, and quarter hours within it: which one counts is not known."""
    site = Site(tmp_path, [TARIFF], costs=[cost(1, "42", "4.20"), quarter(1, "10"), quarter(2, "10")])
    contract = Contract("m", "f/p/l1/m", "Europe/Madrid", (Assignment("t", date(2026, 1, 1)),))
    result = rerate(site.lake, Book({"m": contract}, site.registry))
    assert result.adjustments == []
    assert "meter m: 2 readings lie within longer ones" in result.problems["m"]


def test_quantities_of_different_length_are_no_overlap(tmp_path: Path) -> None:
    """Reactive energy by the hour, energy by the quarter hour."""
    nothing = cost(1, "0", "0", reactive_kvarh=Decimal(3), interval_start=MIDNIGHT + timedelta(minutes=45))
    site = Site(tmp_path, [TARIFF], costs=[nothing, quarter(0, "10"), quarter(1, "10")])
    site.settle()
    assert site.ask("SELECT energy_kwh, energy_cost, demand_cost FROM bills") == [amounts("20", "2", "40")]
