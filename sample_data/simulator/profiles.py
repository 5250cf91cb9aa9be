"""Measured load profiles of 480 quarter hours: five days, starting on a Friday (see sample_data/README.md)."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

PROFILES = Path(__file__).resolve().parent.parent / "profiles"
QUARTERS = 480


class Profile(NamedTuple):
    """Active and reactive power in each quarter hour, as shares of the maximum active power of the profile."""

    active: tuple[float, ...]
    reactive: tuple[float, ...]


@cache
def load_profiles() -> tuple[Profile, ...]:
    """Return all profiles, in a fixed order."""
    simbench, pycity = _columns("simbench.csv"), _columns("pycity.csv")
    measured = [Profile(simbench[f"{n}.p"], simbench[f"{n}.q"]) for n in sorted({c[:-2] for c in simbench})]
    # The reactive power of the metal works and the warehouse was not measured; a power factor of 0.95 is assumed.
    for watts in pycity.values():
        top = max(watts)
        active = tuple(w / top for w in watts)
        measured.append(Profile(active, tuple(0.3287 * p for p in active)))
    return tuple(measured)


def _columns(name: str) -> dict[str, tuple[float, ...]]:
    """Return the columns of a CSV file by name, without the first."""
    with (PROFILES / name).open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return {column: tuple(float(row[i]) for row in rows) for i, column in enumerate(header) if i}
