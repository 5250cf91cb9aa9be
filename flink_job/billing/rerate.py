"""Settlement: rates the billing cycles of the lake again, in event-time order, and computes adjustments.

The stream prices readings as they arrive. Charges that depend on the order of readings, on the whole billing cycle or
on time without readings, and changes after a reading was priced, are settled here: the costs of the stream and the
adjustments add up to the exact bill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from flink_job.billing.adjustments import Adjustment, reasons_of, rows_of
from flink_job.billing.agreements import agreements
from flink_job.billing.measured import intervals_of, last_instant_ms, meters_in, prepare, streamed_of
from flink_job.billing.quarter_hours import adjusted_windows
from flink_job.billing.unmeasured import span_ms, unmeasured_ms, with_silent_days
from flink_job.errors import MeteringError
from flink_job.lake.database import needed_tables, open_lake
from flink_job.lake.selection import EVERYTHING, Selection
from flink_job.metering.changes import Places, billing_days, zone_of
from flink_job.metering.contract import Contract
from flink_job.metering.zones import local_midnight_ms, zone_named
from flink_job.schemas import ADJUSTMENTS
from flink_job.tariffs.bill_lines import COST_COLUMNS
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history import (
    Bill,
    BillingTerms,
    History,
    rate_history,
)
from flink_job.tariffs.prices import PriceSeries
from flink_job.tariffs.registry import TariffRegistry
from flink_job.tenants import tenant_of


@dataclass
class Rerated:
    """Adjustments of all billing cycles, and the reasons why meters with readings could not be rated, by meter.

    `rows` are the rows of table `adjustments` of each meter.
    """

    adjustments: list[Adjustment] = field(default_factory=list)
    rows: list[pa.Table] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


#: A query that names the tables read by the settlement.
_READ = "SELECT 1 FROM costs, unpriced, register_reads"


def selected(first: date | None = None, last: date | None = None) -> Selection:
    """Return the input of `rerate` and the existing adjustments; the dates limit the partitions to read."""
    tables = needed_tables(_READ)
    return Selection(None if tables is None else tables | {ADJUSTMENTS.name}, first, last)


def is_covered(cycle_start: date, cycle_end: date, selection: Selection) -> bool:
    """Return whether the selected UTC dates include all local days of a billing cycle, in any time zone.

    Local time is up to 14 hours ahead of UTC, so a cycle may begin in the partition of the day before its first day,
    and up to 12 hours behind UTC, so it may end in the partition of the day after its last day.
    """
    begins = selection.first is None or cycle_start > selection.first
    return begins and (selection.last is None or cycle_end <= selection.last)


def rerate(
    lake: Path,
    contracts: Mapping[str, Contract],
    registry: TariffRegistry,
    series: Mapping[str, PriceSeries],
    meter: str = "",
    selection: Selection = EVERYTHING,
) -> Rerated:
    """Rate again every billing cycle that the selection covers, of all meters or of `meter`. Raises LakeError.

    A cycle that ends after the last reading in the lake is open: its fixed charges end with that reading. `series`
    replace those of the registry.
    """
    result = Rerated()
    with open_lake(lake, selection) as connection:
        prepare(connection)
        until_ms = last_instant_ms(connection)
        for meter_id in meters_in(connection, meter):
            contract = contracts.get(meter_id)
            if contract is None:
                result.problems[meter_id] = "no contract"
                continue
            if not contract.assignments:  # the supply point of the meter is billed, not the meter
                continue
            try:
                known = {**registry.prices.series(tenant_of(meter_id)), **series}
                rated, windows = _rerate_meter(connection, contract, registry, known, until_ms)
                covered = [a for a in rated if is_covered(date.fromisoformat(a.key[0]), a.cycle_end, selection)]
                result.adjustments += covered
                result.rows.append(rows_of(covered, windows))
            except MeteringError as error:
                result.problems[meter_id] = str(error)
    return result


def _rerate_meter(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    registry: TariffRegistry,
    series: Mapping[str, PriceSeries],
    until_ms: int,
) -> tuple[Sequence[Adjustment], pd.DataFrame]:
    """Return the adjustments of a meter by billing cycle and tariff version, and by quarter hour."""
    data, moved_ms = intervals_of(connection, contract)
    zone, cycles = zone_named(zone_of(contract)), (contract.billing_day, contract.cycle_starts)
    terms = BillingTerms(zone, *cycles, until_ms, billing_days(contract))
    in_force = agreements(contract, registry)
    history = rate_history(in_force, terms, data, series)
    # Of a dynamic tariff there may be no price of the time without readings.
    priced = [bill for bill in history.bills if registry.version(bill.tariff_id, bill.version).dynamic is None]
    by_day = with_silent_days(history, priced, terms, lambda filled: rate_history(in_force, terms, filled, series))
    windows = adjusted_windows(connection, contract.meter_id, by_day, data.start_ms, zone, Places(contract))
    return _adjustments(connection, contract, registry, history, terms, moved_ms), windows


def _adjustments(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    registry: TariffRegistry,
    history: History,
    terms: BillingTerms,
    moved_ms: Ints,
) -> Sequence[Adjustment]:
    """Return the adjustment of each billing cycle and tariff version of a meter."""
    bills = {(bill.cycle_start.isoformat(), bill.tariff_id, bill.version): bill for bill in history.bills}
    streamed = streamed_of(connection, contract.meter_id)
    gaps = unmeasured_ms(history.intervals, bills, terms)
    places = Places(contract)
    found = []
    for key in sorted(bills.keys() | streamed.keys()):
        bill, before = bills.get(key), streamed.get(key)
        cycle_end = terms.cycle_end(date.fromisoformat(key[0]))
        tariff = registry.version(key[1], key[2])
        columns = COST_COLUMNS.items()
        exact = {} if bill is None else {c: sum(bill.lines[line] for line in lines) for c, lines in columns}
        found.append(
            Adjustment(
                contract.meter_id,
                places.at(local_midnight_ms(cycle_end, terms.zone) - 1).site_path,
                key,
                tariff.currency,
                cycle_end,
                local_midnight_ms(cycle_end, terms.zone) > (terms.until_ms or 0),
                {} if before is None else before.charges,
                exact,
                reasons_of(tariff, bill, before, gaps.get(key, 0), _inside(moved_ms, bill, terms)),
            )
        )
    return found


def _inside(instants_ms: Ints, bill: Bill | None, terms: BillingTerms) -> int:
    """Return how many of the instants [epoch ms] are within a bill."""
    if bill is None:
        return 0
    begin, end = span_ms(bill, terms)
    return int(((instants_ms >= begin) & (instants_ms < end)).sum())
