"""States of a bill to the cost of the reading between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pyflink.table.udf import ScalarFunction, udf

from flink_job.config import Tariffs
from flink_job.tariffs.book import UnknownTariffError
from flink_job.tariffs.cycle import Segment, segment_of
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.model import MAX_DEMAND_PERIODS, MAX_PERIODS, Tariff
from flink_job.tariffs.rating import marginal
from flink_job.tariffs.state import Basis, State
from udfs.books import refreshed, tariff_book
from udfs.columns import BIGINT, BOOLEAN, STRING, row_type
from udfs.metrics import Counters

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
)
_AMOUNTS = ("energy_ucost", "demand_ucost", "fixed_ucost", "export_ucost", "tax_ucost", "total_ucost")
_SLOTS = MAX_DEMAND_PERIODS + 1


class PriceReading(ScalarFunction):  # type: ignore[misc]
    """`price_reading(...)`: see flink_job.tariffs.rating. The states come as sums after the reading and its own part,
    the peaks after and before it.
    """

    def __init__(self, tariffs: Tariffs) -> None:
        self.tariffs = tariffs

    def open(self, function_context: Any) -> None:
        self.counters = Counters(function_context)
        self.book = tariff_book(self.tariffs)

    def eval(
        self,
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
        refreshed(self.book)
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
        self.counters.add({"costed": len(codes)})
        return pd.DataFrame(
            {
                "tariff_id": _spread([s.tariff_id for s in segments], codes),
                "tariff_version": _spread([s.tariff_version for s in segments], codes),
                "tou_period": names,
                "cycle_start": _spread([s.cycle_start.isoformat() for s in segments], codes),
                "currency": _spread([t.currency for t in tariffs], codes),
                **dict(zip(_AMOUNTS, amounts, strict=True)),
                "provisional": provisional,
            }
        )

    def _tariff(self, segment: Segment) -> Tariff:
        """The version that the reading was resolved to; where this worker has not seen it yet, look again."""
        try:
            return self.book.version(segment.tariff_id, segment.tariff_version)
        except UnknownTariffError:
            self.book.reload()
            return self.book.version(segment.tariff_id, segment.tariff_version)


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


def price_reading(tariffs: Tariffs) -> Any:
    return udf(PriceReading(tariffs), result_type=row_type(**PRICE), func_type="pandas")
