"""Explains bills and costs of the lake: the readings of a meter after all corrections, and its stored amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from flink_job.billing.agreements import Book
from flink_job.billing.explain import Metered, explain_bill, explain_reading
from flink_job.billing.explain_arrival import Arrived, cost_as_it_came
from flink_job.billing.measured import intervals_of, last_instant_ms, meters_in, prepare
from flink_job.billing.metered_supply import Place, billed, explain_share, metered_supply, place_of, zone_of_name
from flink_job.lake.database import open_lake
from flink_job.lake.selection import Selection
from flink_job.metering.units import to_micro
from flink_job.metering.zones import local_midnight_ms, zone_named
from flink_job.schemas import ADJUSTMENTS
from flink_job.tariffs.explain import Explanation, ExplanationError
from flink_job.tariffs.history import Intervals
from flink_job.tenants import plain, qualified, tenant_of

#: Tables and views that explanations read.
TABLES = frozenset({"costs", "unpriced", "unpriced_rows", "register_reads", ADJUSTMENTS.name, "readings_15m"})
#: Rows that are in the bill of a supply point.
_SUPPLY = "tenant = ? AND COALESCE(supply_point, meter_id) = ? AND COALESCE(role, 'main') IN ('main', 'part')"


@dataclass(frozen=True)
class Lake:
    """A folder of output tables, with the contracts and tariffs that priced them. Names are qualified by tenant."""

    folder: Path
    book: Book

    def bill(self, name: str, day: date) -> Sequence[Explanation]:
        """Return the derivation of the exact bill of a supply point with a local day, with what is stored as a note.

        A main or part names its supply point. Raises ExplanationError if the stored bill is settled and differs.
        """
        with self._open() as connection:
            place = billed(place_of(self.book, name, local_midnight_ms(day, zone_named(self.zone(name)))))
            metered = self._metered(connection, place)
            return [_compared(connection, place.supply.supply_point, each) for each in explain_bill(metered, day)]

    def reading(self, reading_id: str) -> Explanation:
        """Return the derivation of the stored cost of a reading, in order of arrival.

        If the bills before and after it do not explain it to the last digit, that of the exact cost in order of time.
        """
        with self._open() as connection:
            found = connection.execute(
                "SELECT tenant, meter_id, epoch_ms(interval_start) FROM costs WHERE reading_id = ?", [reading_id]
            ).fetchone()
            if found is None:
                raise ExplanationError(
                    f"no reading {reading_id!r} in table costs: {_whereabouts(connection, reading_id)}"
                )
            meter_id, start_ms = qualified(found[0], found[1]), int(found[2])
            exact = self._interval(connection, meter_id, start_ms)
            place = place_of(self.book, meter_id, start_ms)
            if place.is_submeter:
                return exact
            arrived = cost_as_it_came(connection, self._metered(connection, place), reading_id)
            return exact if arrived is None else _as_it_came(exact, arrived, reading_id)

    def interval(self, meter_id: str, start_ms: int) -> Explanation:
        """Return the derivation of the exact cost of an interval of a meter."""
        with self._open() as connection:
            return self._interval(connection, meter_id, start_ms)

    def zone(self, name: str) -> str:
        """Return the time zone of a meter's contract, or of a supply point. Raises ExplanationError."""
        return zone_of_name(self.book, name)

    def _interval(self, connection: duckdb.DuckDBPyConnection, meter_id: str, start_ms: int) -> Explanation:
        place = place_of(self.book, meter_id, start_ms)
        if place.is_submeter:
            readings, until_ms = self._readings(connection, place), last_instant_ms(connection)
            return explain_share(place, readings, self.book, start_ms, until_ms)
        explanation = explain_reading(self._metered(connection, place), start_ms)
        stored = _records(connection, place.supply.supply_point, start_ms, explanation.amount)
        return replace(explanation, notes=[*explanation.notes, *stored])

    def _open(self) -> duckdb.DuckDBPyConnection:
        connection = open_lake(self.folder, Selection())
        prepare(connection)
        return connection

    def _metered(self, connection: duckdb.DuckDBPyConnection, place: Place) -> Metered:
        """Return the load of a supply of the lake. Raises ExplanationError."""
        return metered_supply(place, self._readings(connection, place), self.book, last_instant_ms(connection))

    def _readings(self, connection: duckdb.DuckDBPyConnection, place: Place) -> dict[str, Intervals]:
        """Return the readings of the meters of a supply. Raises ExplanationError if it has none."""
        found = meters_in(connection) & set(place.supply.meters)
        if not found:
            name = plain(place.supply.supply_point)
            raise ExplanationError(f"supply point {name!r} has no readings in the lake")
        return {meter: intervals_of(connection, self.book.contracts[meter])[0] for meter in found}


