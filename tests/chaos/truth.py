"""The outcome that a load must have: numbers of records by outcome, and bills."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from deploy.local.demo import SAMPLES
from tests.chaos.loads import Load
from tests.harness.oracle import Oracle


class Truth(Protocol):
    """`counts`: records that are `costed`, `duplicates`, `unpriced` and, of sensors, `measured`."""

    counts: dict[str, int]

    def costs(self) -> Mapping[tuple[Any, ...], Mapping[str, Decimal]]:
        """Return amounts by charge of every (supply point, cycle start, tariff, version)."""

    def lowered(self) -> set[tuple[Any, ...]]:
        """Return bills whose demand depends on the order of arrival."""


def of_sample(load: Load, folder: Path, more: Sequence[dict[str, Any]] = ()) -> Truth:
    """Return the oracle's outcome of a load of the sample's meters; `more` are further tariffs."""
    tariffs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((SAMPLES / "tariffs").glob("*.json"))]
    oracle = Oracle(load.contracts, [*tariffs, *more])
    for record in load.readings():
        oracle.add(json.loads(record))
    return oracle
