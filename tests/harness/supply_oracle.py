"""An independent computation of the bill of a supply point and its shares: plain Python, exact fractions.

It follows the rules of docs/use/plant-bill.md, for quarter hours and tariffs whose lines are functions of sums and
peaks. It shares no code with the product; the shares are not rounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.harness.oracle import Oracle, _Bill

QUARTER_S = 900
Share = dict[tuple[str, str], Fraction]
"""Amounts by meter (`rest` for the rest) and line."""


class SupplyOracle:
    """Energy of meters by quarter hour [kWh], and the bills of a supply point that they make."""

    def __init__(
        self, contracts: list[dict[str, Any]], timezone: str, billing_day: int, tariff: dict[str, Any]
    ) -> None:
        self.contracts, self.zone, self.tariff = {c["meter_id"]: c for c in contracts}, ZoneInfo(timezone), tariff
        self.energy: dict[int, dict[str, Fraction]] = defaultdict(dict)
        assigned = [{"tariff_id": tariff["tariff_id"], "valid_from": tariff["valid_from"]}]
        terms = {"meter_id": "load", "timezone": timezone, "billing_day": billing_day, "assignments": assigned}
        self.bills = Oracle([], [tariff])
        self.bills.contracts["load"] = terms

    def add(self, meter: str, start_s: int, kwh: Fraction) -> None:
        """Add a quarter hour of a meter."""
        self.energy[start_s][meter] = kwh

    def rated(self) -> Iterator[tuple[dict[str, Fraction], Share]]:
        """Yield (lines of the bill, shares) of each billing cycle in order."""
        for start_s in sorted(self.energy):
            sources = [m for m in self.energy[start_s] if self.place(m, start_s)[0] in ("main", "part")]
            if sources:
                kwh = sum((self.energy[start_s][m] for m in sources), Fraction(0))
                at = datetime.fromtimestamp(start_s, UTC).isoformat()
                text = str(Decimal(kwh.numerator) / Decimal(kwh.denominator))
                self.bills.add({"meter_id": "load", "interval_start": at, "interval_s": QUARTER_S, "energy_kwh": text})
        for _, bill in sorted(self.bills.bills.items()):
            lines = {
                "energy": bill.energy_charge(),
                "demand": bill.demand_charge(),
                "fixed": bill.accrued(bill.until) - bill.accrued(bill.since),
            }
            lines["tax"] = bill.taxes(lines)
            yield lines, self._shares(bill, lines)

    def place(self, meter: str, start_s: int) -> tuple[str, str]:
        """Return (role, upstream) of a meter at a time; no role if it is in another supply."""
        contract = dict(self.contracts[meter])
        day = datetime.fromtimestamp(start_s, self.zone).date()
        for change in contract.get("changes", ()):
            if date.fromisoformat(change["valid_from"]) <= day:
                contract |= change
        return (contract["role"], contract.get("upstream", "")) if contract["supply_point"] == "sp" else ("", "")

    def _shares(self, bill: _Bill, lines: dict[str, Fraction]) -> Share:
        slots = [s for s in sorted(self.energy) if bill.since <= s < bill.until and self._load(s) is not None]
        amounts = {"energy": self._energy(bill, slots), "demand": self._demand(bill, slots)}
        whole = sum((self._load(s) or Fraction(0) for s in slots), Fraction(0))
        amounts["fixed"] = {s: lines["fixed"] * (self._load(s) or 0) / whole for s in slots} if whole else {}
        if not whole:  # without energy, the first interval bears it
            amounts["fixed"] = {slots[0]: lines["fixed"]}
        found: Share = defaultdict(Fraction)
        for line, by_slot in amounts.items():
            for start_s, amount in by_slot.items():
                for meter, part in self._split(start_s, amount):
                    found[meter, line] += part
        for meter in {meter for meter, _ in found}:
            found[meter, "tax"] = self._tax({line: found[meter, line] for line in amounts})
        return {key: amount for key, amount in found.items() if amount}

    def _load(self, start_s: int) -> Fraction | None:
        """Return the energy of the supply in a quarter hour, None if no main has measured it."""
        sources = [k for m, k in self.energy[start_s].items() if self.place(m, start_s)[0] in ("main", "part")]
        return sum(sources, Fraction(0)) if sources else None

    def _energy(self, bill: _Bill, slots: list[int]) -> dict[int, Fraction]:
        """Return each quarter hour at the mean price of its TOU period."""
        tiers, price = self.tariff["energy"]["periods"], {}
        for period, kwh in bill.energy.items():
            price[period] = bill._tiers(tiers[period], kwh, self.tariff["energy"]) / kwh if kwh else Fraction(0)
        at = {s: bill.period(datetime.fromtimestamp(s, self.zone)) for s in slots}
        return {s: price[at[s]] * (self._load(s) or 0) for s in slots}

    def _demand(self, bill: _Bill, slots: list[int]) -> dict[int, Fraction]:
        """Return the charge of each demand period on the first quarter hour with its peak."""
        demand, found = self.tariff.get("demand", {}), defaultdict(Fraction)
        for name, tiers in {"flat": demand.get("flat", []), **demand.get("periods", {})}.items():
            inside = [s for s in slots if name in ("flat", bill.period(datetime.fromtimestamp(s, self.zone)))]
            if not inside:
                continue
            peak = max(inside, key=lambda s: (self._load(s) or Fraction(0), -s))
            low = Fraction(0)
            for tier in tiers:
                high = Fraction(Decimal(tier["max"])) if "max" in tier else bill.peak[name]
                part = max(Fraction(0), min(bill.peak[name], high) - low)
                found[peak] += part * Fraction(Decimal(tier["price"])) * bill.share
                low = high
        return found

    def _tax(self, lines: dict[str, Fraction]) -> Fraction:
        taxed, total = dict(lines), Fraction(0)
        for tax in self.tariff.get("taxes", []):
            base = sum((taxed[name] for name in tax["base"] if name in taxed), Fraction(0))
            taxed[tax["name"]] = base * Fraction(Decimal(tax["rate"]))
            total += taxed[tax["name"]]
        return total

    def _split(self, start_s: int, amount: Fraction) -> Iterator[tuple[str, Fraction]]:
        """Yield the share of each meter in an amount of a quarter hour, from the supply down the tree."""
        present = {m: self.place(m, start_s) for m in self.contracts}
        has_parts = any(role == "part" for role, _ in present.values())
        has_subs = any(role == "sub" for role, _ in present.values())
        behind: dict[str, list[str]] = defaultdict(list)
        for meter, (role, upstream) in sorted(present.items()):
            if role == "part" or (role == "main" and not has_subs):
                behind[""].append(meter)
            elif role == "sub":
                behind[upstream if has_parts or present.get(upstream, ("", ""))[0] == "sub" else ""].append(meter)

        def gross(meter: str) -> Fraction:
            return (self._load(start_s) or Fraction(0)) if not meter else self.energy[start_s].get(meter, Fraction(0))

        def divided(node: str, part: Fraction) -> Iterator[tuple[str, Fraction]]:
            own = max(gross(node) - sum(map(gross, behind[node])), Fraction(0))
            whole = own + sum(map(gross, behind[node]))
            yield node or "rest", part * own / whole if whole else part
            for child in behind[node]:
                yield from divided(child, part * gross(child) / whole if whole else Fraction(0))

        yield from divided("", amount)
