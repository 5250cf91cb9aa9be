"""Explains a bill or the cost of a reading: rates the meter, and derives the amounts from the workings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from itertools import islice

import numpy as np

from flink_job.billing.agreements import agreement_of
from flink_job.metering.contract import Contract
from flink_job.tariffs.bill_lines import LINES
from flink_job.tariffs.explain import Explanation, ExplanationError, bill_lines, cost_lines
from flink_job.tariffs.history import BillingTerms, History, InForce, Intervals, rate_history, rated_segments
from flink_job.tariffs.history.workings import Workings
from flink_job.tariffs.prices import PriceSeries
from flink_job.tariffs.registry import TariffRegistry
from flink_job.tenants import plain

_SHOWN = 5


@dataclass(frozen=True)
class Metered:
    """A meter with its readings and the terms that price them."""

    meter_id: str
    data: Intervals
    in_force: InForce
    terms: BillingTerms
    series: Mapping[str, PriceSeries]

    def workings(self) -> Iterator[Workings]:
        """Yield the workings of each billing segment."""
        return rated_segments(self.in_force, self.terms, self.data, self.series)

    def workings_at(self, instant_ms: int) -> Iterator[Workings]:
        """Yield the workings of the billing segments that contain an instant [epoch ms]: one at most."""
        for workings in self.workings():
            segment = workings.context.billing.segment
            if segment.segment_start_ms <= instant_ms < segment.segment_end_ms:
                yield workings

    def history(self) -> History:
        """Return the costs and bills, as `rate` writes them."""
        return rate_history(self.in_force, self.terms, self.data, self.series)


def metered_by(
    contract: Contract,
    registry: TariffRegistry,
    series: Mapping[str, PriceSeries],
    data: Intervals,
    until_ms: int | None = None,
) -> Metered:
    """Return a meter with its readings, priced by its contract; `until_ms` is the end of the known data."""
    return Metered(plain(contract.meter_id), data, *agreement_of(contract, registry, series, until_ms))


def meter_named(meters: Mapping[str, Intervals], meter_id: str) -> Intervals:
    """Return the readings of a meter. Raises ExplanationError with similar names."""
    if meter_id in meters:
        return meters[meter_id]
    similar = get_close_matches(meter_id, meters, _SHOWN, 0.4) or sorted(meters)[:_SHOWN]
    raise ExplanationError(f"meter {meter_id!r} has no readings in these files; there are: {', '.join(similar)}")


def explain_bill(metered: Metered, day: date) -> list[Explanation]:
    """Return the derivation of the bill of the cycle that contains a local day: one for each tariff version in it.

    Raises ExplanationError if there is no such bill, or a derivation does not add up to it.
    """
    bills = metered.history().bills
    found = []
    for number, workings in enumerate(metered.workings()):
        billing = workings.context.billing
        part_end = metered.terms.cycle_end(billing.segment.cycle_start)
        if not billing.segment.cycle_start <= day < part_end:
            continue
        facts = {**_facts(metered, workings), "billed": f"{billing.start} up to, not including, {billing.end}"}
        title = f"bill of {metered.meter_id}, cycle from {billing.segment.cycle_start}"
        notes = [] if billing.charged_until_ms == billing.segment.segment_end_ms else [_open(metered, workings)]
        explanation = Explanation(title, billing.tariff.currency, facts, bill_lines(workings), notes)
        found.append(explanation.check(bills[number].lines))
    if not found:
        cycles = sorted({bill.cycle_start for bill in bills})
        raise ExplanationError(
            f"{metered.meter_id} has no bill of a cycle with {day}: its cycles begin on {cycles[0]} to {cycles[-1]}"
        )
    return found


def explain_reading(metered: Metered, start_ms: int) -> Explanation:
    """Return the derivation of the cost of the reading whose interval begins at an instant [epoch ms].

    Raises ExplanationError if there is no such reading, or the derivation does not add up to its cost.
    """
    history = metered.history()
    row = int(np.searchsorted(history.intervals.start_ms, start_ms))
    if row == len(history.intervals.start_ms) or history.intervals.start_ms[row] != start_ms:
        raise ExplanationError(_no_reading(metered, start_ms))
    workings = next(islice(metered.workings(), int(history.segment[row]), None))
    local = row - int(np.searchsorted(history.intervals.start_ms, workings.context.data.start_ms[0]))
    facts = {**_facts(metered, workings), **_reading_facts(metered, history, row)}
    notes = []
    if local == len(workings.context.data.start_ms) - 1:
        notes.append("the last reading of the bill: it also has what is charged for the time up to the end of the bill")
    title = f"cost of the reading of {metered.meter_id} from {_local(metered, start_ms)}"
    lines = cost_lines(workings, local)
    explanation = Explanation(title, workings.context.tariff.currency, facts, lines, notes)
    return explanation.check({line: int(history.costs[line][row]) for line in LINES})


def _facts(metered: Metered, workings: Workings) -> dict[str, str]:
    tariff, segment = workings.context.tariff, workings.context.billing.segment
    facts = {
        "meter": metered.meter_id,
        "tariff": plain(tariff.tariff_id),
        "version": tariff.version,
        "cycle start": f"{segment.cycle_start}",
        "cycle length": f"{segment.cycle_days} days",
        "time zone": str(tariff.timezone or metered.terms.zone.key),
    }
    if len(workings.chain.parts) > 1:
        facts["other versions"] = "several in this cycle: tiers, peaks and minimum continue from one to the next"
    return facts


def _reading_facts(metered: Metered, history: History, row: int) -> dict[str, str]:
    data = history.intervals
    kwh, export = int(data.import_ukwh[row]) / 1e6, int(data.export_ukwh[row]) / 1e6
    start = int(data.start_ms[row])
    facts = {
        "interval": f"{_local(metered, start)}, {int(data.interval_ms[row]) // 1000} s "
        f"({datetime.fromtimestamp(start / 1000, UTC):%Y-%m-%dT%H:%M:%SZ})",
        "energy": f"{kwh:,.6f} kWh imported" + (f", {export:,.6f} kWh exported" if export else ""),
        "TOU period": history.period_names[int(history.period[row])],
    }
    if reactive := int(data.reactive_uvarh[row]) + int(data.capacitive_uvarh[row]):
        facts["reactive energy"] = f"{reactive / 1e6:,.6f} kvarh"
    return facts


def _open(metered: Metered, workings: Workings) -> str:
    until = _local(metered, workings.context.billing.charged_until_ms)
    return f"the cycle is not closed: its time is charged up to {until}, and the bill will grow"


def _no_reading(metered: Metered, start_ms: int) -> str:
    """Return the message for a reading that does not exist, with the nearest ones."""
    starts = metered.data.start_ms
    at = int(np.searchsorted(starts, start_ms))
    near = [_local(metered, int(ms)) for ms in starts[max(at - 1, 0) : at + 1]]
    return (
        f"{metered.meter_id} has no reading that begins at {_local(metered, start_ms)} "
        f"({datetime.fromtimestamp(start_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}); the nearest: {', '.join(near)}"
    )


def _local(metered: Metered, instant_ms: int) -> str:
    return f"{datetime.fromtimestamp(instant_ms / 1000, metered.terms.zone):%Y-%m-%d %H:%M}"
