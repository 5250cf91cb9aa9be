"""Readings to their place in a contract and a tariff."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from flink_job.alerts.heartbeats import HeartbeatTracker
from flink_job.alerts.worker_prefilters import ChannelPrefilter
from flink_job.config import Settings
from flink_job.metering.bounds import MAX_DETAIL
from flink_job.metering.packing import QuantityError, multiplied
from flink_job.registries import rule_registry, tariff_registry
from flink_job.tariffs.calendar import CalendarError
from flink_job.tariffs.placement import MeterPlace, Places
from flink_job.tariffs.registry import UnknownTariffError
from udfs.columns import ABSENT, ALERT_COLUMNS, BIGINT, INT, STRING, row_type
from udfs.metrics import Counters
from udfs.worker_memory import settle_memory

log = logging.getLogger(__name__)

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
    heartbeats=DataTypes.ARRAY(DataTypes.STRING()),
    **ALERT_COLUMNS,
)
#: Columns of PLACE that readings of the same terms and beginning have in common.
_OF_POSITION = (
    "segment_key",
    "bill_key",
    "tou_period",
    "demand_slot",
    "demand_start_ms",
    "demand_window_s",
    "day_start_ms",
    "day_s",
)
_OF_READING = (
    "import_packed",
    "export_packed",
    "reactive_import_packed",
    "reactive_export_packed",
    "register_packed",
    "rollover_ukwh",
)
#: Of readings that are rejected, not unpriced: a device that the meter's contract does not list sent them. They have a
#: counter of their own: averages over subtasks would mix this operator's counter with the decoder's `rejected`.
FOREIGN_DEVICE = "foreign_device"
#: A reading that has no place: no contract, no position.
_NOWHERE = (None, -1)


class ResolveReading(ScalarFunction):  # type: ignore[misc]
    """`resolve_reading(contract, device, reading...)`: see flink_job.tariffs.resolve. ABSENT stands for NULL in
    the integer columns of the result.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, function_context: Any) -> None:
        self.counters = Counters(function_context, "resolved", "unpriced", f"rejected_{FOREIGN_DEVICE}")
        self.registry = tariff_registry(self.settings.tariffs)
        rules = rule_registry(self.settings.tariffs, self.settings.job.silence_s)
        self.measured = ChannelPrefilter(rules)
        self.heartbeats = HeartbeatTracker(rules, self.settings.job.silence_s)
        self.generation = -1
        settle_memory()

    def eval(
        self,
        contract: pd.Series,
        device: pd.Series,
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
        self.registry.refresh()
        if self.registry.generation != self.generation:
            self.generation = self.registry.generation
            self.places = Places(self.registry, self.settings.contracts.tenant)
        self.places.start_batch()
        problems: dict[int, tuple[str, str]] = {}
        found = [
            self._find(document, sender, start, row, problems)
            for row, (document, sender, start) in enumerate(zip(contract, device, start_ms.tolist(), strict=True))
        ]
        quantities = {
            name: column.to_numpy(np.int64)
            for name, column in zip(
                _OF_READING,
                (
                    import_packed,
                    export_packed,
                    reactive_import_packed,
                    reactive_export_packed,
                    register_packed,
                    rollover_ukwh,
                ),
                strict=True,
            )
        }
        multiplied_quantities = _multiplied(found, quantities, problems)
        self._count(len(found), problems)
        places = [place for place, _ in found]
        watched = self._watch(places, arrival, start_ms, interval_s, revision, measurements, quantities)
        return self._frame(found, problems, multiplied_quantities, watched)

    def _find(
        self, document: Any, device: str | None, start_ms: int, row: int, problems: dict[int, tuple[str, str]]
    ) -> tuple[MeterPlace | None, int]:
        """(place, number of its position) of a reading; where it has none, `problems` tells why."""
        if document is None:
            problems[row] = (
                "no_contract",
                "no valid contract for this meter had arrived; see rejected for invalid ones",
            )
            return _NOWHERE
        try:
            place = self.places.of(document)
            if not place.may_speak(device):
                problems[row] = (FOREIGN_DEVICE, f"the contract does not list {device} among the meter's devices")
                return _NOWHERE
            return place, self.places.position(place.agreed.terms, start_ms)
        except UnknownTariffError as error:
            problems[row] = (error.code, str(error))
        except CalendarError as error:
            problems[row] = ("calendar_year_missing", str(error))
        except Exception as error:  # one contract or tariff that was not foreseen leaves its own readings unpriced
            log.exception("a reading cannot be resolved")
            problems[row] = ("unresolvable", f"{type(error).__name__}: {error}"[:MAX_DETAIL])
        return _NOWHERE

    def _count(self, readings: int, problems: dict[int, tuple[str, str]]) -> None:
        unpriced = Counter(f"unpriced_{code}" for code, _ in problems.values() if code != FOREIGN_DEVICE)
        foreign = len(problems) - unpriced.total()
        counts = {"resolved": readings, "unpriced": unpriced.total(), f"rejected_{FOREIGN_DEVICE}": foreign}
        self.counters.add({**counts, **unpriced})

    def _frame(self, found: Any, problems: Any, quantities: dict[str, Any], watched: Any) -> pd.DataFrame:
        numbers = [number for _, number in found]
        positions = self.places.positions
        columns: dict[str, Any] = {
            **self.places.columns(numbers, _OF_POSITION),
            **quantities,
            "reason": _sparse(len(found), {row: code for row, (code, _) in problems.items()}),
            "detail": _sparse(len(found), {row: detail for row, (_, detail) in problems.items()}),
            "site_path": _texts([place and place.meter.site_path for place, _ in found]),
            "tags": _texts([(place and place.meter.tags) or None for place, _ in found]),
            "contracted_uw": np.array(
                [
                    ABSENT
                    if place is None or place.agreed.contract is None
                    else place.agreed.contracted_uw(positions[number])
                    for place, number in found
                ],
                dtype=np.int64,
            ),
            **watched,
        }
        return pd.DataFrame({name: columns[name] for name in PLACE}, copy=False)

    def _watch(
        self,
        places: Any,
        arrival: Any,
        start_ms: Any,
        interval_s: Any,
        revision: Any,
        measurements: Any,
        quantities: Any,
    ) -> dict[str, Any]:
        """Marks of silence rules, and what measured channels alone have to tell alert rules."""
        self.measured.refresh()
        self.heartbeats.refresh()
        count = len(places)
        arrival_ms = arrival.to_numpy("datetime64[ms]").astype("int64")
        marks: dict[int, Any] = {}
        if self.heartbeats.needed:
            for row, (place, at_ms) in enumerate(zip(places, arrival_ms.tolist(), strict=True)):
                if place is not None:
                    marks[row] = self.heartbeats.marks(place.meter, at_ms)
        seen: dict[int, tuple[Any, ...]] = {}
        if self.measured.needed:
            carries = np.any([column != ABSENT for column in quantities.values()], axis=0)
            for row in np.flatnonzero(measurements.notna().to_numpy() & ~carries).tolist():
                if places[row] is not None:
                    seen[row] = self.measured.observe(
                        places[row].meter,
                        int(start_ms.iloc[row]),
                        int(interval_s.iloc[row]),
                        int(revision.iloc[row]),
                        int(arrival_ms[row]),
                        measurements.iloc[row],
                    )
        told = {
            name: _sparse(count, {row: columns[at] for row, columns in seen.items()})
            for at, name in enumerate(ALERT_COLUMNS)
        }
        return {"heartbeats": _sparse(count, marks), **told}


def _multiplied(found: Any, quantities: dict[str, Any], problems: dict[int, tuple[str, str]]) -> dict[str, Any]:
    """Quantities times the multipliers of their contracts; a column in which none is stays the same.

    A reading whose product is too large loses its place, and `problems` tells why.
    """
    rows = [row for row, (place, _) in enumerate(found) if place is not None and place.agreed.multiplier is not None]
    if not rows:
        return quantities
    products = {name: column.copy() for name, column in quantities.items()}
    for row in rows:
        try:
            for column in products.values():
                if column[row] != ABSENT:
                    column[row] = multiplied(int(column[row]), found[row][0].agreed.multiplier)
        except QuantityError as error:
            problems[row] = ("quantity_out_of_range", str(error))
            found[row] = _NOWHERE
    return products


def _sparse(count: int, values: dict[int, Any]) -> Any:
    """A column of NULLs with a few values, by row."""
    column = np.full(count, None, dtype=object)
    for row, value in values.items():
        column[row] = value
    return column


def _texts(values: list[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def resolve_reading(settings: Settings) -> Any:
    return udf(ResolveReading(settings), result_type=row_type(**PLACE), func_type="pandas")
