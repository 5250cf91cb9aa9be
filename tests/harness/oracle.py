"""An independent computation of costs: plain Python, exact fractions, record by record. Shares no code with the job.

It follows the written rules: the highest (revision, quantity) of an interval's quantity counts; a peak never falls;
each charge of a bill is rounded to 1e-6, half to even; fixed charges accrue over the intervals that have a reading.
The import of a reading that straddles two demand intervals is divided by time; the second part is rounded down to 1e-6
kWh and not counted beyond the bill. A reading longer than the demand interval counts with its mean power. A demand
interval counts in the demand period in which it begins. Energy is divided by time between TOU periods. Mains and parts
of a supply point, whose readings are no longer than the demand interval, have one bill; a submeter adds nothing to it.
"""

from __future__ import annotations

import calendar
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

BILLED = ("import", "export", "reactive_import", "reactive_export")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def micro(value: Fraction) -> Fraction:
    """Rounded to 1e-6, half to even."""
    return Fraction(round(value * 10**6), 10**6)


class Oracle:
    """Feed it records in order of arrival, then read `costs()` and `counts`."""

    def __init__(self, contracts: Iterable[bytes], tariffs: Iterable[dict[str, Any]]) -> None:
        records = [json.loads(c) for c in contracts]
        self.contracts = {c["meter_id"]: c for c in records if "meter_id" in c}
        #: The terms of supply points: those of a main, else those of their record.
        self.terms = {c["supply_point"]: c for c in records if c.get("assignments") and "supply_point" in c}
        self.tariffs = list(tariffs)
        self.seen: dict[tuple[Any, ...], tuple[int, Fraction]] = {}
        self.intervals: set[tuple[str, int]] = set()
        self.bills: dict[tuple[Any, ...], _Bill] = {}
        self.registers: dict[str, _Register] = {}
        self.demand: dict[tuple[str, int], Fraction] = defaultdict(Fraction)
        self.counts = {"costed": 0, "duplicates": 0, "measured": 0, "unpriced": 0}

    def add(self, record: dict[str, Any]) -> None:
        """A well-formed reading; malformed ones are not for the oracle."""
        contract = self.contracts.get(record["meter_id"])
        if contract is None:
            self.counts["unpriced"] += 1
            return
        if contract.get("role") == "sensor":
            self.counts["measured"] += 1
            return
        start = int(datetime.fromisoformat(record["interval_start"]).timestamp())
        changed = {
            k: d for k, q in self._quantities(record).items() if (d := self._delta(record, start, k, q)) is not None
        }
        if not changed:
            self.counts["duplicates"] += 1
            return
        self.counts["costed"] += 1
        if "register" in changed:
            changed = {"import": self._register_energy(record, start)}
        account = contract.get("supply_point", record["meter_id"])
        bill = self._bill(account, self.terms.get(account, contract), start)
        if contract.get("role") == "sub":  # a main or part upstream has the energy, too
            return
        first = (account, start) not in self.intervals
        self.intervals.add((account, start))
        bill.lowered |= changed.get("import", 0) < 0
        after = self.seen.get((record["meter_id"], start, "import"), (0, Fraction(0)))[1]
        if "register_kwh" in record:
            after = changed.get("import", Fraction(0))
        bill.add(self, account, record, start, changed, first, after)

    def _quantities(self, record: dict[str, Any]) -> dict[str, Fraction]:
        if "register_kwh" in record:
            return {"register": micro(Fraction(Decimal(str(record["register_kwh"]))))}
        values = record["values"] if "values" in record else {"import": record["energy_kwh"]}
        return {k: micro(Fraction(Decimal(str(v)))) for k, v in values.items() if k in BILLED}

    def _delta(self, record: dict[str, Any], start: int, quantity: str, value: Fraction) -> Fraction | None:
        key = (record["meter_id"], start, quantity)
        before = self.seen.get(key)
        now = (record.get("revision", 0), value)
        if before is not None and now <= before:
            return None
        self.seen[key] = now
        return value - (before[1] if before else 0)

    def _register_energy(self, record: dict[str, Any], start: int) -> Fraction:
        """Increase of the span between the earliest read and the highest."""
        value, dial = Fraction(Decimal(str(record["register_kwh"]))), Fraction(record["register_rollover_kwh"])
        state = self.registers.get(record["meter_id"])
        if state is None:
            self.registers[record["meter_id"]] = _Register(value, start, value, value)
            return Fraction(0)
        if value < state.last - dial / 2:
            state.turns += 1
        elif value > state.last + dial / 2:
            state.turns -= 1
        total, span = value + state.turns * dial, state.top - state.bottom
        state.last, state.top = value, max(state.top, total)
        if start < state.earliest:
            state.earliest, state.bottom = start, min(state.bottom, total)
        return state.top - state.bottom - span

    def _bill(self, account: str, contract: dict[str, Any], start: int) -> _Bill:
        zone = ZoneInfo(contract["timezone"])
        day = datetime.fromtimestamp(start, zone).date()
        assigned = [a for a in contract["assignments"] if date.fromisoformat(a["valid_from"]) <= day]
        later = [
            date.fromisoformat(a["valid_from"])
            for a in contract["assignments"]
            if date.fromisoformat(a["valid_from"]) > day
        ]
        current = max(assigned, key=lambda a: a["valid_from"])
        versions = [t for t in self.tariffs if t["tariff_id"] == current["tariff_id"]]
        tariff = max((t for t in versions if t["valid_from"] <= day.isoformat()), key=lambda t: t["valid_from"])
        later += [date.fromisoformat(t["valid_from"]) for t in versions if t["valid_from"] > day.isoformat()]
        first, last = cycle(day, contract["billing_day"])
        begins = max(first, date.fromisoformat(current["valid_from"]), date.fromisoformat(tariff["valid_from"]))
        ends = min([last, *later])
        key = (account, first, tariff["tariff_id"], tariff["version"])
        return self.bills.setdefault(
            key,
            _Bill(
                tariff,
                zone,
                first,
                last,
                Fraction((ends - begins).days, (last - first).days),
                (ends - begins).days,
                begins,
                ends,
            ),
        )

    def lowered(self) -> set[tuple[Any, ...]]:
        """Bills with a correction that lowered the import: a peak before it stays, so it depends on the order."""
        return {key for key, bill in self.bills.items() if bill.lowered}

    def costs(self) -> dict[tuple[Any, ...], dict[str, Decimal]]:
        """Amounts by charge of every (supply point, cycle start, tariff, version). A meter without one is its own."""
        return {key: {k: _decimal(v) for k, v in bill.amounts().items()} for key, bill in self.bills.items()}


