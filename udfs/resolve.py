"""`resolve_reading`: resolves readings to their contract and tariff position (see flink_job.tariffs.resolve)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from flink_job.config import Settings
from flink_job.metering.bounds import MAX_DETAIL
from flink_job.metering.packing import ABSENT, QuantityError, multiplied
from flink_job.metering.reasons import SENSOR, Rejection, Unpriced
from flink_job.registries import rule_registry, tariff_registry
from flink_job.tariffs.calendar import CalendarError
from flink_job.tariffs.contract_cache import ContractCache, ResolvedContract
from flink_job.tariffs.registry import UnknownTariffError
from udfs.arrival_samples import ArrivalSamples, Arrived
from udfs.columns import ALERT_COLUMNS, BIGINT, BOOLEAN, INT, STRING, row_type, sparse
from udfs.metrics import Counters
from udfs.worker_memory import settle_memory

log = logging.getLogger(__name__)

#: Result columns. `reason` and `detail` are NULL for a resolved reading; else those of its price are NULL or ABSENT.
RESOLVED = dict(
    reason=STRING,  # code of Unpriced, of Rejection (FOREIGN_DEVICE, or OUT_OF_RANGE of a sensor), or SENSOR
    detail=STRING,
    segment_key=STRING,  # see flink_job.tariffs.cycle
    bill_key=STRING,
    site_path=STRING,  # qualified by the tenant
    supply=STRING,  # SupplyPlace.encoded, if the meter has one
    tou_period=INT,  # index in Tariff.periods
    updates=DataTypes.BYTES(),  # of the state of the bill, see flink_job.tariffs.plan
    demand_estimated=BOOLEAN,  # straddles two demand intervals or TOU periods
    day_start_ms=BIGINT,
    day_s=INT,
    import_packed=BIGINT,  # quantities times the multiplier of the contract (see flink_job.metering.packing)
    export_packed=BIGINT,
    reactive_import_packed=BIGINT,
    reactive_export_packed=BIGINT,
    register_packed=BIGINT,
    rollover_ukwh=BIGINT,
    highest_uw=BIGINT,  # highest power of the meter [1e-6 kW], of a register read
    tags=STRING,  # name=value, joined by ;
    contracted_uw=BIGINT,  # contracted power of the TOU period [1e-6 kW]
    heartbeats=DataTypes.ARRAY(DataTypes.STRING()),  # marks of Heartbeats
    **ALERT_COLUMNS,
)
#: Columns of RESOLVED that are attributes of TariffPosition.
_POSITION_COLUMNS = (
    "segment_key",
    "bill_key",
    "tou_period",
    "updates",
    "demand_estimated",
    "day_start_ms",
    "day_s",
)
_QUANTITIES = (
    "import_packed",
    "export_packed",
    "reactive_import_packed",
    "reactive_export_packed",
    "register_packed",
    "rollover_ukwh",
)
#: Readings of a foreign device are rejected, not unpriced, as are those of a sensor whose product is too large. They
#: have counters of their own: averages over subtasks would mix a common counter with the decoder's `rejected`.
FOREIGN_DEVICE = Rejection.FOREIGN_DEVICE.value
OUT_OF_RANGE = Rejection.OUT_OF_RANGE.value
_COUNTERS = {SENSOR: "measured", FOREIGN_DEVICE: f"rejected_{FOREIGN_DEVICE}", OUT_OF_RANGE: "rejected_sensor"}
_NO_POSITION = -1

_Resolution = tuple[ResolvedContract | None, int]
"""(contract, number of the position in the cache): a problematic reading has _NO_POSITION, and may have no contract."""
_Problems = dict[int, tuple[str, str]]
"""(reason code, detail) by row."""


class ResolveInput(NamedTuple):
    """Arguments of `resolve_reading`, columns of a batch. Integer columns have ABSENT for NULL."""

    contract: pd.Series
    device: pd.Series
    arrival: pd.Series
    revision: pd.Series
    start_ms: pd.Series
    interval_s: pd.Series
    import_packed: pd.Series
    export_packed: pd.Series
    reactive_import_packed: pd.Series
    reactive_export_packed: pd.Series
    register_packed: pd.Series
    rollover_ukwh: pd.Series
    measurements: pd.Series


class ResolveReading(ScalarFunction):  # type: ignore[misc]
    """Vectorised SQL function with the arguments of ResolveInput and the result columns RESOLVED.

    Readings also have heartbeats and pass, if they will have no cost, the pre-filter of alert rules; priced readings
    pass theirs in `price_reading`. It never raises for a contract or tariff.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, function_context: Any) -> None:
        """Create counters, registries and pre-filters of the worker."""
        self.counters = Counters(function_context, "resolved", "unpriced", *_COUNTERS.values(), "faulty_tariffs")
        self.registry = tariff_registry(self.settings.tariffs)
        rules = rule_registry(self.settings.tariffs, self.settings.job.silence_s)
        self.samples = ArrivalSamples(rules)
        self.generation = self.loads = -1
        self.lists_only = self.settings.job.require_devices
        settle_memory()

    def eval(self, *columns: pd.Series) -> pd.DataFrame:
        """Resolve a batch of readings."""
        batch = ResolveInput(*columns)
        self._refresh_cache()
        problems: _Problems = {}
        resolutions = [
            self._resolve(document, sender, interval, row, problems)
            for row, (document, sender, *interval) in enumerate(
                zip(
                    batch.contract,
                    batch.device,
                    batch.start_ms.tolist(),
                    batch.interval_s.tolist(),
                    (batch.register_packed.to_numpy(np.int64) != ABSENT).tolist(),
                    strict=True,
                )
            )
        ]
        quantities = {name: getattr(batch, name).to_numpy(np.int64) for name in _QUANTITIES}
        products = _multiplied(resolutions, quantities, problems)
        placed = self.cache.columns([number for _, number in resolutions], _POSITION_COLUMNS)
        _place_waiting(resolutions, batch.start_ms, placed)
        self._count(len(resolutions), problems)
        alerts = self._alert_columns(resolutions, batch, quantities, problems)
        return self._frame(resolutions, problems, placed, products, alerts)

    def _refresh_cache(self) -> None:
        """Count faulty tariff documents of a new load; discard cached contracts and positions if a tariff changed."""
        self.registry.refresh()
        if self.registry.loads != self.loads:
            self.loads = self.registry.loads
            self.counters.add({"faulty_tariffs": len(self.registry.faults)})
        if self.registry.generation != self.generation:
            self.generation = self.registry.generation
            self.cache = ContractCache(self.registry, self.settings.contracts.tenant)
        self.cache.start_batch()

    def _resolve(
        self, document: Any, device: str | None, interval: list[Any], row: int, problems: _Problems
    ) -> _Resolution:
        """Resolve one reading; if it cannot be resolved, add the reason to `problems`.

        `interval`: start [epoch ms], length [s], and whether it reads a register.
        """
        if document is None:
            problems[row] = (
                Unpriced.NO_CONTRACT.value,
                "no valid contract for this meter had arrived; invalid contracts are in table rejected",
            )
            return None, _NO_POSITION
        found = None
        try:
            contract = self.cache.get(document, interval[0])
            if not contract.accepts(device) or (self.lists_only and device is not None and not contract.devices):
                problems[row] = (FOREIGN_DEVICE, f"device {device} is not listed in the contract of the meter")
                return None, _NO_POSITION
            found = contract
            if contract.is_sensor:
                problems[row] = (SENSOR, "")
                return contract, _NO_POSITION
            return contract, self.cache.position(contract.terms.timeline, *interval)
        except UnknownTariffError as error:
            problems[row] = (error.code, str(error))
        except CalendarError as error:
            problems[row] = (Unpriced.CALENDAR_YEAR_MISSING.value, str(error))
        except Exception as error:  # an unexpected error of a contract or tariff leaves only its readings unpriced
            log.exception("a reading cannot be resolved")
            problems[row] = (Unpriced.UNRESOLVABLE.value, f"{type(error).__name__}: {error}"[:MAX_DETAIL])
        return found, _NO_POSITION

    def _count(self, readings: int, problems: _Problems) -> None:
        codes = Counter(code for code, _ in problems.values())
        others = {name: codes.pop(code, 0) for code, name in _COUNTERS.items()}
        unpriced = {f"unpriced_{code}": count for code, count in codes.items()}
        self.counters.add({"resolved": readings, "unpriced": codes.total(), **others, **unpriced})

    def _frame(
        self,
        resolutions: Sequence[_Resolution],
        problems: _Problems,
        placed: dict[str, Any],
        quantities: dict[str, Any],
        alerts: dict[str, Any],
    ) -> pd.DataFrame:
        """Return the result columns RESOLVED."""
        count, positions = len(resolutions), self.cache.positions
        contracts = [None if number == _NO_POSITION else contract for contract, number in resolutions]
        columns: dict[str, Any] = {
            **placed,
            **quantities,
            "reason": sparse(count, {row: code for row, (code, _) in problems.items()}),
            "detail": sparse(count, {row: detail for row, (_, detail) in problems.items()}),
            "site_path": _objects([of and of.meter.site_path for of, _ in resolutions]),
            "supply": _objects([of and of.supply for of, _ in resolutions]),
            "tags": _objects([(contract and contract.meter.tags) or None for contract in contracts]),
            "contracted_uw": np.array(
                [
                    ABSENT
                    if contract is None or contract.terms.contract is None
                    else contract.terms.contracted_uw(positions[number])
                    for contract, (_, number) in zip(contracts, resolutions, strict=True)
                ],
                dtype=np.int64,
            ),
            "highest_uw": np.array(
                [
                    ABSENT if contract is None or packed == ABSENT else contract.terms.highest_uw
                    for contract, packed in zip(contracts, quantities["register_packed"].tolist(), strict=True)
                ],
                dtype=np.int64,
            ),
            **alerts,
        }
        return pd.DataFrame({name: columns[name] for name in RESOLVED}, copy=False)

    def _alert_columns(
        self, resolutions: Sequence[_Resolution], batch: ResolveInput, quantities: dict[str, Any], problems: _Problems
    ) -> dict[str, Any]:
        """Return the columns `heartbeats` and ALERT_COLUMNS. A meter whose readings have no price has alerts, too."""
        arrived = Arrived(
            batch.start_ms,
            batch.interval_s,
            batch.revision,
            batch.arrival.to_numpy("datetime64[ms]").astype("int64"),
            batch.measurements,
            quantities,
        )
        too_large = (Unpriced.QUANTITY_OUT_OF_RANGE.value, OUT_OF_RANGE)
        is_unpriced = [
            number == _NO_POSITION and problems[row][0] not in too_large for row, (_, number) in enumerate(resolutions)
        ]
        return self.samples.columns(arrived, [contract for contract, _ in resolutions], is_unpriced)


