"""The terms of the demand line at a state of the bill: peaks, minimum demand, and excess over contracted power."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from math import isqrt

import numpy as np

from flink_job.tariffs.charges import month_share
from flink_job.tariffs.demand_charges import Block, demand_blocks, demand_ukw, peak_count, step_bounds
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.explain.terms import Term, e9, micro
from flink_job.tariffs.history.floors import FLAT
from flink_job.tariffs.history.intervals import previous_by
from flink_job.tariffs.history.power import excess_amount, power_above
from flink_job.tariffs.history.workings import Workings

_HOUR_S = 3600


def demand_terms(workings: Workings, at: int, share: Fraction) -> dict[str, Term]:
    """Return the terms of demand after reading `at` of the chain; `share`: part of the chain's days in the segment."""
    tariff = workings.chain.tariff
    if not tariff.has_demand:
        return {}
    if tariff.demand.daily:
        return _daily(workings, at)
    found: dict[str, Term] = {}
    for slot, name in enumerate((FLAT, *tariff.demand_periods)):
        blocks = demand_blocks(tariff, workings.floors[name].cycles)
        found |= _of_peak(workings, at, share, name, [block for block in blocks if block.slot == slot])
    return found | (_of_step(workings, at, share) if tariff.demand.steps else {})


def _of_peak(workings: Workings, at: int, share: Fraction, name: str, blocks: Sequence[Block]) -> dict[str, Term]:
    """Return the terms of a peak: the part of the minimum demand accrues with time, the rest counts when it is set."""
    context, tariff, rule = workings.chain, workings.chain.tariff, workings.floors[name]
    unit = tariff.demand.unit
    factor, factor_note = _of_month(workings, share)
    again, again_note = 1 + rule.again, f"charged for {rule.again} earlier cycles too" if rule.again else ""
    floor = Fraction(int(context.accrued(10**12)[at]), 10**12)
    found = {}
    note = peak_text(workings, name, at) if workings.highest[name][at] else "no demand yet"
    if rule.cycles > 1:
        note = f"mean with the {rule.cycles - 1} cycles before; {note}"
    reached, least = _billed(workings, name, at)
    for number, block in enumerate(blocks):
        label = f"{_title(name)}{f', tier {number + 1}' if len(blocks) > 1 else ''}"
        kw = [_kw(workings, block, energy, rule.cycles) for energy in (reached, least)]
        price = e9(block.price_e9)
        notes = "; ".join(filter(None, (factor_note, again_note)))
        others = {"factor": factor * again, "factor_note": notes, "note": note}
        found[f"{name} {number}"] = Term.product(label, kw[0] - kw[1], unit, price, **others)
        if kw[1]:
            minimum = "billed without a peak of this cycle; it accrues with time"
            others |= {"factor": factor * floor, "factor_note": factor_note, "note": minimum}
            found[f"least {name} {number}"] = Term.product(f"{label}, minimum", kw[1], unit, price, **others)
    return found


def _of_month(workings: Workings, share: Fraction) -> tuple[Fraction, str]:
    """Return the part of a month that a segment is, and its note."""
    part, month = month_share(workings.chain.tariff, workings.chain.basis)
    factor = Fraction(int(part[0]), int(month[0])) * share
    return factor, "" if factor == 1 else f"{factor.numerator}/{factor.denominator} of a month"


def _billed(workings: Workings, name: str, at: int) -> tuple[int, int]:
    """Return the accumulators of peaks that are billed, with the peak of the cycle so far and without it."""
    rule, peak = workings.floors[name], np.array([int(workings.highest[name][at]), 0])
    reached, least = rule.billed(workings.chain.tariff, peak).tolist()
    return reached, least


def _of_step(workings: Workings, at: int, share: Fraction) -> dict[str, Term]:
    """Return the terms of the step that the billed demand is in: the step without a peak accrues with time."""
    tariff, rule = workings.chain.tariff, workings.floors[FLAT]
    steps, bounds = tariff.demand.steps, step_bounds(tariff, rule.cycles)
    reached, least = (bisect_left(bounds, energy) for energy in _billed(workings, FLAT, at))
    factor, note = _of_month(workings, share)
    floor = Fraction(int(workings.chain.accrued(10**12)[at]), 10**12)
    label, low = f"step {least + 1} of the demand", e9(steps[least].amount_e9)
    found = {"step": Term.product(label, Fraction(1), "month", low, factor=factor * floor, note="it accrues with time")}
    if reached > least:
        more = e9(steps[reached].amount_e9) - low
        others = {"factor": factor * (1 + rule.again), "factor_note": note, "note": peak_text(workings, FLAT, at)}
        found["higher step"] = Term.product(f"step {reached + 1} instead", Fraction(1), "month", more, **others)
    return found


