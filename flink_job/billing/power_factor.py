"""Power-factor advice: the capacitor bank that avoids the reactive charge, and the charge that it avoids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from flink_job.billing.explain import Metered
from flink_job.metering.zones import Zone
from flink_job.tariffs.history import Intervals
from flink_job.tariffs.history.workings import Workings

_E9 = 1_000_000_000
_HOUR_MS = 3_600_000
_PERCENTILE = 95


@dataclass(frozen=True)
class PeriodNeed:
    """The reactive power above the free share in a TOU period.

    `kwh`, `kvarh`: energies [1e-6]. `usual_kvar`, `worst_kvar`: 95th percentile over its intervals, and the highest,
    at `worst_at` (local time).
    """

    period: str
    kwh: int
    kvarh: int
    usual_kvar: float
    worst_kvar: float
    worst_at: datetime

    @property
    def cos_phi(self) -> float:
        """Power factor of the period."""
        return self.kwh / (self.kwh**2 + self.kvarh**2) ** 0.5 if self.kwh or self.kvarh else 1.0


@dataclass(frozen=True)
class Bank:
    """A capacitor bank [kvar]: the reactive charge with it, and what it avoids in the bills [1e-6 currency]."""

    kvar: int
    reactive: int
    avoided: int


@dataclass(frozen=True)
class Advice:
    """Needs by period; the present reactive charge [1e-6 currency]; the least bank without one, and two others."""

    needs: Sequence[PeriodNeed]
    reactive: int
    banks: Sequence[Bank]


def advise(metered: Metered) -> Advice | None:
    """Return the advice for a meter; None if its tariffs have no reactive charge, or it has no reactive energy."""
    bills = list(metered.workings())
    needs = _needs(bills)
    if not needs or not metered.data.reactive_uvarh.any():
        return None
    present, total = _charged(metered, 0)
    highest = int(np.ceil(max(need.worst_kvar for need in needs)))
    usual = int(np.ceil(max(need.usual_kvar for need in needs)))
    least = _least(metered, highest) if present else 0
    banks = []
    for kvar in sorted({least, usual, highest} - {0}):
        reactive, bill = _charged(metered, kvar)
        banks.append(Bank(kvar, reactive, total - bill))
    return Advice(needs, present, banks)


def with_bank(data: Intervals, kvar: int) -> Intervals:
    """Return readings with a capacitor bank that supplies inductive energy as it is needed, up to its power."""
    supplied = data.interval_ms * (kvar * 1_000_000) // _HOUR_MS
    return replace(data, reactive_uvarh=np.maximum(data.reactive_uvarh - supplied, 0))


def _charged(metered: Metered, kvar: int) -> tuple[int, int]:
    """Return (reactive charge, sum of the bills) with a capacitor bank [1e-6 currency]."""
    bills = replace(metered, data=with_bank(metered.data, kvar)).history().bills
    return sum(bill.lines["reactive"] for bill in bills), sum(bill.total for bill in bills)


def _least(metered: Metered, highest: int) -> int:
    """Return the least bank [kvar] without a reactive charge for inductive energy; the charge falls with its size."""
    floor, _ = _charged(metered, highest)
    low, high = 0, highest
    while low < high:
        middle = (low + high) // 2
        if _charged(metered, middle)[0] <= floor:
            high = middle
        else:
            low = middle + 1
    return high


def _needs(bills: Sequence[Workings]) -> list[PeriodNeed]:
    """Return the need of each period with a charge for inductive energy, over all bills."""
    columns: dict[str, list[NDArray[np.int64]]] = {}
    for workings in bills:
        context, rule = workings.context, workings.context.tariff.reactive
        if rule is None:
            continue
        data = context.data
        free = data.import_ukwh.astype(object) * rule.free_e9 // _E9
        above = np.maximum(data.reactive_uvarh - free, 0).astype(np.int64)
        rows = np.stack([data.start_ms, data.interval_ms, data.import_ukwh, data.reactive_uvarh, above])
        for number, name in enumerate(context.tariff.periods):
            if rule.periods is None or name in rule.periods:
                columns.setdefault(name, []).append(rows[:, context.period == number])
    zone = bills[0].context.terms.zone
    joined = {name: np.concatenate(parts, axis=1) for name, parts in columns.items()}
    return [_need(name, rows, zone) for name, rows in joined.items() if rows.shape[1]]


def _need(name: str, rows: NDArray[np.int64], zone: Zone) -> PeriodNeed:
    """Return the need of a period, given start, length, kWh, kvarh and kvarh above the free share of its intervals."""
    start_ms, interval_ms, kwh, kvarh, above = rows
    kvar = above * (_HOUR_MS / 1e6) / interval_ms
    worst = int(np.argmax(kvar))
    at = datetime.fromtimestamp(int(start_ms[worst]) / 1000, zone)
    usual = float(np.percentile(kvar, _PERCENTILE, method="higher"))
    return PeriodNeed(name, int(kwh.sum()), int(kvarh.sum()), usual, float(kvar[worst]), at)
