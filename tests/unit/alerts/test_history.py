"""Rows of the lake as batches for the alert state machines."""

from __future__ import annotations

import msgspec

from flink_job.alerts.history import batches_of_costs
from flink_job.metering.contract import Contract

DAY_MS = 86_400_000
#: 2026-06-05 00:00 in Madrid.
MOVED_MS = 1_780_610_400_000


def test_costs_belong_to_the_place_of_their_time() -> None:
    """A meter that moves from line 1 to line 2 on 5 June, and becomes a press."""
    document = {
        "meter_id": "m",
        "site_path": "f/p/l1/m",
        "timezone": "Europe/Madrid",
        "tags": {"class": "oven"},
        "assignments": [{"tariff_id": "eur-flat", "valid_from": "2026-01-01"}],
        "changes": [{"valid_from": "2026-06-05", "site_path": "f/p/l2/m", "tags": {"class": "press"}}],
    }
    contract = msgspec.convert(document, Contract, strict=False)
    rows = [("m", "-", MOVED_MS + offset, 900, 0, MOVED_MS + DAY_MS, "EUR", 1.0, 1.0, 0.0) for offset in (-900_000, 0)]
    found = [(batch.site_path, batch.tags) for batch in batches_of_costs(rows, {"m": contract})]
    assert found == [("f/p/l1/m", "class=oven"), ("f/p/l2/m", "class=press")]
