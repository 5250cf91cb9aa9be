"""Price series: prices over time in any resolution; missing prices are errors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from flink_job.errors import MeteringError
from flink_job.tariffs.exact import PRICE_SCALE, Ints, round_div, times
from flink_job.tariffs.model import Dynamic


class PriceError(MeteringError, ValueError):
    """A price series that cannot be read, or that has no price for an interval."""


@dataclass(frozen=True)
class PriceSeries:
    """Prices [1e-9 currency per kWh], each valid in [start_ms, end_ms) (epoch ms), sorted and without overlap."""

    name: str
    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    price_e9: NDArray[np.int64]

    def mean_price(self, start_ms: NDArray[np.int64], interval_ms: NDArray[np.int64]) -> Ints:
        """Return the time-weighted mean price of each interval, rounded half to even; shape (n,).

        An interval within one price has that price. Raises PriceError if a price is missing.
        """
        first = np.searchsorted(self.start_ms, start_ms, "right") - 1
        last = np.searchsorted(self.start_ms, start_ms + interval_ms, "left") - 1
        known = (first >= 0) & (len(self.start_ms) > 0)
        known &= self._covered(np.maximum(first, 0), np.maximum(last, 0), start_ms + interval_ms)
        if not known.all():
            raise PriceError(f"price series {self.name!r} has no price at {_utc(int(start_ms[np.argmin(known)]))}")
        prices: Ints = self.price_e9[first]
        for row in np.flatnonzero(last > first):
            prices[row] = self._mean(int(start_ms[row]), int(interval_ms[row]), int(first[row]), int(last[row]))
        return prices

    def _covered(self, first: Ints, last: Ints, until_ms: Ints) -> Ints:
        """Return True for intervals whose prices from `first` to `last` are contiguous and extend to `until_ms`."""
        if not len(self.start_ms):
            return np.zeros(len(first), dtype=bool)
        breaks = np.append(0, np.cumsum(self.start_ms[1:] != self.end_ms[:-1]))
        return np.asarray((breaks[first] == breaks[last]) & (until_ms <= self.end_ms[last]))

    def _mean(self, start_ms: int, interval_ms: int, first: int, last: int) -> int:
        weighted = 0
        for i in range(first, last + 1):
            begin, end = max(start_ms, int(self.start_ms[i])), min(start_ms + interval_ms, int(self.end_ms[i]))
            weighted += (end - begin) * int(self.price_e9[i])
        quotient, rest = divmod(weighted, interval_ms)
        return quotient + (2 * rest > interval_ms or (2 * rest == interval_ms and quotient % 2 == 1))


def dynamic_price(rule: Dynamic, series: PriceSeries, start_ms: Ints, interval_ms: Ints) -> Ints:
    """Return the price of each interval [1e-9 currency/kWh] by the rule of a tariff. Raises PriceError."""
    return priced(rule, series.mean_price(start_ms, interval_ms))


def priced(rule: Dynamic, values_e9: Ints) -> Ints:
    """Return prices from values of a series [1e-9]: value x multiplier + adder, floored and capped."""
    prices = round_div(times(values_e9, rule.multiplier_e9), PRICE_SCALE) + rule.adder_e9
    if rule.floor_e9 is not None:
        prices = np.maximum(prices, rule.floor_e9)
    if rule.cap_e9 is not None:
        prices = np.minimum(prices, rule.cap_e9)
    return np.asarray(prices.astype(np.int64))


def _utc(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).isoformat()
