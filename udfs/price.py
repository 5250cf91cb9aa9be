"""`price_reading`: the cost of readings from the accumulated state of their bills, and their alert samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pyflink.table.udf import ScalarFunction, udf

from flink_job.alerts.bill_signals import BILLS, bills_of, signals_of
from flink_job.alerts.worker_prefilters import NOTHING, Prefilters, channels_of, columns_of
from flink_job.config import Settings
from flink_job.registries import rule_registry, tariff_registry
from flink_job.tariffs.cycle import Segment, segment_of
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.model import Tariff
from flink_job.tariffs.plan import BillPlan, Counting
from flink_job.tariffs.provisional import estimated, lowered, provisional_segments, unlisted
from flink_job.tariffs.rating import marginal
from flink_job.tariffs.registry import UnknownTariffError
from flink_job.tariffs.state import STREAM_LINES, Basis, State
from flink_job.tariffs.supply_places import counting_of
from flink_job.tenants import plain
from udfs.columns import ALERT_COLUMNS, BIGINT, BOOLEAN, STRING, row_type
from udfs.metrics import Counters
from udfs.supply_samples import SUPPLY_COLUMNS, supply_samples
from udfs.worker_memory import settle_memory

#: Result columns. Amounts are 1e-6 of the currency.
PRICE = dict(
    tariff_id=STRING,
    tariff_version=STRING,
    tou_period=STRING,
    cycle_start=STRING,  # YYYY-MM-DD
    currency=STRING,
    **{f"{line}_ucost": BIGINT for line in STREAM_LINES},
    total_ucost=BIGINT,
    provisional=BOOLEAN,
    **ALERT_COLUMNS,
    **SUPPLY_COLUMNS,
)
_AMOUNTS = (*(f"{line}_ucost" for line in STREAM_LINES), "total_ucost")


class PriceInput(NamedTuple):
    """Arguments of `price_reading`, columns of a batch.

    `import_total`, `export_total`: energy of the whole interval [1e-6 kWh], ABSENT if the record has none.
    `demand`: energy of the demand interval, of two the larger [1e-6 kWh]. `contracted`: power [1e-6 kW] or ABSENT.
    `supply`: SupplyPlace.encoded, or None.
    `slots`: the slots of the bill after and before the record (see flink_job.tariffs.plan), int64 as bytes.
    """

    meter_id: pd.Series
    site_path: pd.Series
    tags: pd.Series
    arrival: pd.Series
    revision: pd.Series
    measurements: pd.Series
    import_total: pd.Series
    export_total: pd.Series
    demand: pd.Series
    contracted: pd.Series
    supply: pd.Series
    segment_key: pd.Series
    start_ms: pd.Series
    interval_s: pd.Series
    is_first: pd.Series
    is_overtaken: pd.Series
    tou_period: pd.Series
    slots: pd.Series


class _Segments(NamedTuple):
    """The billing segments of a batch with their tariffs; row i belongs to `segments[codes[i]]`."""

    codes: Ints
    segments: list[Segment]
    tariffs: list[Tariff]

    def by_tariff(self) -> Iterator[tuple[Tariff, Ints]]:
        """Yield each tariff version, as it is in a cycle, with its rows."""
        kinds = [(id(t), bool(s.power_u)) for t, s in zip(self.tariffs, self.segments, strict=True)]
        for kind, tariff in dict(zip(kinds, self.tariffs, strict=True)).items():
            yield tariff, np.flatnonzero(np.array([each == kind for each in kinds])[self.codes])

    def column(self, values: list[str]) -> Ints:
        """Return a column from the values by segment."""
        return np.array(values, dtype=object)[self.codes]


class _Costs(NamedTuple):
    """The costs of a batch: `amounts` of shape (len(_AMOUNTS), n), `bills` of shape (2, n) [currency] or NaN."""

    amounts: Ints
    provisional: Any
    tou_period: Any
    bills: Any


class PriceReading(ScalarFunction):  # type: ignore[misc]
    """Vectorised SQL function with the arguments of PriceInput and the result columns PRICE.

    A reading costs the bill after it minus the bill before it (see flink_job.tariffs.rating). Costed readings then pass
    the pre-filters of alert rules. Raises UnknownTariffError if a resolved tariff version is no longer in the registry.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, function_context: Any) -> None:
        """Create counters, registries and pre-filters of the worker."""
        self.counters = Counters(function_context)
        self.registry = tariff_registry(self.settings.tariffs)
        # Each with the version that it is made from, which keeps the id of that version in the key its own.
        self.variants: dict[tuple[int, ...], tuple[Tariff, Tariff]] = {}
        self.prefilters = Prefilters(rule_registry(self.settings.tariffs, self.settings.job.silence_s))
        settle_memory()

    def eval(self, *columns: pd.Series) -> pd.DataFrame:
        """Price a batch of readings. Those that wait for a price, without a segment, have the currency ''."""
        batch = PriceInput(*columns)
        is_priced = batch.segment_key.notna().to_numpy()
        if is_priced.all():
            return self._priced(batch)
        found = _waiting(len(is_priced))
        if is_priced.any():
            priced = self._priced(PriceInput(*(column[is_priced].reset_index(drop=True) for column in columns)))
            for name, column in found.items():
                column[is_priced] = priced[name].to_numpy()
        return pd.DataFrame(found, copy=False)

    def _priced(self, batch: PriceInput) -> pd.DataFrame:
        self.registry.refresh()
        self.prefilters.refresh()
        codes, keys = pd.factorize(batch.segment_key)
        segments = [segment_of(key) for key in keys]
        tariffs = [self._tariff(segment) for segment in segments]
        resolved = _Segments(codes, segments, tariffs)
        costs = _costs(batch, resolved, bool(self.prefilters.signals & BILLS))
        self.counters.add({"costed": len(codes)})
        currencies = resolved.column([tariff.currency for tariff in resolved.tariffs])
        samples, of_supplies = self._alert_samples(batch, costs, resolved, currencies)
        return pd.DataFrame(
            {
                "tariff_id": resolved.column([plain(s.tariff_id) for s in segments]),
                "tariff_version": resolved.column([s.tariff_version for s in segments]),
                "tou_period": costs.tou_period,
                "cycle_start": resolved.column([s.cycle_start.isoformat() for s in segments]),
                "currency": currencies,
                **dict(zip(_AMOUNTS, costs.amounts, strict=True)),
                "provisional": costs.provisional,
                **_by_name(ALERT_COLUMNS, samples),
                **_by_name(SUPPLY_COLUMNS, of_supplies),
            }
        )

    def _alert_samples(
        self, batch: PriceInput, costs: _Costs, resolved: _Segments, currencies: Any
    ) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Return the values of ALERT_COLUMNS and SUPPLY_COLUMNS by row: the samples that the pre-filters forward."""
        nothing = [NOTHING] * len(currencies)
        if not self.prefilters.signals:
            return nothing, nothing
        totals, is_behind = costs.amounts[-1], _places(batch.supply)[0]
        signals = signals_of(
            batch.interval_s.to_numpy(float),
            batch.import_total.to_numpy(np.int64),
            batch.export_total.to_numpy(np.int64),
            batch.demand.to_numpy(np.int64),
            np.array([float(tariff.demand_window_s) for tariff in resolved.tariffs])[resolved.codes],
            # The contracted power is that of the supply, not of the meters behind others.
            np.where(is_behind, -1, batch.contracted.to_numpy(np.int64)),
            totals,
            batch.is_first.to_numpy(bool),
            costs.bills,
        )
        starts, intervals, revisions = (
            column.to_numpy(np.int64).tolist() for column in (batch.start_ms, batch.interval_s, batch.revision)
        )
        arrivals = batch.arrival.to_numpy("datetime64[ms]").astype("int64").tolist()
        if self.prefilters.has_supplies:
            places = zip(batch.meter_id, batch.site_path, batch.supply, strict=True)
            samples = zip(starts, arrivals, intervals, totals.tolist(), strict=True)
            of_supplies = supply_samples(self.prefilters, places, samples, currencies, signals)
        else:
            of_supplies = nothing
        of_meters = self._prefiltered(
            zip(batch.meter_id, batch.site_path, batch.tags, strict=True),
            zip(starts, intervals, revisions, totals.tolist(), strict=True),
            arrivals,
            currencies,
            batch.measurements,
            signals,
        )
        return of_meters, of_supplies

    def _prefiltered(
        self, meters: Any, samples: Any, arrivals: list[int], currencies: Any, measurements: Any, signals: Any
    ) -> list[tuple[Any, ...]]:
        """Pass each reading through the pre-filter of its meter.

        `meters` are (id, site path, tags), `samples` (start, interval, revision, cost), `signals` columns by name.
        """
        find = self.prefilters.of_meter
        found = []
        columns = zip(meters, samples, arrivals, currencies, measurements, strict=True)
        for row, (meter, sample, arrival_ms, currency, measured) in enumerate(columns):
            at_ms, interval_s, revision, cost_u = sample
            prefilter = find(*meter)
            if prefilter is None:
                found.append(NOTHING)
                continue
            channels = channels_of(measured) if prefilter.has_channels else {}
            values = {}
            for name in prefilter.signals:
                value = signals[name][row] if name in signals else channels.get(name)
                if value is not None and value == value:  # NaN: the reading has no such value
                    values[name] = value
            forwarded = None
            if values or prefilter.has_clock_rule:
                forwarded = prefilter.observe(at_ms, interval_s, revision, cost_u, arrival_ms, currency, values)
            found.append(NOTHING if forwarded is None else columns_of(forwarded))
        return found

    def _tariff(self, segment: Segment) -> Tariff:
        """Return the tariff version as it is in a segment; the same object for segments in which it is equal."""
        try:
            version = self.registry.version(segment.tariff_id, segment.tariff_version)
        except UnknownTariffError:  # another worker has read it before this one
            self.registry.reload()
            version = self.registry.version(segment.tariff_id, segment.tariff_version)
        if not version.differs_by_segment:
            return version
        month, start = segment.cycle_start.month, segment.start
        key = (id(version), month, *(tax.applies_on(start) for tax in version.taxes))
        if key not in self.variants:
            self.variants[key] = version, version.of_segment(month, start)
        return self.variants[key][1]


def _waiting(count: int) -> dict[str, Any]:
    """Return the result columns of readings without a price."""
    columns: dict[str, Any] = {name: np.full(count, None, dtype=object) for name in PRICE}
    columns["currency"] = np.full(count, "", dtype=object)
    columns |= {name: np.zeros(count, dtype=np.int64) for name in _AMOUNTS}
    columns["provisional"] = np.zeros(count, dtype=bool)
    return columns


def _states(plan: BillPlan, slots: list[bytes]) -> tuple[State, State]:
    """Return the accumulators of bills (before, after) each reading."""
    values = np.frombuffer(b"".join(slots), dtype="<i8").reshape(len(slots), 2, plan.slots)
    after, before = np.ascontiguousarray(values.transpose(1, 2, 0))
    return plan.state(before), plan.state(after)


def _costs(batch: PriceInput, resolved: _Segments, with_bills: bool) -> _Costs:
    """Price the readings of each tariff version together; `with_bills`: compute bills for alert rules."""
    count = len(resolved.codes)
    periods = batch.tou_period.to_numpy(np.int64)
    start_ms = batch.start_ms.to_numpy(np.int64)
    end_ms = start_ms + batch.interval_s.to_numpy(np.int64) * 1000
    amounts = np.zeros((len(_AMOUNTS), count), dtype=np.int64)
    is_first = batch.is_first.to_numpy(bool)
    provisional = batch.is_overtaken.to_numpy(bool).copy()
    is_behind, is_pooled = _places(batch.supply)
    names = np.empty(count, dtype=object)
    bills, slots = np.full((2, count), np.nan), batch.slots.to_numpy()
    for tariff, rows in resolved.by_tariff():
        codes = resolved.codes[rows]
        basis = Basis.of(resolved.segments, codes, tariff)
        plan = BillPlan(tariff, resolved.segments[codes[0]].power_u)
        before, state = _states(plan, slots[rows].tolist())
        charges = marginal(tariff, basis, before, state)
        for line, amount in enumerate((*charges, charges.cost)):
            amounts[line, rows] = amount
        provisional[rows] |= provisional_segments(tariff, resolved.segments, codes)
        provisional[rows] |= unlisted(tariff, resolved.segments, codes, start_ms[rows])
        provisional[rows] |= lowered(tariff, before, state, is_first[rows]) | estimated(before, state)
        if tariff.has_demand and tariff.is_netted:
            provisional[rows] |= is_pooled[rows]
        names[rows] = np.array(tariff.periods, dtype=object)[periods[rows]]
        if with_bills and not tariff.depends_on_order:
            bills[:, rows] = bills_of(tariff, resolved.segments, codes, state, end_ms[rows])
    bills[:, is_behind] = np.nan
    return _Costs(amounts, provisional & ~is_behind, names, bills)


def _by_name(names: Iterable[str], rows: list[tuple[Any, ...]]) -> dict[str, pd.Series]:
    """Return the columns of rows by name."""
    return {name: pd.Series(c, dtype=object) for name, c in zip(names, zip(*rows, strict=True), strict=True)}


def _places(supply: pd.Series) -> tuple[Any, Any]:
    """Return (whether another meter measures the energy, too; whether the bill is that of several meters) by row."""
    if supply.isna().all():
        alone = np.zeros(len(supply), dtype=bool)
        return alone, alone
    kinds = {place: counting_of(place) for place in supply.unique()}
    found = [kinds[place] for place in supply]
    behind, pooled = (np.array([each == kind for each in found]) for kind in (Counting.BEHIND, Counting.POOLED))
    return behind, pooled


def price_reading(settings: Settings) -> Any:
    """Create the SQL function `price_reading`."""
    return udf(PriceReading(settings), result_type=row_type(**PRICE), func_type="pandas")
