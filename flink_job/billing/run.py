"""Rating every meter, on all cores, to Parquet and CSV."""

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

from flink_job.tariffs.bill_lines import COST_COLUMNS, LINES, OTHER_COLUMNS
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.history import Bill, BillingTerms, History, Intervals, rate_history, versions_in_force
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.prices import PriceSeries

#: Columns of bills.csv, as those of the view `bills`; and the local days [bill_start, bill_end), which are a part of
#: the cycle where a version of the tariff begins or ends within it.
BILL_COLUMNS = (
    *("meter_id", "cycle_start", "bill_start", "bill_end", "tariff_id", "tariff_version", "currency"),
    *("energy_kwh", "export_kwh", *COST_COLUMNS, "cost", *OTHER_COLUMNS),
)
_AMOUNT = pa.decimal128(18, 6)
#: Below so many readings, starting another process takes longer than it saves.
_WORTH_A_PROCESS = 200_000
MICRO = Decimal("0.000001")


@dataclass(frozen=True)
class Pricing:
    """All that rating needs beside the readings."""

    versions: Sequence[Tariff]
    terms: BillingTerms
    series: Mapping[str, PriceSeries]
    contracted_u: Mapping[str, int]

    def rate(self, data: Intervals) -> History:
        """One meter's costs and bills."""
        return rate_history(versions_in_force(self.versions, self.contracted_u), self.terms, data, self.series)


@dataclass(frozen=True)
class BilledCycle:
    """A bill with the meter, the currency and the energy [1e-6 kWh] that it is for."""

    meter_id: str
    bill: Bill
    currency: str
    import_ukwh: int
    export_ukwh: int

    def row(self) -> list[str]:
        """Values of BILL_COLUMNS."""
        bill, lines = self.bill, self.bill.lines
        costs = [sum(lines[line] for line in parts) for parts in COST_COLUMNS.values()]
        other = [lines[line] for line in OTHER_COLUMNS.values()]
        amounts = (self.import_ukwh, self.export_ukwh, *costs, bill.total, *other)
        days = map(str, (bill.cycle_start, bill.start, bill.end))
        return [self.meter_id, *days, bill.tariff_id, bill.version, self.currency, *map(amount_text, amounts)]


@dataclass(frozen=True)
class Rated:
    """One meter's result. `costs` is None where only bills were asked for."""

    meter_id: str
    readings: int
    bills: Sequence[BilledCycle]
    costs: pa.RecordBatch | None


def rate_meters(
    pricing: Pricing, meters: Mapping[str, Intervals], with_costs: bool, progress: Callable[[int], None]
) -> Iterator[Rated]:
    """Rate each meter, in order; `progress` is called with the readings done. What a worker raises is raised here."""
    total = sum(len(data.start_ms) for data in meters.values())
    work = partial(_rate_meter, pricing, with_costs)
    done = 0
    for rated in _spread(work, meters, total):
        done += rated.readings
        progress(done)
        yield rated


def write_results(rated: Iterator[Rated], folder: Path) -> tuple[Totals, Sequence[BilledCycle]]:
    """Write `folder`/costs.parquet and `folder`/bills.csv; returns (totals, bills)."""
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
    """Sums over all bills [1e-6 currency] by line."""

    def __init__(self) -> None:
        self.meters = self.readings = self.bills = 0
        self.lines: Counter[str] = Counter()

    def add(self, rated: Rated) -> None:
        self.meters += 1
        self.readings += rated.readings
        self.bills += len(rated.bills)
        for billed in rated.bills:
            self.lines.update(billed.bill.lines)

    @property
    def total(self) -> int:
        return sum(self.lines.values())


def write_bills(bills: Sequence[BilledCycle], path: Path) -> None:
    """A row for each bill, by meter and cycle; amounts and quantities have 6 decimals."""
    with path.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(BILL_COLUMNS)
        for billed in sorted(bills, key=lambda one: (one.meter_id, one.bill.start)):
            rows.writerow(billed.row())


def amount_text(micro: int) -> str:
    """An amount [1e-6 currency] with 6 decimals."""
    return f"{Decimal(micro) * MICRO:.6f}"


def _spread(
    work: Callable[[tuple[str, Intervals]], Rated], meters: Mapping[str, Intervals], total: int
) -> Iterator[Rated]:
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
    costs = _cost_rows(meter_id, history, currency) if with_costs else None
    return Rated(meter_id, len(data.start_ms), list(_billed(meter_id, history, currency)), costs)


def _billed(meter_id: str, history: History, currency: str) -> Iterator[BilledCycle]:
    """The bills of a meter with the energy of their readings."""
    data = history.intervals
    for number, bill in enumerate(history.bills):
        rows = history.segment == number
        yield BilledCycle(
            meter_id, bill, currency, int(data.import_ukwh[rows].sum()), int(data.export_ukwh[rows].sum())
        )


def _cost_rows(meter_id: str, history: History, currency: str) -> pa.RecordBatch:
    """A row for each reading: what it measured, where it lies in the tariff, what it costs."""
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
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def decimals(micro: Ints) -> pa.Array:
    """Integers of 1e-6 as DECIMAL(18, 6): the same digits, sign-extended to 128 bits."""
    words = np.empty((len(micro), 2), dtype="<i8")
    words[:, 0], words[:, 1] = micro, micro >> 63
    return pa.Array.from_buffers(_AMOUNT, len(micro), [None, pa.py_buffer(words)])


def _repeated(values: Sequence[str], index: Ints) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), pa.array(list(values), pa.string()))
