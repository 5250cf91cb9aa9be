"""The charges of a supply's bill by interval: which intervals bear each line, before they are shared by meter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from flink_job.metering.supply_terms import Sharing
from flink_job.metering.zones import local_midnight_ms
from flink_job.supplies.apportion import Array, apportion_one
from flink_job.tariffs.bill_lines import CHARGES, LINES
from flink_job.tariffs.history import Bill, History, Intervals
from flink_job.tariffs.history.peak_charges import PeakCharge, peak_charges
from flink_job.tariffs.history.segment_context import SegmentContext
from flink_job.tariffs.model import Tariff

#: Lines of a bill, in an order in which each depends on earlier ones only.
ORDER = ("energy", "demand", "fixed", "export", "reactive", "minimum", "tax")
_EXACT_DECIMALS = 6
#: Tax rates of the weights: 1e-6. Amounts times such rates fit into 64 bits.
_RATE_DIVISOR = 1_000_000


class BillCharges:
    """The lines of one bill by reading of the supply's load.

    `rows`: indices of its readings. `amounts`: line -> amount of each reading [1e-6 currency], shape (n,); each line
    adds up to that of the bill. `taxes`: charge -> taxes on it, shape (n,), which add up to the line `tax`.
    """

    def __init__(self, history: History, number: int, sharing: Sharing) -> None:
        """Attribute the lines of the bill with a number. A bill without readings has no amounts."""
        self.bill: Bill = history.bills[number]
        self.rows: NDArray[np.int64] = np.flatnonzero(history.segment == number)
        self.context: SegmentContext = history.contexts[number]
        self.tariff: Tariff = self.context.tariff
        self.data: Intervals = history.intervals.part(self.rows)
        self.parts: list[PeakCharge] = peak_charges(self.context, history.floors_ukw[number])
        self.sharing = sharing
        self.amounts: dict[str, Array] = {}
        self.taxes: dict[str, Array] = {}
        if len(self.rows):
            self._attribute({line: history.costs[line][self.rows] for line in LINES}, history.period[self.rows])

    def _attribute(self, costs: Mapping[str, Array], period: Array) -> None:
        lines, energy = self.bill.lines, self.data.import_ukwh
        reactive = self.data.reactive_uvarh + self.data.capacitive_uvarh
        by_demand = self._demand(lines["demand"])
        self.amounts["energy"] = self._energy(costs["energy"], period)
        self.amounts["demand"] = by_demand if self.sharing.demand == "peak" else _pooled(lines["demand"], energy)
        self.amounts["fixed"] = (
            self._demand(lines["fixed"]) if self.sharing.fixed == "peak" else _pooled(lines["fixed"], energy)
        )
        self.amounts["export"] = self._export(costs["export"])
        self.amounts["reactive"] = _by_period(costs["reactive"], period, reactive)
        charged = np.sum([self.amounts[line] for line in ORDER[:5]], axis=0)
        self.amounts["minimum"] = _pooled(lines["minimum"], np.maximum(charged, 0), energy)
        self.taxes = self._taxes(lines["tax"])

    @property
    def _is_by_interval(self) -> bool:
        """True if the price of an interval does not depend on other intervals of the bill."""
        return not self.tariff.has_tiers and self.tariff.rounding.line_decimals >= _EXACT_DECIMALS

    def _energy(self, costs: Array, period: Array) -> Array:
        """Return energy by the price of its interval, or by the mean price of its TOU period, if it has tiers."""
        if self._is_by_interval and self.tariff.export.rule in ("priced", "buy_all_sell_all"):
            return costs
        return _by_period(costs, period, self.data.import_ukwh)

    def _export(self, costs: Array) -> Array:
        rule = self.tariff.export
        if self._is_by_interval and rule.rule in ("priced", "buy_all_sell_all") and not rule.capped_at_energy:
            return costs
        return _pooled(int(costs.sum()), self.data.export_ukwh)

    def _demand(self, amount: int) -> Array:
        """Return an amount by the demand intervals that set the demand charge, in proportion to what they cause."""
        found = np.zeros(len(self.rows), dtype=np.int64)
        weights = [part.amount for part in self.parts]
        energy = self.data.import_ukwh
        if not any(weights):
            return _pooled(amount, energy)
        for part, share in zip(self.parts, apportion_one(amount, weights), strict=True):
            inside = np.ones(len(found), dtype=bool) if part.is_whole_bill else self._inside(part)
            found[inside] += _pooled(int(share), energy[inside])
        return found

    def _inside(self, part: PeakCharge) -> NDArray[np.bool_]:
        """Return the readings that begin in a demand interval, or the one that extends into it."""
        starts = self.data.start_ms
        inside = (starts >= part.start_ms) & (starts < part.end_ms)
        if not inside.any():
            inside[max(int(np.searchsorted(starts, part.start_ms, "right")) - 1, 0)] = True
        return inside

    def _taxes(self, total: int) -> dict[str, Array]:
        """Return all taxes by the charge that they are on, each in proportion to its amounts, which may be negative.

        What rates alone do not explain (floors, exemptions and rounding of taxes) is added in proportion.
        """
        parts = []
        for line, rate in self._tax_rates().items():
            taxed = self.amounts[line] * rate
            parts += [(line, mask, np.abs(taxed[mask]), sum(taxed[mask].tolist())) for mask in (taxed > 0, taxed < 0)]
        parts = [part for part in parts if part[3]]
        if not parts:
            return {"energy": _pooled(total, self.data.import_ukwh)}
        sums = [round(taxed / _RATE_DIVISOR) for _, _, _, taxed in parts]
        more = apportion_one(total - sum(sums), [abs(taxed) // _RATE_DIVISOR for _, _, _, taxed in parts])
        found: dict[str, Array] = {}
        for (line, mask, weights, _), amount in zip(parts, (sums + more).tolist(), strict=True):
            found.setdefault(line, np.zeros(len(self.rows), dtype=np.int64))[mask] = apportion_one(amount, weights)
        return found

    def _tax_rates(self) -> dict[str, Array]:
        """Return the rate of all taxes, and of the taxes on them, on each charge, by the time of each reading.

        Floors and exemptions of taxes are not part of it.
        """
        rates = {line: np.zeros(len(self.rows), dtype=np.int64) for line in CHARGES}
        own: dict[str, dict[str, Array]] = {}
        for tax in self.tariff.taxes:
            zone, starts = self.context.terms.zone, self.data.start_ms
            first = local_midnight_ms(tax.valid_from, zone) if tax.valid_from else starts[0]
            last = local_midnight_ms(tax.valid_to, zone) if tax.valid_to else starts[-1] + 1
            rate = np.where((starts >= first) & (starts < last), tax.rate_e12 // _RATE_DIVISOR, 0)
            own[tax.name] = {}
            for line in CHARGES:
                base = np.where(line in tax.base, _RATE_DIVISOR, 0)
                for earlier in own.keys() & tax.base:
                    base = base + own[earlier][line]
                own[tax.name][line] = rate * base // _RATE_DIVISOR
                rates[line] = rates[line] + own[tax.name][line]
        return rates


def _pooled(amount: int, weights: Array, otherwise: Array | None = None) -> Array:
    """Return an amount in proportion to weights; in proportion to `otherwise`, if given, where all are 0."""
    if otherwise is not None and not weights.any():
        weights = otherwise
    return apportion_one(amount, weights)


def _by_period(costs: Array, period: Array, weights: Array) -> Array:
    """Return the costs of each TOU period in proportion to weights."""
    found = np.zeros(len(costs), dtype=np.int64)
    for number in np.unique(period):
        inside = period == number
        found[inside] = _pooled(int(costs[inside].sum()), weights[inside])
    return found
