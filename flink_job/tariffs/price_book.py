"""The price book: price series in files beside the tariff documents, polled with them.

`spot.csv`, `spot.2026-03.csv` and so on are parts of the series `spot`, in any format of flink_job.tariffs.series.
Where parts overlap, the part whose name (without `.csv`) sorts last counts. A tenant has its own series, and uses those
of the default tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import numpy as np

from flink_job.io.locations import Location
from flink_job.io.polled_registry import tenant_of_document
from flink_job.tariffs.exact import Ints
from flink_job.tariffs.model import Dynamic
from flink_job.tariffs.prices import PriceError, PriceSeries, priced
from flink_job.tariffs.series import Slot, series_of, slots_in
from flink_job.tenants import DEFAULT

SUFFIX = ".csv"


class Price(NamedTuple):
    """A price [1e-9 currency per kWh]. `is_estimated`: it is the last known one before the interval."""

    price_e9: int
    is_estimated: bool


class _Part(NamedTuple):
    """A file as last read: its prices, and the fault of its content."""

    tag: str
    slots: list[Slot]
    fault: str = ""


class PriceBook:
    """Price series by tenant and name.

    `faults` has the error by name of a file; a faulty file keeps its last prices.
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        self.faults: dict[str, str] = {}
        self._parts: dict[str, _Part] = {}
        self._series: dict[tuple[str, str], PriceSeries] = {}

    def load(self) -> bool:
        """Read the files that have changed; return True if any has. Raises OSError if they cannot be listed."""
        parts = {name: self._read(name, tag) for name, tag in self.location.list(SUFFIX)}
        self.faults = {name: part.fault for name, part in parts.items() if part.fault}
        if parts == self._parts:
            return False
        self._parts = parts
        slots: dict[tuple[str, str], dict[datetime, Slot]] = {}
        for name in sorted(parts, key=lambda name: name.removesuffix(SUFFIX)):
            key = tenant_of_document(name), name.rpartition("/")[2].partition(".")[0]
            slots.setdefault(key, {}).update({slot[0]: slot for slot in parts[name].slots})
        self._series = {key: series_of(key[1], found.values()) for key, found in slots.items() if found}
        return True

    def _read(self, name: str, tag: str) -> _Part:
        known = self._parts.get(name)
        if known is not None and known.tag == tag:
            return known
        try:
            return _Part(tag, slots_in(self.location.read(name), None))
        except (OSError, PriceError) as error:
            return _Part(tag, known.slots if known is not None else [], f"{name}: {error}")

    def all(self) -> Mapping[tuple[str, str], PriceSeries]:
        """Return every series by (tenant, name)."""
        return self._series

    def series(self, tenant: str) -> Mapping[str, PriceSeries]:
        """Return the series of a tenant by name, and those of the default tenant."""
        own = {name: series for (owner, name), series in self._series.items() if owner == tenant}
        return {name: series for (owner, name), series in self._series.items() if owner == DEFAULT} | own

    def price(self, rule: Dynamic, tenant: str, start_ms: int, interval_ms: int) -> Price | None:
        """Return the price of an interval by the rule of a tariff; None if no price is known up to its start."""
        series = self._series.get((tenant, rule.series)) or self._series.get((DEFAULT, rule.series))
        if series is None:
            return None
        try:
            values, is_estimated = series.mean_price(_array(start_ms), _array(interval_ms)), False
        except PriceError:
            last = int(np.searchsorted(series.start_ms, start_ms, "right")) - 1
            if last < 0:
                return None
            values, is_estimated = series.price_e9[last : last + 1], True
        return Price(int(priced(rule, values)[0]), is_estimated)


def _array(value: int) -> Ints:
    return np.array([value], dtype=np.int64)
