"""The bench's pricing as a Python user would write it, reading by reading: used by the naive job and the peers.

It prices what the job prices: time of use, tiers, demand, fixed charge and tax, as the difference of two bills in
integers of 1e-6. No numpy: on single readings it would only cost time. It must agree with the job (see the tests).
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

MICRO, PRICE_SCALE = 1_000_000, 1_000_000_000


class Placed(NamedTuple):
    """A resolved reading: its start [epoch s], quantity [1e-6 kWh], TOU period, and month of the bill."""

    start_s: int
    end_s: int
    quantity_ukwh: int
    period: str
    month: str


@dataclass
class Bill:
    """State of one bill: energy by period and peaks [1e-6 kWh a quarter hour]."""

    start_s: int
    end_s: int
    energy_ukwh: dict[str, int] = field(default_factory=dict)
    peak_ukwh: dict[str, int] = field(default_factory=lambda: {"flat": 0})


class Pricer:
    """Prices readings with one tariff document."""

    def __init__(self, tariff: dict[str, Any], timezone: str) -> None:
        self.zone = ZoneInfo(timezone)
        self.days = {day: rule["bands"] for rule in tariff["calendar"]["days"] for day in rule["on"]}
        self.energy = {p: _scaled(tiers) for p, tiers in tariff["energy"]["periods"].items()}
        demand = tariff["demand"]
        self.demand = {"flat": _scaled(demand["flat"]), **{p: _scaled(t) for p, t in demand["periods"].items()}}
        self.fixed_u = int(Decimal(tariff["fixed"][0]["amount"]) * MICRO)
        self.rate_e9 = int(Decimal(tariff["taxes"][0]["rate"]) * PRICE_SCALE)

    def place(self, record: dict[str, Any]) -> Placed:
        """Resolve a reading: start, quantity, TOU period, month."""
        start = datetime.fromisoformat(record["interval_start"])
        start_s = int(start.timestamp())
        local = start.astimezone(self.zone)
        quantity_ukwh = int(Decimal(str(record["energy_kwh"])) * MICRO)
        return Placed(start_s, start_s + record["interval_s"], quantity_ukwh, self._period(local), f"{local:%Y-%m}")

    def new_bill(self, month: str) -> Bill:
        """The bill of a month without a reading."""
        first = datetime.fromisoformat(f"{month}-01").replace(tzinfo=self.zone)
        days = calendar.monthrange(first.year, first.month)[1]
        return Bill(int(first.timestamp()), int((first + timedelta(days=days)).timestamp()))

    def price(self, bill: Bill, at: Placed, before_ukwh: int | None) -> dict[str, int]:
        """Return the cost of a reading by charge [1e-6 currency] and update the bill. `before_ukwh` is the energy of
        the interval so far, None for its first reading.
        """
        energy, demand = self._energy(bill), self._demand(bill)
        bill.energy_ukwh[at.period] = bill.energy_ukwh.get(at.period, 0) + at.quantity_ukwh - (before_ukwh or 0)
        for slot in ("flat", at.period):
            bill.peak_ukwh[slot] = max(bill.peak_ukwh.get(slot, 0), at.quantity_ukwh)
        energy_now, demand_now = self._energy(bill), self._demand(bill)
        fixed, fixed_now = self._fixed(bill, at.start_s), self._fixed(bill, at.end_s)
        if before_ukwh is not None:
            fixed_now = fixed
        tax = self._tax(energy_now + demand_now) - self._tax(energy + demand) + self._tax(fixed_now) - self._tax(fixed)
        return {"energy": energy_now - energy, "demand": demand_now - demand, "fixed": fixed_now - fixed, "tax": tax}

    def _period(self, local: datetime) -> str:
        bands = self.days[("mon", "tue", "wed", "thu", "fri", "sat", "sun")[local.weekday()]]
        clock = f"{local:%H:%M}"
        return str([band["period"] for band in bands if band["from"] <= clock][-1])

    def _energy(self, bill: Bill) -> int:
        return _divided(sum(_tiered(self.energy[p], u) for p, u in bill.energy_ukwh.items()), PRICE_SCALE)

    def _demand(self, bill: Bill) -> int:
        found = (_tiered(tiers, bill.peak_ukwh.get(p, 0) * 4) for p, tiers in self.demand.items())
        return _divided(sum(found), PRICE_SCALE)

    def _fixed(self, bill: Bill, at_s: int) -> int:
        elapsed = min(max(at_s, bill.start_s), bill.end_s) - bill.start_s
        return _divided(self.fixed_u * elapsed, bill.end_s - bill.start_s)

    def _tax(self, amount_u: int) -> int:
        return _divided(amount_u * self.rate_e9, PRICE_SCALE)


def _scaled(tiers: list[dict[str, str]]) -> list[tuple[int | None, int]]:
    """(upper bound in 1e-6 kWh or kW, price in 1e-9 currency) of each tier."""
    return [
        (int(Decimal(t["max"]) * MICRO) if "max" in t else None, int(Decimal(t["price"]) * PRICE_SCALE)) for t in tiers
    ]


def _tiered(tiers: list[tuple[int | None, int]], quantity_u: int) -> int:
    charge = low = 0
    for high, price in tiers:
        inside = (quantity_u if high is None else min(quantity_u, high)) - low
        if inside <= 0:
            break
        charge += inside * price
        low = high or low
    return charge


def _divided(numerator: int, denominator: int) -> int:
    """Rounded half to even."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1))
