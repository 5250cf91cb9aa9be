"""URDB documents that between them use every rule that PySAM rates, and deliberate differences apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Schedule = list[list[int]]
SUMMER = range(5, 9)


def schedule(period: Callable[[int, int], int]) -> Schedule:
    """Twelve months of 24 hours; `period(month from 0, hour)`."""
    return [[period(month, hour) for hour in range(24)] for month in range(12)]


FLAT = schedule(lambda month, hour: 0)
DAY = schedule(lambda month, hour: int(8 <= hour < 20))
PEAK = schedule(lambda month, hour: 2 if 16 <= hour < 21 else int(8 <= hour < 16))
SEASONAL = schedule(lambda month, hour: (2 if 12 <= hour < 18 else 1) if month in SUMMER else 3 + (8 <= hour < 21))
SEASONAL_WEEKEND = schedule(lambda month, hour: 1 if month in SUMMER else 3)


def energy(weekday: Schedule, weekend: Schedule, *structure: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A document with an energy structure."""
    return {
        "label": "000000000000000000000000",
        "utility": "Test Utility",
        "name": "test",
        "energyratestructure": list(structure),
        "energyweekdayschedule": weekday,
        "energyweekendschedule": weekend,
        **more,
    }


def tiers(bounds: list[float], rates: list[float], unit: str = "kWh", sells: list[float] | None = None) -> Any:
    """Tiers of one period."""
    uppers = [{"max": bound} for bound in bounds] + [{}]
    credits = [{"sell": sell} for sell in sells] if sells else [{} for _ in rates]
    return [{"rate": r, "unit": unit, **u, **s} for r, u, s in zip(rates, uppers, credits, strict=True)]


DEMAND = {
    "demandratestructure": [[{"rate": 1.5}], [{"rate": 9.25, "adj": 0.5}]],
    "demandweekdayschedule": DAY,
    "demandweekendschedule": FLAT,
}

DOCUMENTS: dict[str, dict[str, Any]] = {
    "flat": energy(
        FLAT, FLAT, [{"rate": 0.1133, "adj": 0.0211}], fixedchargefirstmeter=12.5, fixedchargeunits="$/month"
    ),
    "seasonal time of use": energy(
        SEASONAL,
        SEASONAL_WEEKEND,
        [{"rate": 9.0}],
        [{"rate": 0.09}],
        [{"rate": 0.31, "adj": -0.005}],
        [{"rate": 0.07}],
        [{"rate": 0.14}],
    ),
    "tiers": energy(FLAT, FLAT, tiers([350, 900], [0.08, 0.12, 0.19]), dgrules="Net Metering"),
    "tiers by time of use, prorated": energy(
        DAY, FLAT, tiers([300, 2000], [0.08, 0.10, 0.12]), tiers([300, 2000], [0.20, 0.26, 0.31])
    ),
    "tiers by time of use, chronological": energy(
        DAY,
        FLAT,
        tiers([300, 2000], [0.08, 0.10, 0.12], sells=[0.03, 0.02, 0.01]),
        tiers([300, 2000], [0.20, 0.26, 0.31], sells=[0.06, 0.05, 0.04]),
        dgrules="Net Billing Instantaneous",
    ),
    "daily tiers": energy(PEAK, FLAT, *[tiers([12], [r, 2 * r], "kWh daily") for r in (0.07, 0.11, 0.25)]),
    "hours of use": energy(
        DAY,
        FLAT,
        tiers([150, 300], [0.14, 0.09, 0.05], "kWh/kW"),
        tiers([150, 300], [0.19, 0.12, 0.08], "kWh/kW"),
        flatdemandstructure=[[{"rate": 6.0}]],
        flatdemandmonths=[0] * 12,
    ),
    "hours of use by day": energy(FLAT, FLAT, tiers([5], [0.14, 0.09], "kWh/kW daily")),
    "demand": energy(
        DAY,
        FLAT,
        [{"rate": 0.06}],
        [{"rate": 0.09}],
        flatdemandstructure=[[{"rate": 12.0, "max": 40}, {"rate": 7.5}], [{"rate": 3.25}]],
        flatdemandmonths=[1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1],
        **DEMAND,
    ),
    "demand tiers by time of use": energy(
        FLAT,
        FLAT,
        [{"rate": 0.05}],
        demandratestructure=[[{"rate": 2.0, "max": 3}, {"rate": 1.0}], [{"rate": 11.0, "max": 3}, {"rate": 13.0}]],
        demandweekdayschedule=PEAK[:0] or DAY,
        demandweekendschedule=FLAT,
    ),
    "monthly minimum": energy(
        FLAT,
        FLAT,
        [{"rate": 0.04}],
        mincharge=900,
        minchargeunits="$/month",
        fixedchargefirstmeter=3,
        fixedchargeunits="$/month",
    ),
    "yearly minimum": energy(FLAT, FLAT, [{"rate": 0.04}], mincharge=30_000, minchargeunits="$/year"),
    "net metering, seasonal": energy(
        SEASONAL,
        SEASONAL_WEEKEND,
        [{"rate": 0}],
        [{"rate": 0.09}],
        [{"rate": 0.31}],
        [{"rate": 0.07}],
        [{"rate": 0.14}],
        dgrules="Net Metering",
    ),
    "buy all, sell all": energy(
        DAY, FLAT, [{"rate": 0.11, "sell": 0.04}], [{"rate": 0.22, "sell": 0.05}], dgrules="Buy All Sell All"
    ),
}
