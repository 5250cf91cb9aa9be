"""Alert columns of readings on arrival: heartbeats of all, and samples of those that will have no cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from flink_job.alerts.presence import Heartbeats
from flink_job.alerts.registry import RuleRegistry
from flink_job.alerts.worker_prefilters import POWER, ChannelPrefilter, channels_of
from flink_job.metering.packing import ABSENT, unpack
from flink_job.tariffs.contract_cache import ResolvedContract
from udfs.columns import ALERT_COLUMNS, sparse

#: kW of 1e-6 kWh in a second.
_KW = 3.6e-3


class Arrived(NamedTuple):
    """Readings of a batch, columns of shape (n,). `quantities`: packed, by name; `measurements`: JSON or NULL."""

    start_ms: Any
    interval_s: Any
    revision: Any
    arrival_ms: Any
    measurements: Any
    quantities: Mapping[str, Any]


class ArrivalSamples:
    """Heartbeats and samples for alert rules that need no cost: measured channels, and power of unpriced readings.

    Samples of readings that are priced are taken in `price_reading`.
    """

    def __init__(self, rules: RuleRegistry) -> None:
        self.measured = ChannelPrefilter(rules)
        self.heartbeats = Heartbeats(rules)

    def columns(
        self, readings: Arrived, contracts: Sequence[ResolvedContract | None], is_unpriced: Sequence[bool]
    ) -> dict[str, Any]:
        """Return the columns `heartbeats` and ALERT_COLUMNS.

        `contracts`: None where there is none; `is_unpriced`: the power of the reading is sampled here, without a cost.
        """
        self.measured.refresh()
        self.heartbeats.refresh()
        marks: dict[int, Any] = {}
        if self.heartbeats.needed:
            marks = {row: self.heartbeats.marks(c.meter) for row, c in enumerate(contracts) if c is not None}
        samples = self._samples(readings, contracts, is_unpriced) if self.measured.needed else {}
        count = len(contracts)
        alerts = {
            name: sparse(count, {row: values[at] for row, values in samples.items()})
            for at, name in enumerate(ALERT_COLUMNS)
        }
        return {"heartbeats": sparse(count, marks), **alerts}

    def _samples(
        self, readings: Arrived, contracts: Sequence[ResolvedContract | None], is_unpriced: Sequence[bool]
    ) -> dict[int, tuple[Any, ...]]:
        is_billed = np.any([column != ABSENT for column in readings.quantities.values()], axis=0)
        has_channels = readings.measurements.notna().to_numpy()
        samples: dict[int, tuple[Any, ...]] = {}
        for row in np.flatnonzero((has_channels & ~is_billed) | np.array(is_unpriced, dtype=bool)).tolist():
            contract = contracts[row]
            if contract is None:
                continue
            interval_s = int(readings.interval_s.iloc[row])
            signals = channels_of(readings.measurements.iloc[row]) if has_channels[row] else {}
            signals = {**signals, **_power(readings.quantities, row, interval_s, contract)}
            samples[row] = self.measured.observe(
                contract.meter,
                int(readings.start_ms.iloc[row]),
                interval_s,
                int(readings.revision.iloc[row]),
                int(readings.arrival_ms[row]),
                signals,
            )
        return samples


def _power(quantities: Mapping[str, Any], row: int, interval_s: int, contract: ResolvedContract) -> dict[str, float]:
    """Return the mean power of the interval by direction [kW]."""
    found = {}
    for signal, channel in POWER.items():
        packed = int(quantities[f"{channel}_packed"][row])
        if packed != ABSENT:
            found[signal] = unpack(packed)[1] * float(contract.terms.multiplier or 1) * _KW / interval_s
    return found
