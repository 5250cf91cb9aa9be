"""Reads small files of the tests, and shows readings as (begin in UTC, interval [s], channel, quantity)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from flink_job.imports.convert import Imported
from flink_job.imports.model import Map
from flink_job.imports.reader import Answers, map_named, read_file, stated_map

Row = tuple[str, int, str, Decimal]


def imported(text: str | bytes, stated: str = "", name: str = "f.csv", profile: str = "", **answers: Any) -> Imported:
    """Import a text by a map in YAML, a profile, or what is detected."""
    data = text.encode() if isinstance(text, str) else text
    meaning: Map | None = stated_map(stated, "map.yaml") if stated else map_named(profile, None)
    return read_file(name, data, meaning, Answers(**answers))


def shown(result: Imported) -> list[Row]:
    """Return the readings of a file."""
    return [
        (
            str(np.datetime64(int(row.start_ms), "ms"))[:16],
            int(row.interval_s),
            str(row.channel),
            Decimal(int(row.micro)) / 1_000_000,
        )
        for row in result.rows.itertuples()
    ]


def energies(result: Imported) -> dict[str, str]:
    """Return the energy [kWh] by begin."""
    return {start: str(quantity.normalize()) for start, _, _, quantity in shown(result)}
