"""Plausibility of readings by meter: what a bill would take without a word, although it is hardly meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from flink_job.imports.spacing import FEW, spacing_ms, span

#: Highest power of a meter of which nothing is known [1e-6 kW].
MOST_UW = 10_000_000_000
#: Number of values from which energy that never falls is taken for reads of a register.
RISING = 12


class Series(Protocol):
    """Readings of a meter, as arrays."""

    @property
    def start_ms(self) -> Any:
        """Starts [epoch ms]."""

    @property
    def interval_ms(self) -> Any:
        """Lengths of intervals [ms]."""

    @property
    def import_ukwh(self) -> Any:
        """Energy [1e-6 kWh]."""


class Arrays(NamedTuple):
    """A series of three arrays."""

    start_ms: Any
    interval_ms: Any
    import_ukwh: Any


class _Doubt(NamedTuple):
    """A kind of doubt, with `{}` for what is found, and what to do."""

    text: str
    remedy: str


_OVERLAP = _Doubt("interval_s is {0}, but readings begin {1} apart: they overlap", "correct interval_s")
_PARTIAL = _Doubt(
    "interval_s is {0}, but readings begin {1} apart: each covers a part of its time only",
    "correct interval_s if the energy is that of {1}",
)
_RISES = _Doubt(
    "values only rise, as reads of a register do", "send them as register_kwh, or import them with --kind register"
)
_POWER = _Doubt("{0} kWh in {1}, more than {2} kW", "check the unit; max_power_kw of a contract is for registers")


def doubts(meters: Mapping[str, Series], most_uw: int = MOST_UW) -> Iterator[str]:
    """Yield a line for each kind of doubt, with the number of meters, the first of them, and what to do.

    `most_uw`: highest power of a meter [1e-6 kW].
    """
    found: dict[_Doubt, list[tuple[str, tuple[str, ...]]]] = {}
    for meter, data in meters.items():
        for doubt, values in _of(data, most_uw):
            found.setdefault(doubt, []).append((meter, values))
    for doubt, cases in found.items():
        meter, values = cases[0]
        others = f" (and {len(cases) - 1:,} more)" if len(cases) > 1 else ""
        yield f"meter {meter}{others}: {doubt.text.format(*values)}: {doubt.remedy.format(*values)}"


def _of(data: Series, most_uw: int) -> Iterator[tuple[_Doubt, tuple[str, ...]]]:
    """Yield the doubts about the readings of a meter, each with what is found."""
    count = len(data.start_ms)
    if not count:
        return
    steps = spacing_ms(data.start_ms, np.zeros(count, dtype=np.int64))
    if len(steps) >= FEW:
        lengths, counts = np.unique(steps, return_counts=True)
        most, stated = int(lengths[np.argmax(counts)]), int(np.median(data.interval_ms))
        if counts.max() * 2 > len(steps) and most != stated:
            yield _OVERLAP if most < stated else _PARTIAL, (span(stated // 1000), span(most // 1000))
    order = np.argsort(data.start_ms, kind="stable")
    energy = data.import_ukwh[order]
    rises = np.diff(energy)
    if count >= RISING and rises.min() >= 0 and (rises > 0).sum() * 2 >= RISING:
        yield _RISES, ()
    # Compared as floats: the product of two limits does not fit into 64 bits.
    over = np.flatnonzero(energy.astype(np.float64) * 3_600_000.0 > float(most_uw) * data.interval_ms[order])
    if len(over):
        first = order[over[0]]
        kwh, length = int(data.import_ukwh[first]) / 1e6, span(int(data.interval_ms[first]) // 1000)
        yield _POWER, (f"{kwh:,.6g}", length, f"{most_uw / 1e6:,.6g}")


def by_meter(rows: Iterable[tuple[str, int, int, int]]) -> dict[str, Arrays]:
    """Return series of rows (meter, start [ms], length [ms], energy [1e-6 kWh])."""
    lists: dict[str, tuple[list[int], list[int], list[int]]] = {}
    for meter, start_ms, interval_ms, ukwh in rows:
        own = lists.setdefault(meter, ([], [], []))
        for values, value in zip(own, (start_ms, interval_ms, ukwh), strict=True):
            values.append(value)
    return {meter: Arrays(*(np.array(values, dtype=np.int64) for values in own)) for meter, own in lists.items()}
