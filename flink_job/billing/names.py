"""SQL expressions of the qualified names in rows of the lake (see flink_job.tenants)."""

from __future__ import annotations

from flink_job.tenants import DEFAULT, SEPARATOR


def _qualified(column: str) -> str:
    return f"CASE WHEN tenant = '{DEFAULT}' THEN {column} ELSE tenant || chr({ord(SEPARATOR)}) || {column} END"


METER, TARIFF = _qualified("meter_id"), _qualified("tariff_id")
#: Rows of earlier releases have neither supply point nor role.
SUPPLY, IS_SOURCE = _qualified("COALESCE(supply_point, meter_id)"), "COALESCE(role, 'main') IN ('main', 'part')"
