"""A supply point for explanations: the load that its bill is of, and the share of a reading of a submeter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from flink_job.billing.agreements import Book
from flink_job.billing.explain import Metered
from flink_job.metering.changes import zone_of
from flink_job.metering.membership import Membership, memberships
from flink_job.supplies.charges import ORDER
from flink_job.supplies.load import of_members, supply_load
from flink_job.supplies.membership import Supply, supplies_of
from flink_job.supplies.rated import RatedSupply, SharedBill, rate_supply
from flink_job.supplies.shares import Shares
from flink_job.tariffs.explain import Entry, Explanation, ExplanationError, Line, Term
from flink_job.tariffs.explain.terms import MICRO
from flink_job.tariffs.history import Intervals
from flink_job.tenants import plain

_RULES = (
    "energy is shared by the energy of the interval, demand by that of the intervals that set the peak, and fixed "
    "charges by the energy of the bill, unless the supply point has other rules: docs/use/plant-bill.md"
)


Part = tuple[Shares, int, NDArray[np.bool_]]
"""Shares of some days, the number of a meter in them, and which of their slots are wanted."""


@dataclass(frozen=True)
class Place:
    """A supply point, and the meter in it that was named; `member` is None if the supply point itself was."""

    supply: Supply
    member: Membership | None = None

    @property
    def is_submeter(self) -> bool:
        """Whether the meter adds nothing to the bill of the supply."""
        return self.member is not None and self.member.role == "sub"


def place_of(book: Book, name: str, instant_ms: int) -> Place:
    """Return the place of a supply point or meter, by qualified name, at an instant [epoch ms].

    Raises ExplanationError, and SupplyError if the supply cannot be billed.
    """
    contract = book.contracts.get(name)
    member = None if contract is None else next(m for m in memberships(contract) if instant_ms < m.until_ms)
    if member is not None and member.role == "sensor":
        raise ExplanationError(f"meter {plain(name)!r} is a sensor: it measures no billed electricity")
    supplies, faults = supplies_of(book.contracts, book.terms)
    known = {supply.supply_point: supply for supply in supplies}
    if name in known:
        is_own = member is not None and member.supply_point == name
        return Place(known[name], member if is_own else None)
    supply_point = name if member is None else member.supply_point
    for fault in faults:
        if fault.supply_point == supply_point:
            raise fault
    if supply_point not in known:
        raise ExplanationError(f"meter {plain(name)!r} has no contract in --contracts, nor is it a supply point there")
    return Place(known[supply_point], member)


def zone_of_name(book: Book, name: str) -> str:
    """Return the time zone of a meter, or of a supply point, by qualified name. Raises ExplanationError."""
    if name in book.terms:
        return zone_of(book.terms[name].as_contract())
    if name in book.contracts:
        return zone_of(book.contracts[name])
    for contract in book.contracts.values():
        if contract.supply_point == name:
            return zone_of(contract)
    raise ExplanationError(f"{plain(name)!r} is neither a meter nor a supply point of --contracts")


def metered_supply(place: Place, readings: Mapping[str, Intervals], book: Book, until_ms: int | None = None) -> Metered:
    """Return the load of a supply with the terms that price it. `readings`: by meter, times its multiplier.

    Raises ExplanationError without readings of its mains or parts.
    """
    supply = place.supply
    sources = of_members([m for m in supply.members if m.role in ("main", "part")], readings)
    load = supply_load([sources[meter] for meter in sorted(sources)]).sorted()
    if not len(load.start_ms):
        names = ", ".join(sorted({plain(m.meter_id) for m in supply.members if m.role in ("main", "part")}))
        raise ExplanationError(f"supply point {plain(supply.supply_point)} has no bill: no readings of {names}")
    return Metered(plain(supply.supply_point), load, *book.agreement(supply.contract, until_ms))


def billed(place: Place) -> Place:
    """Return the place of a bill. Raises ExplanationError if a submeter was named."""
    if place.is_submeter and place.member is not None:
        supply, meter = plain(place.supply.supply_point), plain(place.member.meter_id)
        raise ExplanationError(
            f"{meter} is a submeter of supply point {supply}, which has the bill: name {supply}, or for its share a "
            f"reading, such as {meter}@2026-01-31T10:00"
        )
    return place


def explain_share(
    place: Place, readings: Mapping[str, Intervals], book: Book, start_ms: int, until_ms: int | None = None
) -> Explanation:
    """Return the share of the reading of a submeter that begins at an instant [epoch ms] in the bill of its supply.

    Raises ExplanationError if there is no such reading.
    """
    member, supply = place.member, place.supply
    assert member is not None
    data = readings.get(member.meter_id)
    row = None if data is None else int(np.searchsorted(data.start_ms, start_ms))
    if data is None or row is None or row == len(data.start_ms) or data.start_ms[row] != start_ms:
        raise ExplanationError(f"{plain(member.meter_id)} has no reading that begins at {_utc(start_ms)}")
    agreement = book.agreement(supply.contract, until_ms)
    rated = rate_supply(supply, readings, agreement.rate)
    bill, parts = _shares_at(rated, member.meter_id, start_ms, int(data.end_ms[row]))
    net, amounts = 0, dict.fromkeys(ORDER, 0)
    for part, node, at in parts:
        net += int(part.net_ukwh[node, at].sum())
        for line in ORDER:
            amounts[line] += int(part.amounts[line][node, at].sum())
    zone = agreement.terms.zone
    local = f"{datetime.fromtimestamp(start_ms / 1000, zone):%Y-%m-%d %H:%M}"
    of_bill = bill.charges.bill
    facts = {
        "meter": plain(member.meter_id),
        "supply point": plain(supply.supply_point),
        "adds to the bill": "0.000000: the main alone makes the bill",
        "interval": f"{local}, {int(data.interval_ms[row]) // 1000} s ({_utc(start_ms)})",
        "energy": f"{int(data.import_ukwh[row]) / 1e6:,.6f} kWh; less that of meters behind it {net / 1e6:,.6f} kWh",
        "tariff": plain(of_bill.tariff_id),
        "version": of_bill.version,
        "cycle start": f"{of_bill.cycle_start}",
    }
    lines = [_line(name, amounts[name], of_bill.lines[name]) for name in ORDER if amounts[name]]
    title = f"share of the reading of {plain(member.meter_id)} from {local} in the bill of {plain(supply.supply_point)}"
    notes = [_RULES]
    return Explanation(title, bill.charges.tariff.currency, facts, lines, notes)


def _shares_at(rated: RatedSupply, meter: str, start_ms: int, end_ms: int) -> tuple[SharedBill, list[Part]]:
    """Return the bill with an instant, and its shares of a meter in the span."""
    for bill in rated.bills():
        found = list(_parts(bill, meter, start_ms, end_ms))
        if found:
            return bill, found
    raise ExplanationError(f"{plain(meter)} has no share at {_utc(start_ms)}: its supply has no bill then")


def _parts(bill: SharedBill, meter: str, start_ms: int, end_ms: int) -> Iterator[Part]:
    segment = bill.charges.context.billing.segment
    if not segment.segment_start_ms <= start_ms < segment.segment_end_ms:
        return
    for part in bill.shares:
        at = (part.slots.start_ms >= start_ms) & (part.slots.start_ms < end_ms)
        if meter in part.tree.nodes and at.any():
            yield part, part.tree.nodes.index(meter), at


def _line(name: str, amount: int, of_bill: int) -> Line:
    share = Fraction(amount, MICRO)
    entry = Entry(f"share of {of_bill / MICRO:,.6f} in the bill", share, None, Term("share", share))
    return Line(name, [entry], 0, amount, 6)


def _utc(instant_ms: int) -> str:
    return f"{datetime.fromtimestamp(instant_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
