"""Readings to their place in a contract and a tariff."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pandas as pd
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from flink_job.alerts.rules import POWER_KW, Rule
from flink_job.config import Tariffs
from flink_job.metering.contract import ContractError, parse_contract
from flink_job.metering.packing import multiplied, unpack
from flink_job.tariffs.book import TariffBook, UnknownTariffError
from flink_job.tariffs.calendar import CalendarError, Timeline
from flink_job.tariffs.resolve import MeterTimeline
from udfs.books import alert_rules, refreshed, tariff_book
from udfs.columns import ABSENT, BIGINT, INT, STRING, frame, row_type
from udfs.metrics import Counters

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
    checks=DataTypes.ARRAY(DataTypes.STRING()),
)
_NOWHERE = (None,) * (len(PLACE) - 2)


class MeterPlace:
    """One contract, ready to place readings: its timeline, its multiplier, its rules."""

    def __init__(
        self, document: str, book: TariffBook, timelines: dict[Any, Timeline], rules: tuple[Rule, ...]
    ) -> None:
        contract = parse_contract(document)
        self.site_path = contract.site_path
        self.multiplier = contract.multiplier
        self.timeline = MeterTimeline(contract, book, timelines)
        self.rules = tuple(rule for rule in rules if rule.matches(contract.site_path))

    def row(self, start_ms: int, interval_s: int, quantities: tuple[int, ...], measurements: str | None) -> Any:
        """The columns of PLACE for a reading; `quantities` are its packed ones and the dial's size, in order."""
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
            self._checks(quantities[0], interval_s, measurements) if self.rules else None,
        )

    def _checks(self, import_packed: int | None, interval_s: int, measurements: str | None) -> list[str] | None:
        measured = json.loads(measurements) if measurements else {}
        if import_packed is not None:
            measured[POWER_KW] = unpack(import_packed)[1] * 3.6e-3 / interval_s
        return [rule.check(measured[rule.channel]) for rule in self.rules if rule.channel in measured] or None


class ResolveReading(ScalarFunction):  # type: ignore[misc]
    """`resolve_reading(contract, reading...)`: see flink_job.tariffs.resolve."""

    def __init__(self, tariffs: Tariffs) -> None:
        self.tariffs = tariffs

    def open(self, function_context: Any) -> None:
        self.counters = Counters(function_context)
        self.book = tariff_book(self.tariffs)
        self.rules = alert_rules(self.tariffs)
        self.generation = -1

    def eval(
        self,
        contract: pd.Series,
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
            for columns in zip(contract, start_ms.tolist(), interval_s.tolist(), quantities, measurements, strict=True)
        ]
        unpriced = Counter(f"unpriced_{row[0]}" for row in rows if row[0])
        self.counters.add({"unpriced": unpriced.total(), **unpriced})
        return frame(list(PLACE), rows)

    def _row(self, document: Any, start_ms: int, interval_s: int, quantities: Any, measurements: Any) -> Any:
        if document is None:
            return "no_contract", "no contract for this meter had arrived", *_NOWHERE
        try:
            place = self.places.get(document)
            if place is None:
                place = self.places[document] = MeterPlace(document, self.book, self.timelines, self.rules)
            return place.row(start_ms, interval_s, quantities, measurements)
        except ContractError as error:
            return "bad_contract", str(error), *_NOWHERE
        except UnknownTariffError as error:
            return error.code, str(error), *_NOWHERE
        except CalendarError as error:
            return "calendar_year_missing", str(error), *_NOWHERE


def resolve_reading(tariffs: Tariffs) -> Any:
    return udf(ResolveReading(tariffs), result_type=row_type(**PLACE), func_type="pandas")
