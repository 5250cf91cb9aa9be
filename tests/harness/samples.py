"""Telling the malformed sample records from the readings, without the job's parser."""

from __future__ import annotations

import json
from datetime import datetime


def is_malformed(record: bytes) -> bool:
    """True for what the simulator damaged: it says so in one of these ways."""
    try:
        reading = json.loads(record.decode("utf-8"))
    except ValueError:
        return True
    start = reading["interval_start"]
    energy = reading.get("energy_kwh", 0)
    return (
        "meter_id" not in reading
        or not isinstance(reading["interval_s"], int)
        or reading["interval_s"] <= 0
        or reading.get("schema_version", 1) > 1
        or reading.get("channel", "import") != "import"
        or "unit" in reading
        or not 0 <= energy < 1e9
        or datetime.fromisoformat(start).tzinfo is None
        or not "2026" <= start[:4] <= "2027"
    )
