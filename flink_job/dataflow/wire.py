"""Short column names in the records sent to Firehose, which bills their bytes. The lake has the full names.

Flink writes these names, and the delivery streams map each column to its name (`ColumnToJsonKeyMappings`). A name that
has been used is never reused for another column: Firehose retains records for up to a day.
"""

from __future__ import annotations

from collections.abc import Mapping

from flink_job.columns import Table
from flink_job.schemas import OUTPUTS

#: Name on the wire by column, the same in every table: one to three lower-case letters.
WIRE: Mapping[str, str] = {
    "tenant": "t", "site_path": "sp", "meter_id": "m", "device": "dv", "device_id": "di", "entity": "e", "level": "l",
    "supply_point": "su", "role": "rl", "upstream": "up", "upstream_path": "uh",
    "reading_id": "id", "sequence_number": "sn", "revision": "r", "quality": "q", "interval_start": "s",
    "interval_s": "i", "register_id": "ri", "register_kwh": "rk", "rollover_kwh": "ro",
    "energy_kwh": "k", "export_kwh": "xk", "reactive_kvarh": "v", "reactive_export_kvarh": "xv",
    "tariff_id": "ti", "tariff_version": "tv", "tou_period": "tp", "cycle_start": "cs", "energy_cost": "ec",
    "demand_cost": "dc", "fixed_cost": "fc", "export_credit": "xc", "other_cost": "oc", "tax": "tx", "cost": "c",
    "currency": "cu", "provisional": "pv", "demand_estimated": "de", "is_first": "f", "day_start": "d", "day_s": "ds",
    "kpi_id": "ki", "window_start": "ws", "window_end": "we", "window_s": "w", "emission": "em", "emitted_at": "ea",
    "readings": "n", "expected_readings": "en", "min_kw": "mi", "max_kw": "ma",
    "alert_id": "ai", "change_number": "cn", "rule_id": "ru", "rule_version": "rv", "title": "tl", "severity": "sv",
    "state": "st", "tags": "tg", "signal": "sg", "unit": "u", "value": "vl", "threshold": "th", "episode_start": "es",
    "event_time": "et", "historical": "hi", "muted": "mu", "latch": "la", "inhibited_by": "ib", "hint": "hn",
    "channel": "cl", "raw_unit": "uw", "is_counted": "ic", "stored_at": "sa",
    "changed_from": "cf", "changed_until": "ct", "fields": "fd", "issued_at": "ia", "changed_at": "ch",
    "reason": "rs", "detail": "dt", "part": "p", "parts": "ps", "payload": "pl", "dated": "da",
    "shard": "sh", "record_position": "rp", "arrival": "a", "costed_at": "ca", "rejected_at": "ra",
    "unpriced_at": "ua", "deduplicated_at": "pa",
}  # fmt: skip


def wire_names(table: Table) -> dict[str, str]:
    """Return the short name by column. Tables that services write have the full names."""
    short = table.name in OUTPUTS
    return {column.name: WIRE[column.name] if short else column.name for column in table.columns}
