"""The explanation of the bill of a billing segment, and of the cost of a reading in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from flink_job.tariffs.bill_lines import LINES
from flink_job.tariffs.explain.demand import demand_terms, excess_terms
from flink_job.tariffs.explain.energy import energy_terms, export_terms
from flink_job.tariffs.explain.others import cap_terms, fixed_terms, minimum_terms, reactive_terms, tax_terms
from flink_job.tariffs.explain.terms import Line, Term, Terms, differences
from flink_job.tariffs.history.workings import Workings


def bill_lines(workings: Workings) -> Sequence[Line]:
    """Return the lines of the bill of a segment, each with the terms it is made of."""
    return _between(workings, None, len(workings.context.data.start_ms))


def cost_lines(workings: Workings, number: int) -> Sequence[Line]:
    """Return the lines of the cost of a reading of a segment; the last reading closes the segment."""
    count = len(workings.context.data.start_ms)
    return _between(workings, number - 1 if number else None, number if number < count - 1 else count)


def change_lines(before: Workings | None, after: Workings) -> list[Line]:
    """Return what each line adds between the bills of two sets of readings of one segment; None has no reading."""
    bills = [None if each is None else (each, len(each.context.data.start_ms)) for each in (before, after)]
    old, new = ({n: {} for n in LINES} if bill is None else _all_terms(*bill) for bill in bills)
    amounts = [dict.fromkeys(LINES, 0) if bill is None else _amounts(*bill) for bill in bills]
    decimals = after.context.tariff.rounding.line_decimals
    return [Line(n, differences(old[n], new[n]), amounts[0][n], amounts[1][n], decimals) for n in LINES]


def _amounts(workings: Workings, at: int) -> dict[str, int]:
    return {name: int(workings.amounts[name][at]) for name in LINES}


def _between(workings: Workings, before: int | None, after: int) -> Sequence[Line]:
    """Return what each line adds between two states: after a reading of the segment (None: before the first)."""
    old, new = _all_terms(workings, before), _all_terms(workings, after)
    decimals = workings.context.tariff.rounding.line_decimals
    return [
        Line(
            name,
            differences(old[name], new[name]),
            0 if before is None else int(workings.amounts[name][before]),
            int(workings.amounts[name][after]),
            decimals,
        )
        for name in LINES
    ]


def _all_terms(workings: Workings, at: int | None) -> Mapping[str, Terms]:
    """Return the terms of each line after a reading of the segment."""
    of_chain = _chain_index(workings, at)
    tariff = workings.chain.tariff
    by_part = None if of_chain is None else workings.at_prices_of(of_chain).by_part(of_chain)
    energy = {} if by_part is None else energy_terms(*by_part)
    export = {} if by_part is None else export_terms(*by_part)
    demand: dict[str, Term] = {}
    fixed: dict[str, Term] = {}
    minimum: dict[str, Term] = {}
    if of_chain is not None and tariff.demand.daily:
        demand = demand_terms(workings, of_chain, Fraction(1))
    if at is not None:
        demand = demand or _demand(workings, at)
        fixed, minimum = fixed_terms(workings, at), minimum_terms(workings, at)
    if of_chain is not None:
        demand |= excess_terms(workings, of_chain)
    if at is not None:
        energy = {**energy, **cap_terms(workings, at, "energy")}
        demand |= cap_terms(workings, at, "demand")
    within = tariff.export.within_energy
    return {
        "energy": {**energy, **export} if within else energy,
        "demand": demand,
        "fixed": fixed,
        "minimum": minimum,
        "export": {} if within else export,
        "reactive": {} if by_part is None else reactive_terms(*by_part),
        "tax": tax_terms(workings, at),
    }


def _chain_index(workings: Workings, at: int | None) -> int | None:
    """Return the index of a running amount of the chain for a reading of the segment; None before the first reading."""
    rows = workings.cut.rows
    if at is None:
        return rows.start - 1 if rows.start else None
    if at < rows.stop - rows.start:
        return int(rows.start + at)
    if workings.cut.is_last:
        return len(workings.chain.data.start_ms)
    return rows.stop - 1 if rows.stop else None


def _demand(workings: Workings, at: int) -> dict[str, Term]:
    """Return the terms of the cycle's peak, for the days of the segment."""
    if workings.chain.tariff.demand.daily:
        return {}
    rows, count = workings.cut.rows, len(workings.chain.data.start_ms)
    index = rows.start + at if at < rows.stop - rows.start else count
    start, end = workings.cut.days
    return demand_terms(workings.at_prices_of(index), index, Fraction(end - start, workings.cut.chain_days))
