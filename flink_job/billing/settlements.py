"""Rows of table `settlements`: what each settlement changed, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flink_job.batch.collect import arrow_schema
from flink_job.billing.adjustments import Adjustment
from flink_job.billing.rerate import Rerated
from flink_job.billing.run import MICRO
from flink_job.schemas import SETTLEMENTS
from flink_job.tenants import plain, tenant_of

FILE = "settlements.parquet"
_KEY = ("tenant", "supply_point", "cycle_start", "tariff_id", "tariff_version")


def settled_rows(folder: Path, result: Rerated, now: datetime) -> pa.Table:
    """Return the rows of `folder`/settlements.parquet and those of adjustments that differ from the newest of theirs.

    A cycle for whose time a contract was changed has one in any case. `now`, the time at which the settlement began to
    read the lake, is UTC-aware.
    """
    path = folder / FILE
    schema = arrow_schema(SETTLEMENTS)
    before = pq.read_table(path).cast(schema) if path.is_file() else schema.empty_table()
    newest = {tuple(row[name] for name in _KEY): row for row in before.to_pylist()}
    found = []
    changed = {} if result.changes is None else result.changes.supplies
    for adjustment in result.adjustments:
        row = _row(adjustment, now) | {"issued_at": result.issued.get(adjustment.supply_point)}
        is_changed = adjustment.key[0] in changed.get(adjustment.supply_point, ())
        known = newest.get(tuple(row[name] for name in _KEY))
        if (
            known is None
            or is_changed
            or any(known[name] != row[name] for name in ("exact_cost", "records", "is_open"))
        ):
            found.append(row | {"previous_cost": None if known is None else known["exact_cost"]})
    return pa.concat_tables([before, pa.Table.from_pylist(found, schema=schema)])


def _row(adjustment: Adjustment, now: datetime) -> dict[str, Any]:
    streamed, exact = sum(adjustment.streamed.values()), sum(adjustment.exact.values())
    cycle_start, tariff_id, version = adjustment.key
    return {
        "tenant": tenant_of(adjustment.supply_point),
        "supply_point": plain(adjustment.supply_point),
        "cycle_start": cycle_start,
        "cycle_end": adjustment.cycle_end.isoformat(),
        "tariff_id": plain(tariff_id),
        "tariff_version": version,
        "streamed_cost": Decimal(streamed) * MICRO,
        "exact_cost": Decimal(exact) * MICRO,
        "adjustment": Decimal(exact - streamed) * MICRO,
        "currency": adjustment.currency,
        "records": adjustment.records,
        "is_open": adjustment.is_open,
        "reason": adjustment.why if adjustment.changes else "",
        "settled_at": now.astimezone(UTC).replace(tzinfo=None),
    }
