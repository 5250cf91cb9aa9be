"""Reads figures.json: measurements, limits, assumptions, and prices by region with their sources."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("figures.json")
#: Region whose prices are used for regions that figures.json does not list.
FALLBACK = "us-east-1"


@cache
def figures(path: Path = FIGURES) -> dict[str, Any]:
    """Measurements, limits, assumptions and prices."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def values(part: str, known: dict[str, Any] | None = None) -> dict[str, float]:
    """Values of a part (`measured`, `assumed`) without their sources."""
    return {name: f["value"] for name, f in (known or figures())[part].items() if isinstance(f, dict)}


@dataclass
class Prices:
    """Prices of a region in USD. `used` collects the names that were looked up."""

    region: str
    listed: bool
    entries: dict[str, dict[str, Any]]
    used: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> float:
        self.used.add(name)
        return float(self.entries[name]["usd"])

    @property
    def unverified(self) -> list[str]:
        """Used prices without a verified source."""
        return sorted(name for name in self.used if not self.entries[name]["verified"])


def prices(region: str, known: dict[str, Any] | None = None) -> Prices:
    """Prices of a region, or those of FALLBACK if it is not listed."""
    regions = (known or figures())["prices"]["regions"]
    return Prices(region, region in regions, regions.get(region, regions[FALLBACK]))
