"""Re-rating: cycles of the lake rated again in event-time order, and what that adds to the stream's costs.

The stream prices readings as they arrive; what depends on order, on the whole cycle or on time without readings, and
what changed after a reading was priced, is settled here: costs and adjustments add up to the exact bill.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flink_job.lake.database import open_lake
from flink_job.metering.contract import Contract
from flink_job.metering.packing import unpack
from flink_job.metering.reading import parse_reading
from flink_job.metering.units import to_micro
from flink_job.rate.run import decimals
from flink_job.tariffs.book import TariffBook, UnknownTariffError
from flink_job.tariffs.calendar import CalendarError
from flink_job.tariffs.history import Agreement, Bill, CycleError, InForce, Intervals, Terms, rate_history
from flink_job.tariffs.history.intervals import HOUR_MS
from flink_job.tariffs.history.power import ContractedPowerError
from flink_job.tariffs.history.rate import MissingSeriesError
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.prices import PriceError, PriceSeries

#: Charges of a cost row, and the lines of an exact bill that they hold.
CHARGES = {
    "energy_cost": ("energy",),
    "demand_cost": ("demand",),
    "fixed_cost": ("fixed",),
    "export_credit": ("export",),
    "other_cost": ("minimum", "reactive"),
    "tax": ("tax",),
}
_MAX_BYTES = 1_000_000
_ANY_TIME_MS = 1 << 52

Key = tuple[str, str, str]
"""(cycle start YYYY-MM-DD, tariff_id, version)."""


class Streamed(NamedTuple):
    """What the stream charged for a cycle under one version [1e-6 currency]."""

    charges: Mapping[str, int]
    provisional: int
    lowered: int


@dataclass(frozen=True)
class Adjustment:
    """One cycle of one meter under one version: stream + adjustment = exact, by charge [1e-6 currency]."""

    meter_id: str
    site_path: str
    key: Key
    currency: str
    cycle_end: date
    is_open: bool
    streamed: Mapping[str, int]
    exact: Mapping[str, int]
    reasons: Mapping[str, str]

    def of(self, charge: str) -> int:
        return self.exact.get(charge, 0) - self.streamed.get(charge, 0)

    @property
    def total(self) -> int:
        return sum(self.of(charge) for charge in CHARGES)

    @property
    def changes(self) -> Mapping[str, int]:
        """The charges that differ."""
        return {charge: self.of(charge) for charge in CHARGES if self.of(charge)}

    @property
    def why(self) -> str:
        """The reasons of the charges that differ; taxes follow the others."""
        charges = [charge for charge in self.changes if charge != "tax"] or list(self.changes)
        return "; ".join(dict.fromkeys(self.reasons.get(charge, self.reasons[""]) for charge in charges))


@dataclass
class Rerated:
    """All cycles, and the meters that could not be rated, with the reason."""

    adjustments: list[Adjustment] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def rerate(
    lake: Path, contracts: Mapping[str, Contract], book: TariffBook, series: Mapping[str, PriceSeries], meter: str = ""
) -> Rerated:
    """Rate every cycle of the lake (or of one meter) again. Raises LakeError.

    A cycle that ends after the lake's last reading is open: time is charged until that reading's end.
    """
    result = Rerated()
    with open_lake(lake) as connection:
        _prepare(connection)
        until_ms = _scalar(connection, "SELECT MAX(epoch_ms(interval_start) + interval_s * 1000) FROM costs")
        for meter_id in _meters(connection, meter):
            contract = contracts.get(meter_id)
            if contract is None:
                result.problems[meter_id] = "no contract"
                continue
            try:
                result.adjustments += _rerate_meter(connection, contract, book, series, until_ms)
            except (
                CycleError,
                CalendarError,
                ContractedPowerError,
                MissingSeriesError,
                PriceError,
                UnknownTariffError,
            ) as error:
                result.problems[meter_id] = str(error)
    return result


def _rerate_meter(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    book: TariffBook,
    series: Mapping[str, PriceSeries],
    until_ms: int,
) -> Iterator[Adjustment]:
    data = _intervals(connection, contract)
    terms = Terms(ZoneInfo(contract.timezone), contract.billing_day, until_ms=until_ms)
    history = rate_history(agreements(contract, book), terms, data, series)
    bills = {(bill.cycle_start.isoformat(), bill.tariff_id, bill.version): bill for bill in history.bills}
    streamed = _streamed(connection, contract.meter_id)
    gaps = _unmeasured_ms(history.intervals, bills, terms)
    for key in sorted(bills.keys() | streamed.keys()):
        bill, before = bills.get(key), streamed.get(key)
        cycle_end = terms.cycle_at(date.fromisoformat(key[0]))[1]
        tariff = book.version(key[1], key[2])
        exact = {} if bill is None else {c: sum(bill.lines[line] for line in lines) for c, lines in CHARGES.items()}
        yield Adjustment(
            contract.meter_id,
            contract.site_path,
            key,
            tariff.currency,
            cycle_end,
            _ends_ms(cycle_end, terms) > until_ms,
            {} if before is None else before.charges,
            exact,
            _reasons(tariff, bill, before, gaps.get(key, 0)),
        )


def agreements(contract: Contract, book: TariffBook) -> InForce:
    """A contract's assignments, with the version of each tariff in force."""

    def in_force(day: date) -> Agreement:
        following: date | None = None
        for assignment in reversed(contract.assignments):
            if assignment.valid_from <= day:
                try:
                    tariff, since, until = book.in_force(assignment.tariff_id, day)
                except UnknownTariffError as error:
                    raise CycleError(str(error)) from None
                ends = [d for d in (until, following) if d is not None]
                power = {period: to_micro(kw) for period, kw in assignment.contracted_kw.items()}
                return Agreement(tariff, max(since, assignment.valid_from), min(ends, default=None), power)
            following = assignment.valid_from
        raise CycleError(f"the contract of {contract.meter_id} begins on {following}")

    return in_force


