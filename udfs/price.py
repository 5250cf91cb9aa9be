"""States of a bill to the cost of the reading between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pyflink.table.udf import ScalarFunction, udf

from flink_job.alerts.bill_signals import BILLS, bills_of, signals_of
from flink_job.alerts.worker_prefilters import NOTHING, Prefilters, channels_of, columns_of
from flink_job.config import Settings
from flink_job.registries import rule_registry, tariff_registry
from flink_job.tariffs.cycle import Segment, segment_of
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.model import MAX_DEMAND_PERIODS, MAX_PERIODS, Tariff
from flink_job.tariffs.rating import marginal
from flink_job.tariffs.registry import UnknownTariffError
from flink_job.tariffs.state import Basis, State
from flink_job.tenants import plain
from udfs.columns import ALERT_COLUMNS, BIGINT, BOOLEAN, STRING, row_type
from udfs.metrics import Counters
from udfs.worker_memory import settle_memory

PRICE = dict(
    tariff_id=STRING,
    tariff_version=STRING,
    tou_period=STRING,
    cycle_start=STRING,
    currency=STRING,
    energy_ucost=BIGINT,
    demand_ucost=BIGINT,
    fixed_ucost=BIGINT,
    export_ucost=BIGINT,
    tax_ucost=BIGINT,
    total_ucost=BIGINT,
    provisional=BOOLEAN,
    **ALERT_COLUMNS,
)
_AMOUNTS = ("energy_ucost", "demand_ucost", "fixed_ucost", "export_ucost", "tax_ucost", "total_ucost")
_SLOTS = MAX_DEMAND_PERIODS + 1


class PriceReading(ScalarFunction):  # type: ignore[misc]
    """`price_reading(...)`: see flink_job.tariffs.rating. The states come as sums after the reading and its own part,
    the peaks after and before it. With the costs known, the readings go through the pre-filters of alert rules.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def open(self, function_context: Any) -> None:
        self.counters = Counters(function_context)
        self.registry = tariff_registry(self.settings.tariffs)
        self.prefilters = Prefilters(rule_registry(self.settings.tariffs, self.settings.job.silence_s))
        settle_memory()

    def eval(
        self,
        meter_id: pd.Series,
        site_path: pd.Series,
        tags: pd.Series,
        arrival: pd.Series,
        revision: pd.Series,
        measurements: pd.Series,
        import_total: pd.Series,
        export_total: pd.Series,
        demand: pd.Series,
        demand_window_s: pd.Series,
        contracted: pd.Series,
        segment_key: pd.Series,
        start_ms: pd.Series,
        interval_s: pd.Series,
        is_first: pd.Series,
        is_overtaken: pd.Series,
        tou_period: pd.Series,
        imported: pd.Series,
        exported: pd.Series,
        *accumulated: pd.Series,
    ) -> pd.DataFrame:
        self.registry.refresh()
        codes, keys = pd.factorize(segment_key)
        segments = [segment_of(key) for key in keys]
        tariffs = [self._tariff(segment) for segment in segments]
        sums = [column.to_numpy(np.int64) for column in accumulated]
        periods = tou_period.to_numpy(np.int64)
        before, after = _states(sums, periods, imported.to_numpy(np.int64), exported.to_numpy(np.int64))
        start = start_ms.to_numpy(np.int64)
        end = start + interval_s.to_numpy(np.int64) * 1000
        amounts = np.zeros((len(_AMOUNTS), len(codes)), dtype=np.int64)
        provisional = is_overtaken.to_numpy(bool).copy()
        falls = imported.to_numpy(np.int64) < 0
        names = np.empty(len(codes), dtype=object)
        self.prefilters.refresh()
        needed = self.prefilters.signals
        bills = np.full((2, len(codes)), np.nan)
        for tariff in {(t.tariff_id, t.version): t for t in tariffs}.values():
            rows = np.flatnonzero(np.array([t is tariff for t in tariffs])[codes])
            charges = marginal(
                tariff,
                Basis.of(segments, codes[rows]),
                _take(before, rows),
                _take(after, rows),
                (start[rows], end[rows]),
                is_first.to_numpy(bool)[rows],
            )
            for line, amount in enumerate((*charges, charges.cost)):
                amounts[line, rows] = amount
            provisional[rows] |= (
                tariff.depends_on_order | any(tariff.left_to_batch()) | (falls[rows] & tariff.has_demand)
            )
            names[rows] = np.array(tariff.periods, dtype=object)[periods[rows]]
            if needed & BILLS and not tariff.depends_on_order:
                bills[:, rows] = bills_of(tariff, segments, codes[rows], _take(after, rows), end[rows])
        self.counters.add({"costed": len(codes)})
        currencies = _spread([t.currency for t in tariffs], codes)
        watched = [NOTHING] * len(codes)
        if needed:
            values = signals_of(
                interval_s.to_numpy(float), *(c.to_numpy(np.int64) for c in (import_total, export_total, demand)),
                demand_window_s.to_numpy(float), contracted.to_numpy(np.int64), amounts[-1], bills,
            )  # fmt: skip
            watched = self._watch(
                (meter_id, site_path, tags),
                (start.tolist(), interval_s.tolist(), revision.tolist(), amounts[-1].tolist()),
                arrival.to_numpy("datetime64[ms]").astype("int64").tolist(),
                currencies,
                measurements,
                values,
            )
        return pd.DataFrame(
            {
                "tariff_id": _spread([plain(s.tariff_id) for s in segments], codes),
                "tariff_version": _spread([s.tariff_version for s in segments], codes),
                "tou_period": names,
                "cycle_start": _spread([s.cycle_start.isoformat() for s in segments], codes),
                "currency": currencies,
                **dict(zip(_AMOUNTS, amounts, strict=True)),
                "provisional": provisional,
                **{
                    name: pd.Series(c, dtype=object)
                    for name, c in zip(ALERT_COLUMNS, zip(*watched, strict=True), strict=True)
                },
            }
        )

    def _watch(
        self, meters: Any, at: Any, arrivals: list[int], currencies: Any, measurements: Any, signals: Any
    ) -> list[tuple[Any, ...]]:
        """Each reading through the pre-filter of its meter.

        `meters` are columns of id, path and tags, `at` of start, interval, revision and cost.
        """
        find = self.prefilters.of_meter
        found = []
        columns = zip(zip(*meters, strict=True), zip(*at, strict=True), arrivals, currencies, measurements, strict=True)
        for row, (meter, when, arrival_ms, currency, measured) in enumerate(columns):
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
            passed = prefilter.observe(*when, arrival_ms, currency, values) if values else None
            found.append(NOTHING if passed is None else columns_of(passed))
        return found

    def _tariff(self, segment: Segment) -> Tariff:
        """The version that the reading was resolved to; where this worker has not seen it yet, look again."""
        try:
            return self.registry.version(segment.tariff_id, segment.tariff_version)
        except UnknownTariffError:
            self.registry.reload()
            return self.registry.version(segment.tariff_id, segment.tariff_version)


def _states(sums: list[Ints], periods: Ints, imported: Ints, exported: Ints) -> tuple[State, State]:
    """(before, after): a sum before a reading is the sum after it, less its own part in its own period."""
    imports, exports = sums[:MAX_PERIODS], sums[MAX_PERIODS : 2 * MAX_PERIODS]
    peaks = sums[2 * MAX_PERIODS :]
    after = State(tuple(imports), tuple(exports), tuple(peaks[:_SLOTS]))
    before = State(
        tuple(s - np.where(periods == p, imported, 0) for p, s in enumerate(imports)),
        tuple(s - np.where(periods == p, exported, 0) for p, s in enumerate(exports)),
        tuple(peaks[_SLOTS:]),
    )
    return before, after


def _take(state: State, rows: Ints) -> State:
    return State(*(tuple(column[rows] for column in part) for part in state))


def _spread(values: list[str], codes: Ints) -> Ints:
    return np.array(values, dtype=object)[codes]


def price_reading(settings: Settings) -> Any:
    return udf(PriceReading(settings), result_type=row_type(**PRICE), func_type="pandas")
