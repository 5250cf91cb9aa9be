"""Random plants: a supply point with meters in a tree, and readings of some days."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st

from flink_job.metering.contract import Assignment, Change, Contract
from flink_job.metering.supply_terms import Sharing, SupplyTerms
from flink_job.metering.zones import local_midnight_ms
from flink_job.tariffs.history import Intervals

MADRID = ZoneInfo("Europe/Madrid")
#: 0.10 per kWh, and 1 per kW of the highest hour of a month.
ENERGY_AND_PEAK: dict[str, Any] = {
    "tariff_id": "t",
    "version": "1",
    "currency": "EUR",
    "valid_from": "2026-01-01",
    "energy": {"periods": {"all": [{"price": "0.10"}]}},
    "demand": {"window_s": 3600, "flat": [{"price": "1"}]},
}
QUARTER_MS = 900_000
SUPPLY = "sp"
#: Upper bounds of import, export, inductive and capacitive energy of a reading [1e-6], and how often it is above 0.
QUANTITIES = ((6_000_000, 0.9), (3_000_000, 0.4), (9_000_000, 0.7), (2_000_000, 0.3))


@dataclass
class Plant:
    """Contracts and readings by meter, and the terms of the supply point."""

    contracts: dict[str, Contract] = field(default_factory=dict)
    readings: dict[str, Intervals] = field(default_factory=dict)
    sharing: Sharing = field(default_factory=Sharing)

    @property
    def terms(self) -> dict[str, SupplyTerms]:
        """Terms of the supply point: cycles from the 15th."""
        assignments = (Assignment("t", date(2026, 1, 1)),)
        return {SUPPLY: SupplyTerms(SUPPLY, "Europe/Madrid", assignments, 15, sharing=self.sharing)}

    def add(self, meter: str, role: str, data: Intervals | None, upstream: str = "", **fields: Any) -> None:
        """Add a meter of the supply point."""
        self.contracts[meter] = Contract(
            meter,
            f"plant/{meter}",
            "Europe/Madrid",
            supply_point=SUPPLY,
            role=role,  # type: ignore[arg-type]
            upstream=upstream,
            **fields,
        )
        if data is not None:
            self.readings[meter] = data


def quarters(rng: np.random.Generator, first: date, last: date, count: int, scale: float = 1) -> Intervals:
    """Return some quarter hours between two days, with all quantities."""
    start, end = (local_midnight_ms(day, MADRID) for day in (first, last))
    at = start + np.sort(rng.choice((end - start) // QUARTER_MS, size=count, replace=False)) * QUARTER_MS
    energies = [
        (rng.integers(0, max(1, int(top * scale)), size=count) * (rng.random(count) < share)).astype(np.int64)
        for top, share in QUANTITIES
    ]
    return Intervals(at, np.full(count, QUARTER_MS, dtype=np.int64), *energies)


@st.composite
def plants(draw: st.DrawFn, first: date, last: date, can_move: bool = True) -> Plant:
    """A plant with one or two mains, or two parts, and up to six submeters in a tree; some meters are silent."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    plant = Plant(sharing=Sharing(*draw(st.sampled_from([("peak", "energy"), ("energy", "peak"), ("peak", "peak")]))))
    has_parts, sources, count = draw(st.booleans()), draw(st.integers(1, 2)), draw(st.integers(0, 6))
    tops = [f"s{number}" for number in range(sources)]
    for meter in tops:
        plant.add(meter, "part" if has_parts else "main", quarters(rng, first, last, draw(st.integers(2, 50)), 2))
    for number in range(count):
        choices = [*(tops if has_parts else ["", *tops]), *(f"m{n}" for n in range(number))]
        upstream = draw(st.sampled_from(choices))
        data = (
            quarters(rng, first, last, draw(st.integers(1, 50)), draw(st.sampled_from([0.05, 0.5, 1])))
            if draw(st.integers(0, 9))
            else None
        )
        plant.add(f"m{number}", "sub", data, upstream)
    if can_move and count:
        leaves = [f"m{n}" for n in range(count) if not any(c.upstream == f"m{n}" for c in plant.contracts.values())]
        day = first + timedelta(days=draw(st.integers(1, (last - first).days - 1)))
        change = Change(day, supply_point=draw(st.sampled_from(["other", SUPPLY])), role="sub", upstream=tops[0])
        moved = plant.contracts[leaves[-1]]
        fields = {name: getattr(moved, name) for name in Contract.__struct_fields__} | {"changes": (change,)}
        plant.contracts[leaves[-1]] = Contract(**fields)
    return plant
