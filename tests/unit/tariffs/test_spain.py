"""Spanish bills, every line derived by hand. Prices of energy and power are examples; rules and taxes are the law's."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.document import read_tariff
from flink_job.tariffs.history import BillingTerms, Intervals, rate_history, versions_in_force
from flink_job.tariffs.spain import SpainError, spanish_tariff

MADRID = ZoneInfo("Europe/Madrid")
QUARTER_MS = 900_000
RENTAL = {"name": "meter rental", "amount": "0.81", "per": "month", "exempt_from": ["IEE"]}


def quarters(first: date, last: date, kw: float, zone: ZoneInfo = MADRID) -> dict[str, np.ndarray]:
    """A constant load each quarter hour of [first, last)."""
    start = np.arange(local_midnight_ms(first, zone), local_midnight_ms(last, zone), QUARTER_MS)
    zeros = np.zeros(len(start), dtype=np.int64)
    return {"start": start, "import": zeros + int(kw * 250_000), "export": zeros, "reactive": zeros.copy()}


def at(load: dict[str, np.ndarray], day: date, hour: int, minute: int = 0, zone: ZoneInfo = MADRID) -> int:
    """Index of the quarter hour that begins then."""
    instant = local_midnight_ms(day, zone) + (hour * 60 + minute) * 60_000
    return int(np.searchsorted(load["start"], instant))


def bill(document: dict[str, Any], load: dict[str, np.ndarray], zone: ZoneInfo = MADRID) -> dict[str, Decimal]:
    """Lines of the one bill, in EUR; the costs of the readings must add up to it."""
    zeros = np.zeros(len(load["start"]), dtype=np.int64)
    data = Intervals(load["start"], zeros + QUARTER_MS, load["import"], load["export"], load["reactive"], zeros)
    history = rate_history(versions_in_force([read_tariff(document)]), BillingTerms(zone), data)
    (only,) = history.bills
    for line, amount in only.lines.items():
        assert int(history.costs[line].sum()) == amount
    lines = {line: Decimal(amount) / 1_000_000 for line, amount in only.lines.items()}
    return lines | {"total": Decimal(only.total) / 1_000_000}


def prices(energy: str, power: str, **more: Any) -> dict[str, Any]:
    def named(values: str) -> dict[str, str]:
        return {f"P{n}": value for n, value in enumerate(values.split(), start=1)}

    return {"energy": named(energy), "power": named(power), **more}


def test_2_0_td_of_a_workshop() -> None:
    # April 2025: 22 working days (Good Friday is one) and 8 days of weekends, none of the fixed holidays.
    # P1 10-14, 18-22 h: 22 x 8 = 176 h; P2 8-10, 14-18, 22-24 h: 176 h; P3: 22 x 8 + 8 x 24 = 368 h. 0.5 kW:
    # 88 kWh x 0.20 = 17.60; 88 x 0.15 = 13.20; 184 x 0.10 = 18.40                                     energy   49.20
    # power, P1 8-24 h of working days, P2 the rest: 4.6 kW x (28.00 + 1.50) x 30/365 = 11.1534; rental 0.81;
    # together 11.9634                                                                                  fixed    11.96
    # IEE, not on the rental: 5.11269632 % of 49.20 + 11.96 - 0.81 = 60.35: 3.0855 (floor 0.36 MWh x 1 = 0.36)  3.09
    # IVA 21 % of 49.20 + 11.96 + 3.09 = 64.25: 13.4925                                                        13.49
    document = spanish_tariff(
        "2.0TD",
        "peninsula",
        prices("0.20 0.15 0.10", "28.00 1.50", kw={"P1": "4.6", "P2": "4.6"}, fixed=[RENTAL]),
    )
    lines = bill(document, quarters(date(2025, 4, 1), date(2025, 5, 1), 0.5))
    assert lines["energy"] == Decimal("49.20")
    assert lines["fixed"] == Decimal("11.96")
    assert lines["tax"] == Decimal("3.09") + Decimal("13.49")
    assert lines["total"] == Decimal("77.74")


def test_3_0_td_with_a_maximeter_and_reactive_energy() -> None:
    # May 2025 (season C: P4, P5, P6): 21 working days, 9 of weekends, 1 May. P4 9-14, 18-22 h: 189 h; P5 8-9, 14-18,
    # 22-24 h: 147 h; P6: 21 x 8 + 10 x 24 = 408 h. 10 kW, and one quarter hour of 30 kW in P4 (5 kWh more):
    # 1895 kWh x 0.12 = 227.40; 1470 x 0.11 = 161.70; 4080 x 0.09 = 367.20                              energy  756.30
    # power: 20 kW x (20 + 15 + 8 + 7 + 5 + 3) x 31/365 = 98.5205                                        fixed    98.52
    # excess, up to 50 kW contracted by maximeter: 2 x 0.10 x (30 - 20) x 31/30 = 2.0667                 demand    2.07
    # reactive: P4 1000 kvarh, cos phi 1895 / sqrt(1895^2 + 1000^2) = 0.884: (1000 - 0.33 x 1895) x 0.041554 = 15.5682;
    #   P5 1500 kvarh, cos phi 0.700: (1500 - 0.33 x 1470) x 0.062332 = 63.2607; P6 is free; 78.8289     reactive 78.83
    # IEE: 5.11269632 % of 756.30 + 98.52 + 2.07 + 78.83 = 935.72: 47.8405 (floor 7.445 x 0.5 = 3.72)             47.84
    # IVA: 21 % of 935.72 + 47.84 = 983.56: 206.5476                                                            206.55
    contracted = {f"P{n}": "20" for n in range(1, 7)}
    excess = {f"P{n}": "0.10" for n in range(1, 7)}
    document = spanish_tariff(
        "3.0TD",
        "peninsula",
        prices("0.2 0.18 0.15 0.12 0.11 0.09", "20 15 8 7 5 3", kw=contracted, excess=excess, industrial=True),
    )
    load = quarters(date(2025, 5, 1), date(2025, 6, 1), 10)
    load["import"][at(load, date(2025, 5, 6), 10, 15)] = 7_500_000
    load["reactive"][at(load, date(2025, 5, 7), 9)] = 1_000_000_000
    load["reactive"][at(load, date(2025, 5, 7), 15)] = 1_500_000_000
    load["reactive"][at(load, date(2025, 5, 7), 3)] = 9_000_000_000
    lines = bill(document, load)
    assert lines["energy"] == Decimal("756.30")
    assert lines["fixed"] == Decimal("98.52")
    assert lines["demand"] == Decimal("2.07")
    assert lines["reactive"] == Decimal("78.83")
    assert lines["tax"] == Decimal("47.84") + Decimal("206.55")
    assert lines["total"] == Decimal("1190.11")


def test_6_1_td_with_excess_each_quarter_hour() -> None:
    # January 2025 (season A: P1, P2, P6): 21 working days, 8 of weekends, 1 and 6 January. P1 9-14, 18-22 h: 189 h;
    # P2: 147 h; P6: 168 + 240 = 408 h. 100 kW, and in P1 one quarter hour of 150 and one of 160 kW (27.5 kWh more):
    # 18927.5 kWh x 0.15 = 2839.125; 14700 x 0.13 = 1911.00; 40800 x 0.08 = 3264.00; 8014.125            energy 8014.13
    # power: 120 kW x (25 + 20 + 12 + 9 + 6 + 4) x 31/365 = 774.5753                                     fixed   774.58
    # excess: 1.5 x sqrt((150 - 120)^2 + (160 - 120)^2) = 1.5 x 50                                       demand   75.00
    # IEE: 5.11269632 % of 8863.71: 453.1746 (floor 74.4275 MWh x 0.5 = 37.21)                                   453.17
    # IVA: 21 % of 8863.71 + 453.17 = 9316.88: 1956.5448                                                        1956.54
    contracted = {f"P{n}": "120" for n in range(1, 7)}
    excess = {f"P{n}": "1.5" for n in range(1, 7)}
    document = spanish_tariff(
        "6.1TD",
        "peninsula",
        prices("0.15 0.13 0.12 0.11 0.10 0.08", "25 20 12 9 6 4", kw=contracted, excess=excess, industrial=True),
    )
    load = quarters(date(2025, 1, 1), date(2025, 2, 1), 100)
    load["import"][at(load, date(2025, 1, 8), 9)] = 150 * 250_000
    load["import"][at(load, date(2025, 1, 20), 21, 45)] = 160 * 250_000
    lines = bill(document, load)
    assert lines["energy"] == Decimal("8014.13")
    assert lines["fixed"] == Decimal("774.58")
    assert lines["demand"] == Decimal("75.00")
    assert lines["tax"] == Decimal("453.17") + Decimal("1956.54")
    assert lines["total"] == Decimal("11273.42")


def test_surplus_is_netted_by_the_hour_and_credited_up_to_the_energy() -> None:
    # One hour imports 2 and exports 1.5 kWh: 0.5 imported. Another exports 4 kWh. All else is nothing. Sunday: P3.
    # energy 0.5 x 0.10 = 0.05; credit 4 x 0.06 = 0.24, capped at 0.05. Power 1 kW x 10 x 28/365 = 0.7671 -> 0.77.
    # IEE: 5.11269632 % of 0.77 = 0.0394 -> 0.04; IVA 21 % of 0.81 = 0.1701 -> 0.17. Total 0.98.
    document = spanish_tariff(
        "2.0TD",
        "peninsula",
        prices("0.20 0.15 0.10", "8 2", kw={"P1": "1", "P2": "1"}, surplus={"*": "0.06"}),
    )
    load = quarters(date(2025, 2, 1), date(2025, 3, 1), 0)
    load["import"][at(load, date(2025, 2, 2), 11)] = 2_000_000
    load["export"][at(load, date(2025, 2, 2), 11, 30)] = 1_500_000
    load["export"][at(load, date(2025, 2, 2), 13)] = 4_000_000
    lines = bill(document, load)
    assert (lines["energy"], lines["export"], lines["fixed"]) == (Decimal("0.05"), Decimal("-0.05"), Decimal("0.77"))
    assert lines["tax"] == Decimal("0.21")
    assert lines["total"] == Decimal("0.98")


def test_floor_of_the_electricity_tax() -> None:
    # 1000 kWh for 1.00 EUR in all: 5.11 % would be 0.05; the floor is 1 EUR per MWh = 1.00. IGIC of the Canaries: 3 %
    # of 1.00 + 1.00 = 0.06. January in the Canaries is season B1; a Sunday is P3 of 2.0TD.
    zone = ZoneInfo("Atlantic/Canary")
    document = spanish_tariff("2.0TD", "canaries", prices("1 1 0.001", "0 0", kw={"P1": "1", "P2": "1"}))
    load = quarters(date(2025, 1, 1), date(2025, 2, 1), 0, zone)
    load["import"][at(load, date(2025, 1, 5), 12, 0, zone)] = 1_000_000_000
    lines = bill(document, load, zone)
    assert (lines["energy"], lines["tax"], lines["total"]) == (Decimal("1.00"), Decimal("1.06"), Decimal("2.06"))


def test_a_tax_rate_that_changes_within_the_cycle() -> None:
    # June and July 2024 as one cycle: 3.8 % until 30 June, 5.11269632 % from 1 July. One price, no power; 100 kWh on
    # each side, 100 EUR each: 3.80 + 5.11 = 8.91; IVA 21 % of 208.91 = 43.8711 -> 43.87.
    document = spanish_tariff("2.0TD", "peninsula", prices("1 1 1", "0 0", kw={"P1": "1", "P2": "1"}))
    load = quarters(date(2024, 6, 1), date(2024, 8, 1), 0)
    load["import"][at(load, date(2024, 6, 10), 12)] = 100_000_000
    load["import"][at(load, date(2024, 7, 10), 12)] = 100_000_000
    zeros = np.zeros(len(load["start"]), dtype=np.int64)
    data = Intervals(load["start"], zeros + QUARTER_MS, load["import"], zeros, zeros, zeros)
    terms = BillingTerms(MADRID, cycle_starts=(date(2024, 6, 1), date(2024, 8, 1)))
    (only,) = rate_history(versions_in_force([read_tariff(document)]), terms, data).bills
    assert only.lines["tax"] == 8_910_000 + 43_870_000


@pytest.mark.parametrize(
    ("kind", "zone", "given", "problem"),
    [
        ("2.1TD", "peninsula", {}, "2.0TD, 3.0TD"),
        ("2.0TD", "madrid", {}, "peninsula, balearics"),
        ("2.0TD", "peninsula", {}, "give energy"),
        ("2.0TD", "peninsula", prices("1 1", "1 1"), "prices/energy: give P1, P2, P3; found P1, P2"),
        ("3.0TD", "peninsula", prices("1 1 1 1 1 1", "1 1"), "prices/power: give P1, P2, P3, P4, P5, P6"),
        (
            "3.0TD",
            "peninsula",
            prices("1 1 1 1 1 1", "1 1 1 1 1 1", kw={f"P{n}": str(9 - n) for n in range(1, 7)}),
            "must not fall",
        ),
    ],
)
def test_what_cannot_be_is_refused(kind: str, zone: str, given: dict[str, Any], problem: str) -> None:
    with pytest.raises(SpainError, match=problem):
        spanish_tariff(kind, zone, given)