def _kw(workings: Workings, block: Block, peak_ukwh: int, cycles: int = 1) -> Fraction:
    """Return the part of a peak in a tier [kW], or of the mean of peaks of several days or cycles."""
    energy, tariff = int(block.of(np.array([peak_ukwh], dtype=object))[0]), workings.chain.tariff
    return Fraction(energy * _HOUR_S, tariff.demand_window_s * peak_count(tariff) * cycles * 1_000_000)


def _title(name: str) -> str:
    return "peak of all hours" if name == FLAT else f"peak of {name}"


def peak_text(workings: Workings, name: str, at: int) -> str:
    """Return the peak of a demand period up to a reading and the demand interval that set it."""
    context, peaks = workings.chain, workings.peaks
    stop = _parts_until(workings, at)
    window = peaks.window_ukwh[:stop]
    if name != FLAT:
        window = np.where(peaks.slot[:stop] == context.tariff.demand_periods[name], window, 0)
    first = int(np.argmax(window))
    kw = int(demand_ukw(context.tariff, window[first : first + 1])[0]) / 1e6
    count, unit = context.tariff.demand.highest_days, context.tariff.demand.unit
    mean = f"mean of the highest peaks of {count} days, the highest " if count else ""
    return f"{mean}{kw:,.6g} {unit} in the demand interval from {_local(workings, int(peaks.window_start[first]))}"


def _local(workings: Workings, instant_ms: int) -> str:
    return f"{datetime.fromtimestamp(instant_ms / 1000, workings.chain.terms.zone):%Y-%m-%d %H:%M}"


def _parts_until(workings: Workings, at: int) -> int:
    """Return the number of parts of readings (in demand intervals) up to reading `at`."""
    last = workings.peaks.last
    return int(last[min(at, len(last) - 1)]) + 1 if len(last) else 0


def _daily(workings: Workings, at: int) -> dict[str, Term]:
    """Return a term for the peak of each local day, demand period and tier."""
    tariff, peaks = workings.chain.tariff, workings.peaks
    stop, found = _parts_until(workings, at), {}
    days, slots, window = peaks.day_start[:stop], peaks.slot[:stop], peaks.window_ukwh[:stop]
    names, unit = (FLAT, *tariff.demand_periods), tariff.demand.unit
    for day in np.unique(days).tolist():
        for number, block in enumerate(demand_blocks(tariff)):
            inside = (days == day) & ((slots == block.slot) | (block.slot == 0))
            highest = int(window[inside].max()) if inside.any() else 0
            label = f"{_title(names[block.slot])} on {_local(workings, day)[:10]}"
            kw = _kw(workings, block, highest)
            found[f"{day} {number}"] = Term.product(label, kw, unit, e9(block.price_e9))
    return found


def excess_terms(workings: Workings, at: int) -> dict[str, Term]:
    """Return a term for the demand above the contracted power of each period."""
    context, peaks, contracted = workings.chain, workings.peaks, workings.chain.tariff.contracted
    found: dict[str, Term] = {}
    if contracted is None:
        return found
    stop = _parts_until(workings, at)
    for name, above in power_above(context, peaks, workings.power).items():
        if not stop or not above[:stop].any():
            continue
        amount = micro(int(excess_amount(context, contracted, peaks, name, above)[stop - 1]))
        kw, note = _excess(workings, contracted.excess_rule == "root_of_squares", above[:stop], stop)
        note = f"above {workings.power[name] / 1e6:,.6g} kW contracted: {note}"
        price = e9(contracted.excess_e9[name])
        factor = Fraction(1)
        if contracted.excess_rule != "root_of_squares":
            factor = Fraction(2 * int(context.basis.segment_days[0]), 30)
        text = "" if factor == 1 else f"2 x {int(context.basis.segment_days[0])}/30 days"
        found[f"excess {name}"] = Term(
            f"excess {name}", amount, kw, context.tariff.demand.unit, price, factor, text, note
        )
    return found


def _excess(workings: Workings, is_root: bool, above: Ints, stop: int) -> tuple[Fraction, str]:
    """Return the kW that the excess price is for, and how they came about."""
    highest = int(np.argmax(above))
    when = _local(workings, int(workings.peaks.window_start[highest]))
    most = f"highest {int(above[highest]) / 1e6:,.6g} kW at {when}"
    if not is_root:
        return micro(int(above[highest])), most
    squares = above.astype(object) ** 2
    total = int((squares - previous_by(workings.peaks.window_start[:stop], squares)).sum())
    count = len(np.unique(workings.peaks.window_start[:stop][above > 0]))
    return micro(isqrt(total)), f"root of the sum of the squares of {count:,} demand intervals, {most}"
