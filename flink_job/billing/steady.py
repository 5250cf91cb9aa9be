"""Submeters that settlement does not change: their energy in the stream is exact, and on the path of their contract.

A supply may have thousands of submeters. Their quarter hours need not be compared, only shared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import numpy as np
import pandas as pd

from flink_job.billing.names import METER, SUPPLY
from flink_job.billing.places import MeterPlaces
from flink_job.metering.changes import zone_of
from flink_job.metering.groups import Attached
from flink_job.metering.local_days import local_days
from flink_job.supplies.membership import Supply


def prepare_steady(
    connection: duckdb.DuckDBPyConnection,
    supplies: Sequence[Supply],
    attached: Mapping[str, Attached],
) -> set[str]:
    """Create the temporary table `steady` of these submeters, and return them.

    They have no register, no unpriced reading, readings of one length that cannot overlap, one place in the stream,
    which is that of the contract, and days in the time zone of their supply.
    """
    expected = _expected(supplies, attached)
    connection.register("expected_places", expected)
    connection.execute(
        f"""
        CREATE TEMP TABLE steady AS
        SELECT found.meter_id, found.supply_point
        FROM (
          SELECT {METER} AS meter_id, MAX({SUPPLY}) AS supply_point, MAX(site_path) AS site_path,
            MAX(COALESCE(costs.upstream_path, '')) AS upstream_path
          FROM costs
          GROUP BY tenant, costs.meter_id
          HAVING COUNT(DISTINCT COALESCE(role, 'main')) = 1 AND MAX(role) = 'sub' AND COUNT(DISTINCT supply_point) = 1
            AND COUNT(DISTINCT site_path) = 1 AND COUNT(DISTINCT COALESCE(costs.upstream_path, '')) = 1
            AND COUNT(DISTINCT interval_s) = 1 AND MAX(epoch_ms(interval_start) % (interval_s * 1000)) = 0
        ) AS found
        JOIN expected_places USING (meter_id, supply_point, site_path, upstream_path)
        ANTI JOIN (SELECT {METER} AS meter_id FROM register_reads) AS registers USING (meter_id)
        ANTI JOIN (SELECT {METER} AS meter_id FROM unpriced) AS waiting USING (meter_id)
        """
    )
    connection.unregister("expected_places")
    for supply_point in _with_other_days(connection, {supply.supply_point: supply for supply in supplies}):
        connection.execute("DELETE FROM steady WHERE supply_point = ?", [supply_point])
    return {row[0] for row in connection.execute("SELECT meter_id FROM steady").fetchall()}


def _expected(supplies: Sequence[Supply], attached: Mapping[str, Attached]) -> pd.DataFrame:
    """Return the places of submeters that have had one place only."""
    rows = []
    for supply in supplies:
        for member in supply.members:
            if member.role == "sub":
                places = MeterPlaces(attached[member.meter_id]).known
                if len(places) == 1:
                    rows.append((member.meter_id, supply.supply_point, places[0][0], places[0][2]))
    return pd.DataFrame(rows, columns=["meter_id", "supply_point", "site_path", "upstream_path"], dtype=str)


def _with_other_days(connection: duckdb.DuckDBPyConnection, supplies: Mapping[str, Supply]) -> list[str]:
    """Return the supplies of which readings have other local days in the stream than in their time zone now."""
    rows = connection.execute(
        f"""
        SELECT DISTINCT {SUPPLY} AS supply_point, epoch_ms(day_start), day_s FROM costs
        WHERE {METER} IN (SELECT meter_id FROM steady)
        """
    ).fetchall()
    found = []
    for supply_point in sorted({row[0] for row in rows}):
        days = np.array([row[1:] for row in rows if row[0] == supply_point], dtype=np.int64)
        starts, ends = local_days(zone_of(supplies[supply_point].contract)).days_at(days[:, 0])
        if (starts != days[:, 0]).any() or (ends - starts != days[:, 1] * 1000).any():
            found.append(supply_point)
    return found