def _reasons(tariff: Tariff, bill: Bill | None, before: Streamed | None, unmeasured_ms: int) -> Mapping[str, str]:
    """Why a charge of the exact bill may differ from the stream's costs; "" is the reason of those not named."""
    changed = "the contract or the tariff was changed after these readings were priced"
    beyond, left = ", ".join(tariff.beyond_stream()), ", ".join(tariff.left_to_batch())
    if bill is None or (before is None and not beyond):
        return {"": changed}
    if beyond:
        return {"": f"the stream does not price {beyond}"}
    assert before is not None
    found = {"": f"left to the batch layer: {left}" if left else "a correction or a change of prices"}
    if tariff.depends_on_order:
        found["energy_cost"] = "tiers fill in order of time, not of arrival"
    if before.lowered and not left:
        found["demand_cost"] = f"{before.lowered} corrections lowered a quantity: a peak cannot shrink in the stream"
    if unmeasured_ms and tariff.fixed:
        found["fixed_cost"] = f"{unmeasured_ms / HOUR_MS:.2f} h without readings"
    return found


def _intervals(connection: duckdb.DuckDBPyConnection, contract: Contract) -> Intervals:
    """Quantities of every interval after all corrections: costed ones, and those that the stream could not price."""
    rows = connection.execute(
        "SELECT * EXCLUDE meter_id FROM intervals WHERE meter_id = ? ORDER BY start_ms",
        [contract.meter_id],
    ).fetchall()
    found = {row[0]: [row[1], *(to_micro(quantity) for quantity in row[2:])] for row in rows}
    found |= {start: row for start, row in _unpriced(connection, contract).items() if start not in found}
    columns = np.array([[start, *found[start]] for start in sorted(found)], dtype=np.int64).T
    return Intervals(columns[0], columns[1] * 1000, *columns[2:])


def _unpriced(connection: duckdb.DuckDBPyConnection, contract: Contract) -> dict[int, list[int]]:
    """Readings of the table `unpriced`, the highest revision of each quantity, times the contract's multiplier."""
    newest: dict[int, list[int]] = {}
    rows = connection.execute("SELECT payload FROM unpriced WHERE meter_id = ?", [contract.meter_id]).fetchall()
    for (payload,) in rows:
        reading = parse_reading(b64decode(payload), _ANY_TIME_MS, _MAX_BYTES, 0)
        if reading.start_ms is None or reading.register_packed is not None:
            continue
        row = newest.setdefault(reading.start_ms, [reading.interval_s or 0, -1, -1, -1, -1])
        packed = (
            reading.import_packed,
            reading.export_packed,
            reading.reactive_import_packed,
            reading.reactive_export_packed,
        )
        row[1:] = [max(old, -1 if new is None else new) for old, new in zip(row[1:], packed, strict=True)]
    return {
        start: [row[0], *(0 if p < 0 else int(Decimal(unpack(p)[1]) * contract.multiplier) for p in row[1:])]
        for start, row in newest.items()
    }


