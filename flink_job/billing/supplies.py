"""Bills of supply points from files: their load is rated, and each bill is shared to the meters behind it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flink_job.batch.contracts import ContractRecords, records_in_force
from flink_job.billing.agreements import Book
from flink_job.billing.run import BILL_COLUMNS, BilledCycle
from flink_job.billing.share_rows import share_rows
from flink_job.errors import MeteringError
from flink_job.io.records import InputError
from flink_job.metering.changes import Places
from flink_job.metering.contract import Contract
from flink_job.supplies.membership import SupplyError, SupplyFault, supplies_of
from flink_job.supplies.rated import RatedSupply, SharedBill, rate_supply
from flink_job.tariffs.history import Intervals

_QUANTITIES = ("import_ukwh", "export_ukwh", "reactive_uvarh", "capacitive_uvarh")


@dataclass
class SupplyBills:
    """Bills of supplies, the amount of each meter in them, and the supplies that cannot be billed.

    `shared`: (supply point, meter) -> [energy in 1e-6 kWh, amount in 1e-6 currency]; the rest is `<supply point>:rest`.
    """

    bills: list[BilledCycle] = field(default_factory=list)
    shared: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    faults: list[SupplyError] = field(default_factory=list)
    negative_rests: Counter[str] = field(default_factory=Counter)


def read_contracts(names: Sequence[str]) -> ContractRecords:
    """Return the contracts and terms of NDJSON files, the latest of each. Raises InputError."""
    found = records_in_force(names, _refuse)
    if not found.contracts:
        raise InputError(f"{', '.join(names)}: no contract of a meter")
    return found


def _refuse(fault: str) -> None:
    raise InputError(fault) from None


class SupplyRating(Book):
    """A book by which readings of supplies are rated."""

    def rated(self, readings: Mapping[str, Intervals], faults: list[SupplyError]) -> Iterator[RatedSupply]:
        """Yield each supply that has readings of its mains; adds those that cannot be billed to `faults`.

        A supply without any reading is left out.
        """
        supplies, found = supplies_of(self.contracts, self.terms)
        faults += found
        measured = {
            meter: multiplied(self.contracts[meter], data)
            for meter, data in readings.items()
            if meter in self.contracts
        }
        for supply in supplies:
            if not measured.keys() & set(supply.meters):
                continue
            try:
                yield rate_supply(supply, measured, self.agreement(supply.contract).rate)
            except SupplyError as error:
                faults.append(error)
            except MeteringError as error:
                faults.append(SupplyError(SupplyFault.UNRATED, supply.supply_point, str(error)))


def multiplied(contract: Contract, data: Intervals) -> Intervals:
    """Return the readings of a meter times the multiplier of its contract at their time, rounded half to even."""
    places = Places(contract)
    ratios = [place.multiplier for place in places.contracts]
    if all(ratio == 1 for ratio in ratios):
        return data
    at = np.searchsorted(places.starts_ms, data.start_ms, "right")
    columns = [
        np.array(
            [_times(int(value), ratios[place]) for value, place in zip(getattr(data, name), at, strict=True)], np.int64
        )
        for name in _QUANTITIES
    ]
    return Intervals(data.start_ms, data.interval_ms, *columns)


def _times(quantity_u: int, ratio: Decimal) -> int:
    return int((quantity_u * ratio).to_integral_value(ROUND_HALF_EVEN))


def write_supplies(
    rated: Iterator[RatedSupply],
    contracts: Mapping[str, Contract],
    folder: Path,
    by_day: bool,
    result: SupplyBills,
    progress: Callable[[int], None],
) -> None:
    """Write `folder`/bills.csv and shares.csv (by day) or shares.parquet (by interval), and sum up in `result`.

    `progress` is called with the number of readings shared so far.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writer = _ShareFile(folder / ("shares.csv" if by_day else "shares.parquet"))
    done = 0
    try:
        for supply in rated:
            for bill in supply.bills():
                _add_bill(result, supply, bill)
                for rows in share_rows(supply, bill, contracts, by_day):
                    writer.write(rows)
                    _add_shares(result, supply.supply.supply_point, rows)
                    done += rows.num_rows
                    progress(done)
    finally:
        writer.close()
    _write_bills(result.bills, folder / "bills.csv")


def _add_bill(result: SupplyBills, supply: RatedSupply, bill: SharedBill) -> None:
    data, tariff = bill.charges.data, bill.charges.tariff
    energy = int(data.import_ukwh.sum()), int(data.export_ukwh.sum())
    result.bills.append(BilledCycle(supply.supply.supply_point, bill.charges.bill, tariff.currency, *energy))


def _add_shares(result: SupplyBills, supply_point: str, rows: pa.Table) -> None:
    meters = rows["meter_id"].chunk(0)
    names, index = meters.dictionary.to_pylist(), meters.indices.to_numpy()
    for column, name in enumerate(("energy_kwh", "cost")):
        values = micro(rows[name])
        for number, meter in enumerate(names):
            total = result.shared.setdefault((supply_point, meter), [0, 0])
            total[column] += int(values[index == number].sum())
    negative = int(rows["sum_check"].to_numpy().sum())
    if negative:
        result.negative_rests[supply_point] += negative


def micro(column: pa.ChunkedArray) -> np.ndarray:  # type: ignore[type-arg]
    """Return DECIMAL(18, 6) values in one chunk as integers of 1e-6: the low words of their 128 bits."""
    array = column.chunk(0)
    return np.frombuffer(array.buffers()[1], dtype="<i8")[::2][array.offset : array.offset + len(array)]


def _write_bills(bills: Sequence[BilledCycle], path: Path) -> None:
    """Write a row for each bill, with the columns of `rate` and the supply point in place of the meter."""
    with path.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(("supply_point", *BILL_COLUMNS[1:]))
        for billed in sorted(bills, key=lambda one: (one.meter_id, one.bill.start)):
            rows.writerow(billed.row())


class _ShareFile:
    """A file of shares, CSV or Parquet by its name; it is opened with the first rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parquet: pq.ParquetWriter | None = None
        self._csv = path.open("w", encoding="utf-8", newline="") if path.suffix == ".csv" else None
        self._has_header = False

    def write(self, rows: pa.Table) -> None:
        """Append rows."""
        if self._csv is not None:
            out = csv.writer(self._csv, lineterminator="\n")
            if not self._has_header:
                out.writerow(rows.column_names)
                self._has_header = True
            out.writerows(zip(*(_texts(column) for column in rows.columns), strict=True))
            return
        if self._parquet is None:
            self._parquet = pq.ParquetWriter(self.path, rows.schema)
        self._parquet.write_table(rows)

    def close(self) -> None:
        """Close the file."""
        if self._csv is not None:
            self._csv.close()
        if self._parquet is not None:
            self._parquet.close()


def _texts(column: pa.ChunkedArray) -> list[object]:
    """Return values for CSV: times in ISO 8601 (UTC), booleans in lower case."""
    values: list[object] = column.to_pylist()
    if pa.types.is_timestamp(column.type):
        return [f"{value:%Y-%m-%dT%H:%M:%SZ}" for value in values]
    if pa.types.is_boolean(column.type):
        return [str(value).lower() for value in values]
    return values
