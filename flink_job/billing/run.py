"""Rates all meters, on all cores, and writes costs to Parquet and bills to CSV."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flink_job.billing.emissions import COLUMN, emitted
from flink_job.tariffs.bill_lines import COST_COLUMNS, LINES, OTHER_COLUMNS
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history import Bill, BillingTerms, History, Intervals, rate_history, versions_in_force
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.prices import PriceSeries

#: Columns of bills.csv: those of the view `bills`, and the local days [bill_start, bill_end) of the billing segment,
#: which is shorter than the cycle if a tariff version begins or ends within it.
BILL_COLUMNS = (
    *("meter_id", "cycle_start", "bill_start", "bill_end", "tariff_id", "tariff_version", "currency"),
    *("energy_kwh", "export_kwh", *COST_COLUMNS, "cost", *OTHER_COLUMNS),
)
_AMOUNT = pa.decimal128(18, 6)
#: Minimum number of readings for worker processes: below it, starting them takes longer than they save.
_WORTH_A_PROCESS = 200_000
MICRO = Decimal("0.000001")


@dataclass(frozen=True)
class Pricing:
    """Input of rating besides the readings: tariff versions, terms, price series, contracted power [1e-6 kW].

    `emissions`: grams of CO2 per kWh [1e-9].
    """

    versions: Sequence[Tariff]
    terms: BillingTerms
    series: Mapping[str, PriceSeries]
    contracted_u: Mapping[str, int]
    emissions: PriceSeries | None = None

    def rate(self, data: Intervals) -> History:
        """Return the costs and bills of a meter."""
        return rate_history(versions_in_force(self.versions, self.contracted_u), self.terms, data, self.series)


@dataclass(frozen=True)
class BilledCycle:
    """A bill with its meter, currency, energy [1e-6 kWh] and CO2 [1e-6 kg], None if it is not computed."""

    meter_id: str
    bill: Bill
    currency: str
    import_ukwh: int
    export_ukwh: int
    co2_ukg: int | None = None

    def row(self) -> list[str]:
        """Return the values of BILL_COLUMNS, and the CO2 if it is computed."""
        bill, lines = self.bill, self.bill.lines
        costs = [sum(lines[line] for line in parts) for parts in COST_COLUMNS.values()]
        other = [lines[line] for line in OTHER_COLUMNS.values()]
        more = () if self.co2_ukg is None else (self.co2_ukg,)
        amounts = (self.import_ukwh, self.export_ukwh, *costs, bill.total, *other, *more)
        days = map(str, (bill.cycle_start, bill.start, bill.end))
        return [self.meter_id, *days, bill.tariff_id, bill.version, self.currency, *map(amount_text, amounts)]


@dataclass(frozen=True)
class Rated:
    """Result for a meter. `costs` is None if only bills were requested."""

    meter_id: str
    readings: int
    bills: Sequence[BilledCycle]
    costs: pa.RecordBatch | None


def rate_meters(
    pricing: Pricing, meters: Mapping[str, Intervals], with_costs: bool, progress: Callable[[int], None]
) -> Iterator[Rated]:
    """Rate each meter, in order, and call `progress` with the number of readings rated so far.

    Raises the exceptions of the worker processes.
    """
    total = sum(len(data.start_ms) for data in meters.values())
    work = partial(_rate_meter, pricing, with_costs)
    done = 0
    for rated in _spread(work, meters, total):
        done += rated.readings
        progress(done)
        yield rated


def write_results(rated: Iterator[Rated], folder: Path) -> tuple[Totals, Sequence[BilledCycle]]:
    """Write `folder`/costs.parquet and `folder`/bills.csv. Returns (totals, bills)."""
    folder.mkdir(parents=True, exist_ok=True)
    totals = Totals()
    bills: list[BilledCycle] = []
    writer: pq.ParquetWriter | None = None
    try:
        for one in rated:
            assert one.costs is not None
            if writer is None:
                writer = pq.ParquetWriter(folder / "costs.parquet", one.costs.schema)
            writer.write_table(pa.Table.from_batches([one.costs]))
            bills += one.bills
            totals.add(one)
    finally:
        if writer is not None:
            writer.close()
    write_bills(bills, folder / "bills.csv")
    return totals, bills


class Totals:
    """Sums of all bills by line [1e-6 currency], and numbers of meters, readings and bills."""

    def __init__(self) -> None:
        self.meters = self.readings = self.bills = 0
        self.lines: Counter[str] = Counter()

    def add(self, rated: Rated) -> None:
        """Add the bills of a meter."""
        self.meters += 1
        self.readings += rated.readings
        self.bills += len(rated.bills)
        for billed in rated.bills:
            self.lines.update(billed.bill.lines)

    @property
    def total(self) -> int:
        """Sum of all lines [1e-6 currency]."""
        return sum(self.lines.values())


def write_bills(bills: Sequence[BilledCycle], path: Path) -> None:
    """Write a row for each bill, sorted by meter and start; amounts and quantities have 6 decimals."""
    with path.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        has_co2 = any(billed.co2_ukg is not None for billed in bills)
        rows.writerow((*BILL_COLUMNS, COLUMN) if has_co2 else BILL_COLUMNS)
        for billed in sorted(bills, key=lambda one: (one.meter_id, one.bill.start)):
            rows.writerow(billed.row())


def amount_text(micro: int) -> str:
    """Format an amount [1e-6 currency] with 6 decimals."""
    return f"{Decimal(micro) * MICRO:.6f}"


def _spread(
    work: Callable[[tuple[str, Intervals]], Rated], meters: Mapping[str, Intervals], total: int
) -> Iterator[Rated]:
    """Yield the result of `work` for each meter, in order, from worker processes if there are enough readings."""
    workers = min(os.cpu_count() or 1, len(meters))
    if total < _WORTH_A_PROCESS or workers < 2:
        yield from map(work, meters.items())
        return
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(work, item) for item in meters.items()]
        for job in jobs:
            yield job.result()


def _rate_meter(pricing: Pricing, with_costs: bool, item: tuple[str, Intervals]) -> Rated:
    meter_id, data = item
    history = pricing.rate(data)
    currency = pricing.versions[0].currency
    co2 = None if pricing.emissions is None else emitted(history, pricing.emissions)
    costs = _cost_rows(meter_id, history, currency, co2) if with_costs else None
    return Rated(meter_id, len(data.start_ms), list(_billed(meter_id, history, currency, co2)), costs)


def _billed(meter_id: str, history: History, currency: str, co2: Ints | None) -> Iterator[BilledCycle]:
    """Yield the bills of a meter, each with the energy of its readings."""
    data = history.intervals
    for number, bill in enumerate(history.bills):
        rows = history.segment == number
        energy = int(data.import_ukwh[rows].sum()), int(data.export_ukwh[rows].sum())
        yield BilledCycle(meter_id, bill, currency, *energy, None if co2 is None else int(co2[rows].sum()))


def _cost_rows(meter_id: str, history: History, currency: str, co2: Ints | None) -> pa.RecordBatch:
    """Return a row for each reading: its energy, tariff version, TOU period, billing cycle, costs, and CO2 if known."""
    data, count = history.intervals, len(history.intervals.start_ms)
    total = np.sum([history.costs[line] for line in LINES], axis=0)
    columns = {
        "meter_id": _repeated([meter_id], np.zeros(count, np.int64)),
        "interval_start": pa.array(data.start_ms).cast(pa.timestamp("ms")),
        "interval_s": pa.array((data.interval_ms // 1000).astype(np.int32)),
        "energy_kwh": decimals(data.import_ukwh),
        "export_kwh": decimals(data.export_ukwh),
        "tariff_id": _repeated([bill.tariff_id for bill in history.bills], history.segment),
        "tariff_version": _repeated([bill.version for bill in history.bills], history.segment),
        "tou_period": _repeated(history.period_names, history.period),
        "cycle_start": _repeated([bill.cycle_start.isoformat() for bill in history.bills], history.segment),
        **{
            name: decimals(np.sum([history.costs[part] for part in parts], axis=0))
            for name, parts in COST_COLUMNS.items()
        },
        "cost": decimals(total),
        **{name: decimals(history.costs[line]) for name, line in OTHER_COLUMNS.items()},
        "currency": _repeated([currency], np.zeros(count, np.int64)),
        **({} if co2 is None else {COLUMN: decimals(co2)}),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def decimals(micro: Ints) -> pa.Array:
    """Convert integers in units of 1e-6 to DECIMAL(18, 6): the same digits, sign-extended to 128 bits."""
    words = np.empty((len(micro), 2), dtype="<i8")
    words[:, 0], words[:, 1] = micro, micro >> 63
    return pa.Array.from_buffers(_AMOUNT, len(micro), [None, pa.py_buffer(words)])


def _repeated(values: Sequence[str], index: Ints) -> pa.Array:
    """Return the strings `values[index]` as a dictionary-encoded array."""
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(list(values), pa.string()))