@dataclass
class _Register:
    last: Fraction
    earliest: int
    bottom: Fraction
    top: Fraction
    turns: int = 0


class _Bill:
    def __init__(
        self,
        tariff: dict[str, Any],
        zone: ZoneInfo,
        first: date,
        last: date,
        share: Fraction,
        days: int,
        begins: date,
        ends: date,
    ) -> None:
        self.tariff, self.zone, self.first, self.last, self.share, self.days = tariff, zone, first, last, share, days
        self.since, self.until = (
            int(datetime(d.year, d.month, d.day, tzinfo=zone).timestamp()) for d in (begins, ends)
        )
        self.energy: dict[str, Fraction] = defaultdict(Fraction)
        self.exported: dict[str, Fraction] = defaultdict(Fraction)
        self.peak: dict[str, Fraction] = defaultdict(Fraction)
        self.counted_s = 0
        self.lowered = False

    def add(
        self,
        oracle: Oracle,
        account: str,
        record: Any,
        start: int,
        changed: dict[str, Fraction],
        first: bool,
        after: Fraction,
    ) -> None:
        local = datetime.fromtimestamp(start, self.zone)
        sold = oracle.seen.get((record["meter_id"], start, "export"), (0, Fraction(0)))[1]
        length = record["interval_s"]
        for name, sums, value in (("import", self.energy, after), ("export", self.exported, sold)):
            before = value - changed.get(name, Fraction(0))
            for period, begin, end in self.parts(start, length):
                high, low = (
                    _floor(v * (length - begin) / length) - _floor(v * (length - end) / length) for v in (value, before)
                )
                sums[period] += high - low
        window = self.tariff.get("demand", {}).get("window_s", 900)
        midnight = int(datetime(local.year, local.month, local.day, tzinfo=self.zone).timestamp())
        opens = midnight + (start - midnight) // window * window
        demand_period = self.period(datetime.fromtimestamp(opens, self.zone))
        changed_by = changed.get("import", Fraction(0))
        beyond = Fraction(0)
        if length > window:
            self.measure(demand_period, Fraction(int(after * 10**6) * window // length, 10**6), window)
        else:
            over = start + length - opens - window
            if over > 0:
                beyond = _floor(after * over / length) - _floor((after - changed_by) * over / length)
            oracle.demand[account, opens] += changed_by - beyond
            self.measure(demand_period, oracle.demand[account, opens], window)
            if over > 0 and opens + window < self.until:
                oracle.demand[account, opens + window] += beyond
                next_period = self.period(datetime.fromtimestamp(opens + window, self.zone))
                self.measure(next_period, oracle.demand[account, opens + window], window)
        if first:
            self.counted_s += min(start + length, self.until) - start

    def measure(self, period: str, kwh: Fraction, window: int) -> None:
        """Raise the peaks by the energy of a demand interval in a TOU period."""
        for name in ("flat", period):
            self.peak[name] = max(self.peak[name], kwh * 3600 / window)

    def parts(self, start: int, length: int) -> list[tuple[str, int, int]]:
        """(TOU period, beginning, end) of the parts of a reading, in seconds from its start; borders are at minutes."""
        ends = (
            self.period(datetime.fromtimestamp(start, self.zone)),
            self.period(datetime.fromtimestamp(start + length - 1, self.zone)),
        )
        if ends[0] == ends[1] and length <= 3600:
            return [(ends[0], 0, length)]
        found = [(ends[0], 0, length)]
        for offset in range(60 - start % 60, length, 60):
            period = self.period(datetime.fromtimestamp(start + offset, self.zone))
            if period != found[-1][0]:
                found[-1] = (*found[-1][:2], offset)
                found.append((period, offset, length))
        return found

    def period(self, local: datetime) -> str:
        document = self.tariff.get("calendar")
        if document is None:
            return "all"
        kinds = DAYS[local.weekday()]
        if local.date().isoformat() in document.get("holidays", {}).get(str(local.year), []):
            kinds = "holiday"
        for rule in document["days"]:
            if kinds in rule["on"] and self._in_season(rule.get("season"), local):
                clock = f"{local:%H:%M}"
                return [b["period"] for b in rule["bands"] if b["from"] <= clock][-1]
        raise AssertionError(f"no rule for {local}")

    def _in_season(self, season: str | None, local: datetime) -> bool:
        if season is None:
            return True
        today = f"{local:%m-%d}"
        for span in self.tariff["calendar"]["seasons"][season]:
            low, high = span.split("/")
            if (low <= today <= high) if low <= high else (today >= low or today <= high):
                return True
        return False

    def accrued(self, at: int) -> Fraction:
        begin = int(datetime(self.first.year, self.first.month, self.first.day, tzinfo=self.zone).timestamp())
        end = int(datetime(self.last.year, self.last.month, self.last.day, tzinfo=self.zone).timestamp())
        whole = Fraction(0)
        cycle_days = (self.last - self.first).days
        for charge in self.tariff.get("fixed", []):
            amount = Fraction(Decimal(charge["amount"]))
            year = 366 if calendar.isleap(self.first.year) else 365
            whole += (
                amount
                * {"month": Fraction(1), "day": Fraction(cycle_days), "year": Fraction(cycle_days, year)}[charge["per"]]
            )
        return micro(whole * Fraction(min(max(at, begin), end) - begin, end - begin))

    def amounts(self) -> dict[str, Fraction]:
        energy, demand, export = self.energy_charge(), self.demand_charge(), self.export_credit()
        fixed = self.accrued(self.since + self.counted_s) - self.accrued(self.since)
        tax = self.taxes({"energy": energy, "demand": demand, "export": export}) + self.taxes({"fixed": fixed})
        lines = {"energy": energy, "demand": demand, "fixed": fixed, "export": export, "tax": tax}
        return {**lines, "cost": sum(lines.values(), Fraction(0))}

    def energy_charge(self) -> Fraction:
        document = self.tariff["energy"]
        tiers_of = document["periods"]
        if self.tariff.get("tier_rule", "per_period") == "per_period":
            return micro(sum((self._tiers(tiers_of[p], kwh, document) for p, kwh in self.energy.items()), Fraction(0)))
        whole = sum(self.energy.values(), Fraction(0))
        charge = Fraction(0)
        for period, kwh in self.energy.items():
            charge += self._tiers(tiers_of[period], whole, document) * kwh / whole if whole else 0
        return micro(charge)

    def _tiers(self, tiers: list[dict[str, str]], kwh: Fraction, document: dict[str, Any]) -> Fraction:
        charge, low = Fraction(0), Fraction(0)
        for tier in tiers:
            high = None
            if "max" in tier:
                high = Fraction(Decimal(tier["max"]))
                high = high * self.days if document.get("tier_unit") == "kWh daily" else micro(high * self.share)
            inside = max(Fraction(0), (kwh if high is None else min(kwh, high)) - low)
            charge += inside * Fraction(Decimal(tier["price"]))
            low = high if high is not None else low
        return charge

    def demand_charge(self) -> Fraction:
        demand = self.tariff.get("demand", {})
        charge = Fraction(0)
        structures = {"flat": demand.get("flat", []), **demand.get("periods", {})}
        for name, tiers in structures.items():
            low = Fraction(0)
            for tier in tiers:
                high = Fraction(Decimal(tier["max"])) if "max" in tier else self.peak[name]
                charge += max(Fraction(0), min(self.peak[name], high) - low) * Fraction(Decimal(tier["price"]))
                low = high
        return micro(charge * self.share)

    def export_credit(self) -> Fraction:
        prices = self.tariff.get("export", {}).get("prices", {})
        return -micro(
            sum(
                (k * Fraction(Decimal(prices.get(p, prices.get("*", "0")))) for p, k in self.exported.items()),
                Fraction(0),
            )
        )

    def taxes(self, charges: dict[str, Fraction]) -> Fraction:
        lines = dict(charges)
        for tax in self.tariff.get("taxes", []):
            base = sum((lines[b] for b in tax["base"] if b in lines), Fraction(0))
            lines[tax["name"]] = micro(base * Fraction(Decimal(tax["rate"])))
        return sum((v for k, v in lines.items() if k not in charges), Fraction(0))


def cycle(day: date, billing_day: int) -> tuple[date, date]:
    """The billing cycle that holds a day."""

    def begin(any_day: date) -> date:
        return any_day.replace(day=min(billing_day, calendar.monthrange(any_day.year, any_day.month)[1]))

    start = begin(day)
    if day < start:
        return begin(day.replace(day=1) - timedelta(days=1)), start
    return start, begin(day.replace(day=28) + timedelta(days=4))


def _floor(kwh: Fraction) -> Fraction:
    return Fraction(int(kwh * 10**6), 10**6)


def _decimal(value: Fraction) -> Decimal:
    return Decimal(round(value * 10**6)).scaleb(-6)