def _place_waiting(resolutions: Sequence[_Resolution], start_ms: pd.Series, placed: dict[str, Any]) -> None:
    """Set the local days of readings that have a contract and no price: they have KPIs without a cost."""
    rows = [row for row, (contract, number) in enumerate(resolutions) if contract and number == _NO_POSITION]
    if not rows:
        return
    days = [resolutions[row][0].terms.days.day_of(int(start_ms.iloc[row])) for row in rows]  # type: ignore[union-attr]
    for name, values in (
        ("day_start_ms", [start for start, _ in days]),
        ("day_s", [(end - start) // 1000 for start, end in days]),
    ):
        column = np.array([ABSENT if value is None else value for value in placed[name]], dtype=np.int64)
        column[rows] = values
        placed[name] = column


def _multiplied(resolutions: list[Any], quantities: dict[str, Any], problems: _Problems) -> dict[str, Any]:
    """Return the quantities times the multipliers of the contracts; the same columns if no contract has one.

    A reading whose product is too large becomes unresolved, with the reason in `problems`; a sensor's is rejected.
    """
    rows = [
        row
        for row, (contract, _) in enumerate(resolutions)
        if contract is not None and contract.terms.multiplier is not None
    ]
    if not rows:
        return quantities
    products = {name: column.copy() for name, column in quantities.items()}
    for row in rows:
        try:
            for column in products.values():
                if column[row] != ABSENT:
                    column[row] = multiplied(int(column[row]), resolutions[row][0].terms.multiplier)
        except QuantityError as error:
            is_sensor = resolutions[row][0].is_sensor
            problems[row] = (OUT_OF_RANGE if is_sensor else Unpriced.QUANTITY_OUT_OF_RANGE.value, str(error))
            resolutions[row] = resolutions[row][0], _NO_POSITION
    return products


def _objects(values: list[Any]) -> Any:
    """Return a column of objects."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def resolve_reading(settings: Settings) -> Any:
    """Create the SQL function `resolve_reading`."""
    return udf(ResolveReading(settings), result_type=row_type(**RESOLVED), func_type="pandas")
