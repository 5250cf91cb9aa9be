"""The makers of a peak: the power of each meter in the demand intervals that set a bill's demand charge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from flink_job.metering.local_days import local_days
from flink_job.metering.zones import Zone
from flink_job.supplies.apportion import Array
from flink_job.supplies.rated import SharedBill
from flink_job.tariffs.history.peak_charges import PeakCharge

_HOUR_MS = 3_600_000
#: The rest of the supply, which no submeter measured.
REST = ""


class MeterPower(NamedTuple):
    """The mean power of a meter [kW] in a demand interval, less that of the meters behind it.

    `usual_kw`: median at the same local time of the other days of the bill; None if there are none with readings.
    """

    meter_id: str
    power_kw: float
    usual_kw: float | None

    @property
    def above_kw(self) -> float:
        """Power above the usual [kW]."""
        return self.power_kw - (self.usual_kw or 0.0)


class Peak(NamedTuple):
    """A demand interval that set a demand charge, with the power of each meter; the one most above usual first."""

    part: PeakCharge
    meters: list[MeterPower]


def peaks_of(bill: SharedBill) -> list[Peak]:
    """Return the demand intervals that set the demand charge of a bill, in order of their part of the charge."""
    series = _by_meter(bill)
    zone = bill.charges.context.terms.zone
    parts = [part for part in bill.charges.parts if not part.is_whole_bill]
    return [Peak(part, _powers(part, series, zone)) for part in sorted(parts, key=lambda part: -part.amount)]


def _by_meter(bill: SharedBill) -> Mapping[str, tuple[Array, Array]]:
    """Return (starts of the slots [epoch ms], running net energy before and after each [1e-6 kWh]) by meter."""
    found: dict[str, list[tuple[Array, Array]]] = {}
    for shares in bill.shares:
        for meter, row, has_row in zip((*shares.tree.nodes, REST), shares.net_ukwh, shares.has_row, strict=True):
            found.setdefault(meter, []).append((shares.slots.start_ms[has_row], row[has_row]))
    return {
        meter: (
            np.concatenate([starts for starts, _ in parts]),
            np.append(0, np.cumsum(np.concatenate([energies for _, energies in parts]))),
        )
        for meter, parts in found.items()
    }


def _powers(part: PeakCharge, series: Mapping[str, tuple[Array, Array]], zone: Zone) -> list[MeterPower]:
    length_ms = part.end_ms - part.start_ms
    days = local_days(zone.key)
    into_day = part.start_ms - days.day_of(part.start_ms)[0]
    found = []
    for meter, (starts, running) in series.items():
        others = np.unique(days.days_at(starts)[0]) + into_day
        others = others[others != part.start_ms]
        bounds = (
            np.searchsorted(starts, np.append(part.start_ms, others)),
            np.searchsorted(starts, np.append(part.start_ms, others) + length_ms),
        )
        power = (running[bounds[1]] - running[bounds[0]]) / 1e6 * _HOUR_MS / length_ms
        usual = power[1:][(bounds[1] > bounds[0])[1:]]
        if bounds[1][0] > bounds[0][0]:
            found.append(MeterPower(meter, float(power[0]), float(np.median(usual)) if len(usual) else None))
    return sorted(found, key=lambda one: (-one.above_kw, one.meter_id))