def _as_it_came(exact: Explanation, arrived: Arrived, reading_id: str) -> Explanation:
    """Return the explanation of a record's stored cost, with the notes of the exact cost of its interval."""
    facts = {**exact.facts, "order": f"of arrival; records of this bill that came before: {arrived.earlier:,}"}
    notes = [note for note in exact.notes if not note.startswith("the last reading")]
    notes.insert(0, f"in order of time, as settled, the interval costs {exact.amount / 1e6:,.6f} {exact.currency}")
    explanation = Explanation(f"stored cost of reading {reading_id}", exact.currency, facts, arrived.lines, notes)
    return explanation.check({line.name: line.amount for line in arrived.lines})


def _compared(connection: duckdb.DuckDBPyConnection, supply_point: str, explanation: Explanation) -> Explanation:
    """Return the explanation of a bill with a note of its stored costs. Raises ExplanationError."""
    key = [
        tenant_of(supply_point),
        plain(supply_point),
        *(explanation.facts[name] for name in ("cycle start", "tariff", "version")),
    ]
    where = f"WHERE {_SUPPLY} AND cycle_start = ? AND tariff_id = ? AND tariff_version = ?"
    sums = [
        connection.execute(f"SELECT COUNT(*), COALESCE(SUM(cost), 0) FROM {table} {where}", key).fetchall()[0]
        for table in ("costs", ADJUSTMENTS.name)
    ]
    (_, streamed), (adjustments, adjusted) = ((int(count), to_micro(cost)) for count, cost in sums)
    missing = explanation.amount - streamed - adjusted
    shown = f"costs {streamed / 1e6:,.6f} + adjustments {adjusted / 1e6:,.6f}"
    if missing and adjustments:
        raise ExplanationError(
            f"{explanation.title} is {explanation.amount / 1e6:,.6f}, and stored are {shown}, "
            f"{missing / 1e6:+,.6f} less: readings, contract or tariff changed after it was settled; run `settle`"
        )
    note = (
        "equal to the last digit" if not missing else f"settlement (`settle`) will adjust it by {missing / 1e6:+,.6f}"
    )
    return replace(explanation, notes=[*explanation.notes, f"stored: {shown}: {note}"])


def _records(connection: duckdb.DuckDBPyConnection, supply_point: str, start_ms: int, exact: int) -> list[str]:
    """Return notes of the records of an interval: what the stream priced each at, as it came."""
    rows = connection.execute(
        "SELECT revision, energy_kwh, cost, provisional, arrival FROM costs "
        f"WHERE {_SUPPLY} AND epoch_ms(interval_start) = ? ORDER BY costed_at, revision",
        [tenant_of(supply_point), plain(supply_point), start_ms],
    ).fetchall()
    notes = [
        f"stored: revision {revision} of {kwh:,.6f} kWh cost {cost:,.6f}{', provisional' if provisional else ''}"
        for revision, kwh, cost, provisional, _ in rows
    ]
    difference = exact - sum(to_micro(row[2]) for row in rows)
    if difference:
        notes.append(
            f"the stream priced it in order of arrival, with {-difference / 1e6:+,.6f} against this derivation in "
            "order of time; the sum of the cycle after settlement is the same"
        )
    return notes


def _whereabouts(connection: duckdb.DuckDBPyConnection, reading_id: str) -> str:
    """Return where else a reading is."""
    for table in ("duplicates", "unpriced"):
        sql = (
            f"SELECT reason FROM {table} WHERE reading_id = ?"
            if table == "unpriced"
            else (f"SELECT 'it changed nothing' FROM {table} WHERE reading_id = ?")
        )
        found = connection.execute(sql, [reading_id]).fetchone()
        if found:
            return f"it is in table {table} ({found[0]})"
    return "reading ids are in column reading_id of `costs`; METER@START names an interval"
