"""Readings to their place in a contract and a tariff."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from flink_job.alerts.rules import meter_of
from flink_job.config import Settings
from flink_job.metering.contract import ContractError, parse_contract
from flink_job.metering.packing import multiplied
from flink_job.metering.units import to_micro
from flink_job.tariffs.book import TariffBook, UnknownTariffError
from flink_job.tariffs.calendar import CalendarError, Timeline
from flink_job.tariffs.cycle import Segment
from flink_job.tariffs.resolve import MeterTimeline, Position
from udfs.books import refreshed, tariff_book
from udfs.columns import ABSENT, BIGINT, INT, STRING, frame, row_type
from udfs.metrics import Counters
from udfs.watching import NOTHING, WATCH, HeartbeatWatch, MeasuredWatch

PLACE = dict(
    reason=STRING,
    detail=STRING,
    segment_key=STRING,
    bill_key=STRING,
    site_path=STRING,
    tou_period=INT,
    demand_slot=INT,
    demand_start_ms=BIGINT,
    demand_window_s=INT,
    day_start_ms=BIGINT,
    day_s=INT,
    import_packed=BIGINT,
    export_packed=BIGINT,
    reactive_import_packed=BIGINT,
    reactive_export_packed=BIGINT,
    register_packed=BIGINT,
    rollover_ukwh=BIGINT,
    tags=STRING,
    contracted_uw=BIGINT,
    watched=DataTypes.ARRAY(DataTypes.STRING()),
    **WATCH,
)
_NOWHERE = (None,) * (len(PLACE) - 2)


class MeterPlace:
    """One contract, ready to place readings: its timeline, its multiplier, its contracted power."""

    def __init__(self, document: str, book: TariffBook, timelines: dict[Any, Timeline]) -> None:
        self.contract = parse_contract(document)
        self.book = book
        self.meter = meter_of(self.contract)
        self.site_path = self.contract.site_path
        self.multiplier = self.contract.multiplier
        self.timeline = MeterTimeline(self.contract, book, timelines)
        self.contracted: dict[tuple[str, int], int] = {}

    def row(self, start_ms: int, quantities: tuple[int, ...]) -> tuple[Any, ...]:
        """The columns of PLACE for a reading, but those of alerts; `quantities` are its packed ones and the dial's
        size, in order.
        """
        at = self.timeline.position(start_ms)
        quantities = tuple(None if q == ABSENT else multiplied(q, self.multiplier) for q in quantities)
        return (
            None,
            None,
            at.segment_key,
            at.bill_key,
            self.site_path,
            at.tou_period,
            at.demand_slot,
            at.demand_start_ms,
            at.demand_window_s,
            at.day_start_ms,
            at.day_s,
            *quantities,
            self.meter.tags or None,
            self._contracted_uw(at),
        )

    def _contracted_uw(self, at: Position) -> int:
        """Contracted power of the period [1e-6 kW], ABSENT where the contract names none."""
        key = (at.segment_key, at.tou_period)
        if key not in self.contracted:
            self.contracted[key] = self._contracted(at.segment, at.tou_period)
        return self.contracted[key]

    def _contracted(self, segment: Segment, tou_period: int) -> int:
        period = self.book.version(segment.tariff_id, segment.tariff_version).periods[tou_period]
        kw: dict[str, Any] = {}
        for assignment in self.contract.assignments:
            if assignment.tariff_id == segment.tariff_id and (assignment.valid_from <= segment.cycle_start or not kw):
                kw = dict(assignment.contracted_kw)
        found = kw.get(period, next(iter(kw.values())) if len(kw) == 1 else None)
        return ABSENT if found is None else to_micro(found)


class ResolveReading(ScalarFunction):  # type: ignore[misc]
    """`resolve_reading(contract, reading...)`: see flink_job.tariffs.resolve."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, function_context: Any) -> None:
        self.counters = Counters(function_context)
        self.book = tariff_book(self.settings.tariffs)
        self.measured = MeasuredWatch(self.settings)
        self.heartbeats = HeartbeatWatch(self.settings)
        self.generation = -1

    def eval(
        self,
        contract: pd.Series,
        arrival: pd.Series,
        revision: pd.Series,
        start_ms: pd.Series,
        interval_s: pd.Series,
        import_packed: pd.Series,
        export_packed: pd.Series,
        reactive_import_packed: pd.Series,
        reactive_export_packed: pd.Series,
        register_packed: pd.Series,
        rollover_ukwh: pd.Series,
        measurements: pd.Series,
    ) -> pd.DataFrame:
        refreshed(self.book)
        if self.book.generation != self.generation:
            self.generation = self.book.generation
            self.places: dict[str, MeterPlace] = {}
            self.timelines: dict[Any, Timeline] = {}
        self.measured.refresh()
        self.heartbeats.refresh()
        arrival_ms = arrival.to_numpy("datetime64[ms]").astype("int64").tolist()
        quantities = zip(
            import_packed.tolist(),
            export_packed.tolist(),
            reactive_import_packed.tolist(),
            reactive_export_packed.tolist(),
            register_packed.tolist(),
            rollover_ukwh.tolist(),
            strict=True,
        )
        rows = [
            self._row(*columns)
            for columns in zip(
                contract,
                start_ms.tolist(),
                interval_s.tolist(),
                revision.tolist(),
                quantities,
                arrival_ms,
                measurements,
                strict=True,
            )
        ]
        unpriced = Counter(f"unpriced_{row[0]}" for row in rows if row[0])
        self.counters.add({"unpriced": unpriced.total(), **unpriced})
        return frame(list(PLACE), rows)

    def _row(
        self,
        document: Any,
        start_ms: int,
        interval_s: int,
        revision: int,
        quantities: Any,
        arrival_ms: int,
        measured: Any,
    ) -> Any:
        if document is None:
            return "no_contract", "no contract for this meter had arrived", *_NOWHERE
        try:
            place = self.places.get(document)
            if place is None:
                place = self.places[document] = MeterPlace(document, self.book, self.timelines)
            watched = self.heartbeats.marks(place.meter, arrival_ms)
            seen = NOTHING
            if measured is not None and not any(q != ABSENT for q in quantities):
                seen = self.measured.observe(place.meter, start_ms, interval_s, revision, arrival_ms, measured)
            return *place.row(start_ms, quantities), watched, *seen
        except ContractError as error:
            return "bad_contract", str(error), *_NOWHERE
        except UnknownTariffError as error:
            return error.code, str(error), *_NOWHERE
        except CalendarError as error:
            return "calendar_year_missing", str(error), *_NOWHERE


def resolve_reading(settings: Settings) -> Any:
    return udf(ResolveReading(settings), result_type=row_type(**PLACE), func_type="pandas")
