"""Settlement of one supply point: its exact bills beside the costs of the stream, and the energy of its meters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np
import pandas as pd

from flink_job.billing.adjustments import Adjustment, Streamed, reasons_of
from flink_job.billing.agreements import Book
from flink_job.billing.measured import intervals_of, streamed_of
from flink_job.billing.places import MeterPlaces
from flink_job.billing.quarter_hours import adjusted_windows, exact_rows, streamed_paths
from flink_job.billing.unmeasured import span_ms, unmeasured_ms, with_silent_days
from flink_job.metering.groups import Attached
from flink_job.metering.supply_terms import Sharing
from flink_job.metering.zones import local_midnight_ms
from flink_job.supplies.load import of_members
from flink_job.supplies.membership import Supply, SupplyError, SupplyFault
from flink_job.supplies.rated import RatedSupply, rate_supply
from flink_job.tariffs.bill_lines import COST_COLUMNS, LINES
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history import Bill, BillingTerms, History, InForce, Intervals
from flink_job.tariffs.history.segments import billing_segments


@dataclass(frozen=True)
class Known:
    """Input of settlement beside the lake.

    `until_ms`: end of the known data [epoch ms]. `attached`: the contracts with those that belong to them (see
    flink_job.metering.groups). `steady`: see flink_job.billing.steady.
    """

    book: Book
    until_ms: int
    attached: Mapping[str, Attached]
    steady: Collection[str] = ()


@dataclass(frozen=True)
class Settled:
    """Adjustments of a supply by billing cycle and tariff version, and by quarter hour, and the rated supply."""

    adjustments: Sequence[Adjustment]
    windows: pd.DataFrame
    rated: RatedSupply | None = None


def settle_supply(connection: duckdb.DuckDBPyConnection, known: Known, supply: Supply) -> Settled:
    """Settle a supply point. Raises MeteringError."""
    return _Settlement(connection, known, supply).settled()


def withdrawn(connection: duckdb.DuckDBPyConnection, known: Known, meter_id: str) -> Settled:
    """Take back the costs of the stream for the own supply of a meter that belongs to another one now."""
    contract = known.book.contracts[meter_id]
    none = Supply(meter_id, contract, Sharing(), ())
    return _Settlement(connection, known, none).settled()


class _Settlement:
    """The settlement of a supply; the lake is prepared (flink_job.billing.measured.prepare)."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, known: Known, supply: Supply) -> None:
        self.connection, self.known, self.supply = connection, known, supply
        self.agreement = known.book.agreement(supply.contract, known.until_ms)
        self.terms, self.rate = self.agreement.terms, self.agreement.rate
        self.zone = self.terms.zone

    def settled(self) -> Settled:
        """Return the adjustments of the supply."""
        present = [meter for meter in self.supply.meters if meter in self.known.book.contracts]
        measured = {meter: intervals_of(self.connection, self.known.book.contracts[meter]) for meter in present}
        readings = {meter: data for meter, (data, _) in measured.items() if len(data.start_ms)}
        moved = np.concatenate([np.empty(0, dtype=np.int64), *(others for _, others in measured.values())])
        try:
            rated = rate_supply(self.supply, readings, self.rate) if readings else None
        except SupplyError as error:
            if error.code != SupplyFault.NO_MAIN:
                raise
            rated = None  # submeters have energy before the main has sent anything
        windows = self._windows(readings, rated)
        return Settled(self._adjustments(rated, moved), windows, rated)

    def _windows(self, readings: Mapping[str, Intervals], rated: RatedSupply | None) -> pd.DataFrame:
        """Return the adjustments by meter and quarter hour."""
        sources = self._of_roles(readings, "main", "part")
        names = sorted(sources) or [m.meter_id for m in self.supply.members] or [self.supply.supply_point]
        bearer = self._places(names[0])
        exact = []
        if rated is not None:
            by_day = self._by_day(rated.history)
            own = readings.get(bearer.meter_id) if len(sources) == 1 else None
            starts = by_day.intervals.start_ms if own is None else own.start_ms
            exact.append(exact_rows(by_day, starts, self.zone, bearer, has_energy=own is not None))
        counted = self._of_roles(readings, "sub")
        if len(sources) > 1:
            counted |= sources
        for meter, data in sorted(counted.items()):
            if meter in self.known.steady:
                continue
            free = _without_costs(data, self.agreement.in_force, self.terms)
            exact.append(exact_rows(free, data.start_ms, self.zone, self._places(meter)))
        return adjusted_windows(self.connection, self.supply.supply_point, bearer, exact)

    def _of_roles(self, readings: Mapping[str, Intervals], *roles: str) -> dict[str, Intervals]:
        found = of_members([m for m in self.supply.members if m.role in roles], readings)
        return {meter: data for meter, data in found.items() if len(data.start_ms)}

    def _places(self, meter_id: str) -> MeterPlaces:
        return MeterPlaces(self.known.attached[meter_id], streamed_paths(self.connection, meter_id))

    def _by_day(self, history: History) -> History:
        """Return the history with the charges of days without readings on these days, where prices are known."""
        version = self.known.book.registry.version
        priced = [bill for bill in history.bills if version(bill.tariff_id, bill.version).dynamic is None]
        return with_silent_days(history, priced, self.terms, self.rate)

    def _adjustments(self, rated: RatedSupply | None, moved_ms: Ints) -> Sequence[Adjustment]:
        found_bills = () if rated is None else rated.history.bills
        bills = {(bill.cycle_start.isoformat(), bill.tariff_id, bill.version): bill for bill in found_bills}
        streamed = streamed_of(self.connection, self.supply.supply_point)
        gaps = {} if rated is None else unmeasured_ms(rated.history.intervals, bills, self.terms)
        return [
            self._adjustment(key, bills.get(key), streamed.get(key), gaps.get(key, 0), moved_ms)
            for key in sorted(bills.keys() | streamed.keys())
        ]

    def _adjustment(
        self, key: tuple[str, str, str], bill: Bill | None, before: Streamed | None, gap_ms: int, moved_ms: Ints
    ) -> Adjustment:
        cycle_end = self.terms.cycle_end(date.fromisoformat(key[0]))
        tariff = self.known.book.registry.version(key[1], key[2])
        exact = {} if bill is None else {c: sum(bill.lines[n] for n in lines) for c, lines in COST_COLUMNS.items()}
        return Adjustment(
            self.supply.supply_point,
            key,
            tariff.currency,
            cycle_end,
            local_midnight_ms(cycle_end, self.zone) > (self.terms.until_ms or 0),
            {} if before is None else before.charges,
            exact,
            reasons_of(tariff, bill, before, gap_ms, self._inside(moved_ms, bill)),
            0 if before is None else before.records,
        )

    def _inside(self, instants_ms: Ints, bill: Bill | None) -> int:
        """Return how many of the instants [epoch ms] are within a bill."""
        if bill is None:
            return 0
        begin, end = span_ms(bill, self.terms)
        return int(((instants_ms >= begin) & (instants_ms < end)).sum())


def _without_costs(data: Intervals, in_force: InForce, terms: BillingTerms) -> History:
    """Return the billing segments of readings that add nothing to a bill, with amounts of 0."""
    nothing = dict.fromkeys(LINES, 0)
    segments = list(billing_segments(in_force, terms, int(data.start_ms[0]), int(data.start_ms[-1])))
    bills = [
        Bill(one.segment.tariff_id, one.segment.tariff_version, one.segment.cycle_start, one.start, one.end, nothing)
        for one in segments
    ]
    ends = [one.segment.segment_end_ms for one in segments]
    index = np.minimum(np.searchsorted(ends, data.start_ms, "right"), len(segments) - 1)
    zeros = np.zeros(len(data.start_ms), dtype=np.int64)
    used, index = np.unique(index, return_inverse=True)
    return History(data, dict.fromkeys(LINES, zeros), index, zeros, [], [bills[number] for number in used])
