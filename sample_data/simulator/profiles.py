"""Measured load profiles: 480 quarter hours, five days from a Friday on (see sample_data/README.md)."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

PROFILES = Path(__file__).resolve().parent.parent / "profiles"
QUARTERS = 480


class Profile(NamedTuple):
    """Active and reactive power, each quarter hour, as shares of the profile's greatest active power."""

    active: tuple[float, ...]
    reactive: tuple[float, ...]


@cache
def load_profiles() -> tuple[Profile, ...]:
    """All profiles, in a fixed order."""
    simbench, pycity = _columns("simbench.csv"), _columns("pycity.csv")
    measured = [Profile(simbench[f"{n}.p"], simbench[f"{n}.q"]) for n in sorted({c[:-2] for c in simbench})]
    # The metal works and the warehouse were metered without reactive power: a power factor of 0.95 is assumed.
    for watts in pycity.values():
        top = max(watts)
        active = tuple(w / top for w in watts)
        measured.append(Profile(active, tuple(0.3287 * p for p in active)))
    return tuple(measured)


def _columns(name: str) -> dict[str, tuple[float, ...]]:
    with (PROFILES / name).open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return {column: tuple(float(row[i]) for row in rows) for i, column in enumerate(header) if i}