def _streamed(connection: duckdb.DuckDBPyConnection, meter_id: str) -> dict[Key, Streamed]:
    rows = connection.execute("SELECT * EXCLUDE meter_id FROM streamed WHERE meter_id = ?", [meter_id]).fetchall()
    return {
        (row[0], row[1], row[2]): Streamed(
            dict(zip(CHARGES, map(to_micro, row[5:]), strict=True)), provisional=row[3], lowered=row[4]
        )
        for row in rows
    }


def _unmeasured_ms(data: Intervals, bills: Mapping[Key, Bill], terms: Terms) -> dict[Key, int]:
    """Time of each bill that no interval covers [ms]."""
    found = {}
    for key, bill in bills.items():
        begin, end = _ends_ms(bill.start, terms), min(_ends_ms(bill.end, terms), terms.until_ms or 1 << 62)
        inside = (data.start_ms >= begin) & (data.start_ms < end)
        found[key] = max(0, end - begin - int(data.interval_ms[inside].sum()))
    return found


def _ends_ms(day: date, terms: Terms) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=terms.zone).astimezone(UTC).timestamp() * 1000)


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Intervals after all corrections, and the stream's charges by cycle, once for all meters."""
    sums = ", ".join(f"SUM({charge})" for charge in CHARGES)
    connection.execute(
        """
        CREATE TEMP TABLE intervals AS
        SELECT meter_id, epoch_ms(interval_start) AS start_ms, MAX(interval_s), SUM(energy_kwh), SUM(export_kwh),
          SUM(reactive_kvarh), SUM(reactive_export_kvarh)
        FROM costs GROUP BY meter_id, interval_start
        """
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE streamed AS
        SELECT meter_id, cycle_start, tariff_id, tariff_version, COUNT(*) FILTER (WHERE provisional),
          COUNT(*) FILTER (WHERE energy_kwh < 0), {sums}
        FROM costs GROUP BY meter_id, cycle_start, tariff_id, tariff_version
        """
    )


def write_adjustments(adjustments: Sequence[Adjustment], folder: Path) -> None:
    """`folder`/adjustments.parquet, instead of the one before: a row for each cycle that differs."""
    rows = [a for a in adjustments if a.changes]
    micro = {
        **{charge: [a.of(charge) for a in rows] for charge in CHARGES},
        "cost": [a.total for a in rows],
        "streamed_cost": [sum(a.streamed.values()) for a in rows],
        "exact_cost": [sum(a.exact.values()) for a in rows],
    }
    columns: dict[str, Any] = {
        "meter_id": [a.meter_id for a in rows],
        "site_path": [a.site_path for a in rows],
        "cycle_start": [a.key[0] for a in rows],
        "cycle_end": [a.cycle_end.isoformat() for a in rows],
        "tariff_id": [a.key[1] for a in rows],
        "tariff_version": [a.key[2] for a in rows],
        **{name: decimals(np.array(values, dtype=np.int64)) for name, values in micro.items()},
        "currency": [a.currency for a in rows],
        "is_open": pa.array([a.is_open for a in rows], pa.bool_()),
        "reason": [a.why for a in rows],
    }
    arrays = [c if isinstance(c, pa.Array) else pa.array(c, pa.string()) for c in columns.values()]
    pq.write_table(pa.Table.from_arrays(arrays, names=list(columns)), folder / "adjustments.parquet")


def _meters(connection: duckdb.DuckDBPyConnection, meter: str) -> list[str]:
    rows = connection.execute(
        """
        SELECT DISTINCT meter_id FROM (
          SELECT meter_id FROM costs UNION SELECT meter_id FROM unpriced WHERE reason = 'batch_only_tariff'
        ) WHERE ? = '' OR meter_id = ? ORDER BY meter_id
        """,
        [meter, meter],
    ).fetchall()
    return [row[0] for row in rows]


def _scalar(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    (row,) = connection.execute(sql).fetchall()
    return row[0]
